"""One coordinator a study: a lock that the operating system takes back when its holder dies.

On a file system whose locks do not reach other machines the file itself has to say it: a holder touches it every BEAT
seconds, and who finds the name of another machine in it looks whether it still does.
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

PATIENCE = 0.5  # seconds; a reader has the lock for a moment, and a new holder its name in the file a moment later
BEAT = 1.0
BEATS = 5  # so many without a touch, and a holder on another machine is dead


@contextmanager
def hold(path: Path, name: str) -> Iterator[None]:
    """Hold the lease of a study while the block runs.

    Raises:
        UserError: another process holds it, and the message says which; or the folder's file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if not _lock(file, path) or _beats_elsewhere(path):
            raise StudyHeldError(f"study {name!r} is being run by {_say(_holder(path))}; wait for it, or stop it first")
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
    """Return whether a living process holds the lease."""
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
    """Return whether a process on another machine keeps touching the file, where locks do not reach it."""
    if _holder(path).get("host", socket.gethostname()) == socket.gethostname():
        return False
    before = _touched(path)
    for _ in range(BEATS):
        time.sleep(BEAT)
        if _touched(path) != before:
            return True
    return False


def _touched(path: Path) -> int:
    with path.open() as file:  # opened anew, since a network file system may answer for a path from memory
        return os.fstat(file.fileno()).st_mtime_ns


def _beat(path: Path, left: threading.Event) -> None:
    while not left.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def _holder(path: Path) -> dict[str, str]:
    """Return what the file says of its holder; nothing where it is empty or torn."""
    try:
        holder = json.loads(path.read_bytes())
        return {key: str(holder[key]) for key in ("host", "pid", "started")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _say(holder: dict[str, str]) -> str:
    if not holder:
        return "another process"
    return f"process {holder['pid']} on {holder['host']} since {holder['started']}"
