"""Processes of the service that may outlive it: each holds a lock, so that the next server knows of those left over.

The lock is taken before the process begins and handed to it; the operating system gives it back when the process ends,
however it does. So there is no moment at which a server that dies leaves a process that nobody knows of.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

Process = subprocess.Popen[bytes]


def start(command: Sequence[str], lock: Path, log: Path, environment: Mapping[str, str] | None = None) -> Process:
    """Start a process in a session of its own; what it prints goes to the end of the log.

    Raises:
        BlockingIOError: one that was started with this lock is alive.
        OSError: log or lock cannot be written.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as held, log.open("ab") as output:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.truncate(0)
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else {**os.environ, **environment},
            pass_fds=(held.fileno(),),
            start_new_session=True,
        )
        held.write(str(process.pid))
        return process


def is_alive(lock: Path) -> bool:
    """Return whether the process that was started with a lock is alive."""
    try:
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def interrupt(lock: Path) -> None:
    """Ask the process that holds a lock to stop, as Ctrl-C does."""
    pid = _pid(lock)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def kill(lock: Path) -> None:
    """Kill the process that holds a lock, and all of its session."""
    pid = _pid(lock)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _pid(lock: Path) -> int | None:
    """Return who holds a lock; None where nobody does, or it is not written down yet."""
    if not is_alive(lock):
        return None
    try:
        return int(lock.read_text())
    except ValueError:
        return None
