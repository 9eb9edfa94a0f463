"""Files that one of the test processes creates, and all of them read."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of this session, which the first process to ask creates while the others wait."""
    here = factory.getbasetemp()
    session = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here  # shared by all processes
    folder, made = session / name, session / f"{name}.made"
    with (session / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a process that failed
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
