"""MLflow brought up to date in a process of its own, which leaves the caller's MLflow as it is."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from study import exit_status
from study.exit_status import ExitCode
from study.ledger.home import Home


def sync_apart(home: Home, name: str, log: Callable[[str], None]) -> None:
    """Write to MLflow what the ledger has and MLflow lacks; log what keeps it out.

    Logging a model changes the store and the experiment that MLflow's functions use in a process, which a notebook may
    have set for itself.
    """
    command = [sys.executable, "-m", "study", "sync", name, "--home", str(home.path)]
    with tempfile.TemporaryDirectory(prefix="study-status-") as folder:
        path = Path(folder) / "status.json"
        known = os.environ | home.environment | {exit_status.VARIABLE: str(path)}
        done = subprocess.run(command, env=known, capture_output=True, check=False)  # noqa: S603 - ours
        status = exit_status.read_status(path, done.returncode)
    if status.code != ExitCode.DONE:
        log(f"not in MLflow yet: {status.message or status.reason}")
