"""Handle Ctrl-C and SIGTERM: repeated signals raise a single KeyboardInterrupt while a command stops.

A terminal sends Ctrl-C to worker processes too. They are started with SIGINT blocked, so that the coordinator can stop
them in order.
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

GRACE = 2.0  # seconds allowed for stopping; a later signal interrupts the shutdown itself


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
    """Make SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, at most once every GRACE seconds."""
    signal.signal(signal.SIGINT, _interrupts)
    signal.signal(signal.SIGTERM, _interrupts)


def are_raised() -> bool:
    """Return whether `raise_once` was called in this process."""
    return signal.getsignal(signal.SIGTERM) is _interrupts


@contextmanager
def deferred() -> Iterator[None]:
    """Postpone an interrupt until the block ends, since it would break the import of a compiled module midway."""
    _interrupts.waits, _interrupts.came = True, False
    try:
        yield
    finally:
        _interrupts.waits = False
    if _interrupts.came:
        _interrupts()


@contextmanager
def block_sigint() -> Iterator[None]:
    """Block SIGINT in the body of the `with` statement.

    Processes and threads started there never receive a terminal's Ctrl-C.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave(code: int = ExitCode.INTERRUPTED) -> NoReturn:
    """Exit immediately, by default with the exit code of an interrupted process."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    # sys.exit would wait for threads that are still working. Python would also replace the exit code with death by
    # SIGINT if the interrupt arrived during an `exec`, which creates every dataclass.
    os._exit(code)
