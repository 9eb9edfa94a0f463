"""Work on a home killed by SIGKILL at each step that changes a file, each time in a process of its own."""

import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from support.command import run_study

# One process imports what is needed; those that are killed are forked from it, which takes milliseconds.
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
    """Do the work again and again, killed a step later each time; yield the step after each kill, until one is done.

    A step is the call that opens a file of the home for writing, renames or removes something there, or syncs, and what
    comes after it. Put the home back before you ask for the next.
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
    """Run a command, and kill it where it takes longer; return its exit code, or less the signal's number."""
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

    os.fsync = count  # the machine stays up, so nothing has to reach its disk
    sys.addaudithook(hook)
    work()
