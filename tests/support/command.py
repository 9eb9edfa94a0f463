"""The `study` command, in the test's own process if that is equivalent, or in a separate process."""

import contextlib
import io
import os
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from support.waiting import LIMIT
from typer.testing import CliRunner

Completed = subprocess.CompletedProcess[str]
Process = subprocess.Popen[str]


def environment() -> dict[str, str]:
    """Return the environment of a command, without variables of this project or MLflow, and 100 columns wide."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "STUDY_"))}
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "COLUMNS": "100"}


def run_study(*arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Completed:
    """Run the command in this process with typer's runner; unhandled errors appear as a traceback.

    This saves the time for imports. Tests about signals, imports, exits or several processes need `run_process`.
    """
    from study.cli.main import app

    words = list(map(str, arguments))
    with _surroundings(words, environment() if env is None else env, cwd):
        result = CliRunner().invoke(app, words, prog_name="study")
    errors = io.StringIO(result.stderr)
    errors.seek(0, io.SEEK_END)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        traceback.print_exception(result.exception, file=errors)
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, errors.getvalue())


@contextlib.contextmanager
def _surroundings(words: list[str], env: Mapping[str, str], cwd: Path | None) -> Iterator[None]:
    """Set arguments, environment, folder and warning filters as in a new process."""
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "argv", ["study", *words]),
        contextlib.chdir(cwd or Path.cwd()),
        warnings.catch_warnings(),
    ):
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)  # like Python itself
        yield


def run_process(*arguments: object, prefix: Sequence[str] = (), **options: Any) -> Completed:
    """Run the command in a separate process, like a user, with `prefix` in front of it; return its output as text."""
    options.setdefault("env", environment())
    return subprocess.run(
        [*prefix, *_command(arguments)], capture_output=True, text=True, timeout=LIMIT, check=False, **options
    )


def begin_process(*arguments: object, **options: Any) -> Process:
    """Start the command in a separate process."""
    options = {"env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(_command(arguments), text=True, **options)


def _command(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "study", *map(str, arguments)]


def read_until(process: Process, words: str, limit: float = LIMIT) -> str:
    """Read the output of a process up to a line that contains these words, and return that line.

    Raises:
        AssertionError: the process ended without such a line, or was killed because it exceeded the limit.
    """
    assert process.stdout is not None
    watchdog = threading.Timer(limit, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if words in line:
                return line
    finally:
        watchdog.cancel()
    raise AssertionError(f"no line with {words!r} within {limit:g} s; {process.communicate()[1]}")
