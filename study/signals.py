"""Ctrl-C and SIGTERM: one KeyboardInterrupt, however often they come while a command stops; called by the command line.

Workers, which a terminal's Ctrl-C reaches too, are begun with SIGINT blocked: the coordinator stops them.
"""

import atexit
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from study.exit_status import ExitCode

GRACE = 2.0  # seconds that stopping may take; a signal that comes later interrupts the stopping


class _Interrupts:
    def __init__(self) -> None:
        self.last = -GRACE
        self.waits = self.came = False

    def __call__(self, *_: object) -> None:
        now = time.monotonic()
        if self.waits:
            self.came = True
        elif now - self.last >= GRACE:
            self.last = now
            raise KeyboardInterrupt


_interrupts = _Interrupts()


def raise_once() -> None:
    """Make SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, once in GRACE seconds."""
    signal.signal(signal.SIGINT, _interrupts)
    signal.signal(signal.SIGTERM, _interrupts)


def are_raised() -> bool:
    """Return whether `raise_once` was called in this process."""
    return signal.getsignal(signal.SIGTERM) is _interrupts


@contextmanager
def deferred() -> Iterator[None]:
    """Have an interrupt wait for the end of this block, such as an import: compiled modules are broken midway."""
    _interrupts.waits, _interrupts.came = True, False
    try:
        yield
    finally:
        _interrupts.waits = False
    if _interrupts.came:
        _interrupts()


@contextmanager
def block_sigint() -> Iterator[None]:
    """Block SIGINT while the block runs; processes and threads that begin in it never receive a terminal's Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave(code: int = ExitCode.INTERRUPTED) -> NoReturn:
    """End this process at once, as one that was interrupted unless another exit code says why."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by sys.exit: a thread may still be at work, and Python itself turns the exit code into a death by SIGINT where
    # the interrupt came upon an `exec`, which every dataclass is made with.
    os._exit(code)
