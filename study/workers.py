"""Worker processes: one open `joblib.Parallel` for a whole study, one thread of BLAS in each, jobs = 1 too."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits

from engine.quantum import Outcome, Quantum, ignore_interrupts, work

ATTEMPTS = 3  # a quantum is tried so often where workers are killed under it


class Workers:
    """Runs the quanta of a round; use as a context manager.

    Args:
        jobs: worker processes; 1 works in this process.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._stack: list[Any] = []
        self._parallel: Any = None

    def __enter__(self) -> Self:
        self._stack = [threadpool_limits(1)]
        if self.jobs > 1:
            self._stack.append(_without_loky_race())
            self._stack[-1].__enter__()
            config = parallel_config(backend="loky", inner_max_num_threads=1, initializer=ignore_interrupts)
            config.__enter__()
            self._stack.append(config)
            parallel = Parallel(self.jobs, return_as="generator", batch_size=1, pre_dispatch="all", max_nbytes=None)
            self._parallel = parallel.__enter__()
            self._stack.append(parallel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for context in reversed(self._stack):
            context.__exit__(kind, error, traceback)
        if self._parallel is not None:
            # joblib keeps its processes for the next call; there is none, and an interrupted run may not leave orphans.
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)

    def run(self, quanta: Sequence[Quantum]) -> dict[int, Outcome]:
        """Do the quanta of a round; return the outcome of each trial by number, in the order of numbers.

        A worker that is killed takes nothing with it: what others finished counts, the rest is tried again.
        """
        if self._parallel is None:
            return {quantum.trial: work(quantum) for quantum in quanta}
        outcomes: dict[int, Outcome] = {}
        for _ in range(ATTEMPTS):
            missing = [quantum for quantum in quanta if quantum.trial not in outcomes]
            if not missing:
                break
            for outcome in self._attempt(missing):
                outcomes[outcome.trial] = outcome
        for quantum in quanta:
            if quantum.trial not in outcomes:
                reason = f"its worker was killed {ATTEMPTS} times, out of memory perhaps"
                outcomes[quantum.trial] = Outcome(quantum.trial, quantum.state, error=reason)
        return dict(sorted(outcomes.items()))

    def _attempt(self, quanta: Sequence[Quantum]) -> Iterator[Outcome]:
        try:
            yield from self._parallel(delayed(work)(quantum) for quantum in quanta)
        except TerminatedWorkerError:
            return


@contextmanager
def _without_loky_race() -> Iterator[None]:
    """Keep one traceback out of the terminal: an abort clears tasks that loky's own thread may be looking up."""
    before = threading.excepthook

    def hook(caught: threading.ExceptHookArgs) -> None:
        manager = caught.thread is not None and caught.thread.name == "ExecutorManagerThread"
        if not (manager and isinstance(caught.exc_value, KeyError)):
            before(caught)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def default_jobs() -> int:
    """Return one job a core, cores that this process may use."""
    return int(effective_n_jobs(-1))
