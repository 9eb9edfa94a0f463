"""The worker processes that a joblib backend has started on this machine: their exit codes, and how to kill them.

joblib does not expose them, but `multiprocessing` lists all processes that it has started, including those of loky.
"""

import contextlib
import multiprocessing
import os
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from signal import SIGKILL

REAPED_WITHIN = 1.0  # seconds between the end of a process and its exit code


class LocalProcesses:
    """The processes that are started after this object is created, as found by `find`."""

    def __init__(self) -> None:
        self._others = set(multiprocessing.active_children())
        self._kinds: set[type] | None = None
        self._known: list[BaseProcess] = []

    def find(self) -> bool:
        """Find new processes of the type that was found first; return whether any process has been found.

        Idle workers may be replaced by new ones. Processes that other threads start are of another type.
        """
        new = [each for each in multiprocessing.active_children() if each not in {*self._others, *self._known}]
        if self._kinds is None and new:
            self._kinds = {type(each) for each in new}
        self._known += [each for each in new if type(each) in (self._kinds or ())]
        return bool(self._known)

    def exit_code(self) -> int | None:
        """Return the nonzero exit code of a process that has ended; None if there is none.

        If one process dies, the pool kills the others with SIGKILL, so any other code is preferred.
        """
        self.find()
        ended = wait([each.sentinel for each in self._known], timeout=0)
        codes = []
        for process in self._known:
            if process.sentinel in ended:
                process.join(REAPED_WITHIN)
            if process.exitcode:
                codes.append(process.exitcode)
        return next((code for code in codes if code != -SIGKILL), codes[0] if codes else None)

    def kill(self) -> None:
        """Kill all processes, busy or idle."""
        self.find()
        for process in self._known:
            if process.exitcode is None and process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, SIGKILL)  # loky's processes have no working `kill`
        for process in self._known:
            process.join()
