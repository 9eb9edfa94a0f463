"""The worker processes that a joblib backend has begun on this machine: how they end, and that none is left.

joblib says nothing of them, but what Python's `multiprocessing` begins, loky's processes included, it lists.
"""

import contextlib
import multiprocessing
import os
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from signal import SIGKILL

REAPED_WITHIN = 1.0  # seconds between the end of a process and its exit code


class LocalProcesses:
    """The processes that are begun after this object is made, as `look` finds them."""

    def __init__(self) -> None:
        self._others = set(multiprocessing.active_children())
        self._kinds: set[type] | None = None
        self._known: list[BaseProcess] = []

    def look(self) -> bool:
        """Find processes that have begun since, of the kind that was found first; return whether there are any.

        Workers are replaced while they are idle. What other threads of this process begin meanwhile is of another kind.
        """
        new = [each for each in multiprocessing.active_children() if each not in {*self._others, *self._known}]
        if self._kinds is None and new:
            self._kinds = {type(each) for each in new}
        self._known += [each for each in new if type(each) in (self._kinds or ())]
        return bool(self._known)

    def exit_code(self) -> int | None:
        """Return how a process has ended by itself, other than well; None where none has.

        Where one dies the pool kills the others, so any other end says more than SIGKILL.
        """
        self.look()
        ended = wait([each.sentinel for each in self._known], timeout=0)
        codes = []
        for process in self._known:
            if process.sentinel in ended:
                process.join(REAPED_WITHIN)
            if process.exitcode:
                codes.append(process.exitcode)
        return next((code for code in codes if code != -SIGKILL), codes[0] if codes else None)

    def kill(self) -> None:
        """End all of them, busy or not."""
        self.look()
        for process in self._known:
            if process.exitcode is None and process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, SIGKILL)  # loky's processes have no working `kill`
        for process in self._known:
            process.join()
