"""Child processes that may outlive the service. Each holds a lock, so the next server finds leftover processes.

The lock is acquired before the process starts, and the process inherits it. The operating system releases it when the
process ends for any reason. A server that dies therefore never leaves a process behind that the next one cannot find.
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
    """Start a process in its own session and append its output to the log.

    Raises:
        BlockingIOError: if a process that was started with this lock is still alive.
        OSError: if the log or the lock cannot be written.
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
    """Return True if the process that was started with a lock is alive."""
    try:
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def interrupt(lock: Path) -> None:
    """Ask the process that holds a lock to stop, with SIGTERM."""
    pid = _pid(lock)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def kill(lock: Path) -> None:
    """Kill the process that holds a lock and every other process in its session."""
    pid = _pid(lock)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _pid(lock: Path) -> int | None:
    """Return the process id of the lock's holder; None if there is no holder or its id is not written yet."""
    if not is_alive(lock):
        return None
    try:
        return int(lock.read_text())
    except ValueError:
        return None
