"""Kill work on a home by SIGKILL at each step that changes a file, each time in a separate process."""

import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from support.command import run_study

# One process does the imports; the processes to kill are forked from it in milliseconds.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "support.killing",
        "study.api.study",
        "study.model.finalize",
        "study.evaluation.recheck",
        "study.tracking.sync",
        "skops.io",
    ]
)

_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
_WRITES = os.O_WRONLY | os.O_RDWR


def kill_at_each_step(work: Callable[[], object], home: Path, every: int = 1) -> Iterator[int]:
    """Repeat the work, killing it one step later each time, until it is done; yield the step after each kill.

    A step starts with a call that opens a file of the home for writing, renames or removes something in it, or syncs.
    Restore the home before you request the next step.
    """
    for step in itertools.count(step=every):
        process = _FORKS.Process(target=_work, args=(work, str(home), step))
        process.start()
        process.join()
        if process.exitcode == 0:
            return
        assert process.exitcode == -signal.SIGKILL, (step, process.exitcode)
        yield step


def run_and_kill(words: Sequence[object], seconds: float | None) -> int:
    """Run a command, and kill it after some seconds; return its exit code, or the negative number of the signal."""
    process = _FORKS.Process(target=_command, args=(tuple(map(str, words)),))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _command(arguments: tuple[str, ...]) -> None:
    done = run_study(*arguments)
    sys.stderr.write(done.stderr)
    sys.exit(done.returncode)


def _work(work: Callable[[], object], home: str, step: int) -> None:
    left = iter(range(step))

    def count(*_: object) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        writes = event in _CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & _WRITES)
        if writes and str(args[0]).startswith(home):
            count()

    os.fsync = count  # the machine stays up, so nothing needs to reach its disk
    sys.addaudithook(hook)
    work()
