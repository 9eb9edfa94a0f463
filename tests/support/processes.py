"""The processes of this machine, as shown by /proc."""

import os
import signal
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


def fate(pid: int) -> tuple[str, int]:
    """Return the state and the parent of a process; the state is "X" if it does not exist."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return state, int(parent)


def command_of(pid: int) -> str:
    """Return the arguments of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def running(words: str, *, parent: int | None = None) -> list[int]:
    """Return the processes whose command contains these words: all except this one, or the children of another."""
    pids = [int(place.name) for place in Path("/proc").glob("[0-9]*") if int(place.name) != os.getpid()]
    return [pid for pid in pids if words in command_of(pid) and parent in (None, fate(pid)[1])]


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a coordinator."""
    return running("popen_loky", parent=pid)


def exporters_of(pid: int) -> list[int]:
    """Return the processes that write to MLflow for a coordinator."""
    return running("study.tracking.exporter_process", parent=pid)


def gone(pids: list[int]) -> bool:
    """Return whether all of these processes have ended."""
    return all(fate(pid)[0] in "XZ" for pid in pids)


def send(number: signal.Signals, pids: list[int]) -> None:
    """Send a signal to processes that may have ended."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
