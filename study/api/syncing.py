"""Synchronization with MLflow in a separate process, which leaves the caller's MLflow settings unchanged."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from study import exit_status
from study.exit_status import ExitCode
from study.ledger.home import Home

WRITING = "writing to MLflow …"


def sync_apart(home: Home, name: str, log: Callable[[str], None]) -> None:
    """Write runs that MLflow lacks from the ledger to MLflow; log the reason if that fails.

    Logging a model changes the process-wide store and experiment of MLflow's functions, which a notebook may have set.
    """
    command = [sys.executable, "-m", "study", "sync", name, "--home", str(home.path)]
    with tempfile.TemporaryDirectory(prefix="study-status-") as folder:
        path = Path(folder) / "status.json"
        known = os.environ | home.environment | {exit_status.VARIABLE: str(path)}
        done = subprocess.run(command, env=known, capture_output=True, check=False)  # noqa: S603 - the command is fixed
        status = exit_status.read_status(path, done.returncode)
    if status.code != ExitCode.DONE:
        log(f"not in MLflow yet: {status.message or status.reason}")
