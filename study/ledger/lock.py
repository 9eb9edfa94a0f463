"""The file lock of a study, which the operating system releases when its holder dies.

Some network file systems do not share locks between machines. The holder therefore touches the file every BEAT seconds,
and a process that finds the name of another machine in the file waits to see whether it is still being touched.
"""

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from study.errors import StudyHeldError, UserError

PATIENCE = 0.5  # seconds; readers hold the lock briefly, and a new holder writes its name with a short delay
BEAT = 1.0  # seconds
BEATS = 5  # beats without a touch after which a holder on another machine counts as dead


@contextmanager
def hold(path: Path, name: str) -> Iterator[None]:
    """Hold the lock of a study for the duration of the block.

    Raises:
        UserError: another process, which the message names, holds the lock; or the file system does not support locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if not _lock(file, path) or _beats_elsewhere(path):
            who = _describe(_holder(path))
            raise StudyHeldError(f"study {name!r} is being run by {who}; wait for it to end, or stop it first")
        file.truncate(0)
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "started": started}, file)
        file.flush()
        left = threading.Event()
        threading.Thread(target=_beat, args=(path, left), name="lease", daemon=True).start()
        try:
            yield
        finally:
            left.set()
            file.truncate(0)


def is_held(path: Path) -> bool:
    """Return whether a live process holds the lock."""
    try:
        with path.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    except OSError:
        return False


def _lock(file: IO[str], path: Path) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        except OSError as error:
            raise UserError(
                f"{path.parent}: files in this folder cannot be locked ({error.strerror}); use another --home"
            ) from None
        else:
            return True


def _beats_elsewhere(path: Path) -> bool:
    """Return whether a process on another machine, whose lock may be invisible here, keeps touching the file."""
    if _holder(path).get("host", socket.gethostname()) == socket.gethostname():
        return False
    before = _touched(path)
    for _ in range(BEATS):
        time.sleep(BEAT)
        if _touched(path) != before:
            return True
    return False


def _touched(path: Path) -> int:
    with path.open() as file:  # reopen the file, since a network file system may cache the attributes of a path
        return os.fstat(file.fileno()).st_mtime_ns


def _beat(path: Path, left: threading.Event) -> None:
    while not left.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def _holder(path: Path) -> dict[str, str]:
    """Return the holder's entry in the file; empty if the file is empty or incomplete."""
    try:
        holder = json.loads(path.read_bytes())
        return {key: str(holder[key]) for key in ("host", "pid", "started")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _describe(holder: dict[str, str]) -> str:
    if not holder:
        return "another process"
    return f"process {holder['pid']} on {holder['host']} since {holder['started']}"
