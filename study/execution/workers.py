"""Workers: batches of training chunks go in, an outcome of each comes back, whatever becomes of a worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from threadpoolctl import threadpool_limits

from engine.training_chunk import Outcome, TrainingChunk
from study.errors import UserError
from study.execution.backends import Loky, find_configured
from study.execution.executor import Executor, TrainingTask
from study.execution.in_process import InProcessExecutor
from study.execution.joblib_backend import PATIENCE, Backend, JoblibExecutor
from study.execution.retry import RetryingExecutor

if TYPE_CHECKING:
    from study.execution.clusters import Cluster
    from study.spec import SearchSpec  # workers need not import it

LEAST_MEMORY = 256 << 20  # bytes; a worker takes 60 MB before it has any data


@dataclass(frozen=True)
class Batch:
    """Chunks that are under way, as the tasks that do them."""

    tasks: tuple[TrainingTask, ...]


class Workers:
    """Does chunks, a batch at a time or several under way at once; in a `with` block, at whose end no process is left.

    A chunk whose worker is killed, runs out of memory or is stuck is done again from the same state, at most twice;
    then its outcome is an error that says why. The other chunks under way lose nothing. Data that cannot be read are
    no trial's fault: that ends the run.

    Args:
        jobs: tasks that are done at once, at most; 1 works in this process, without a memory limit or a backend.
        memory_limit: bytes that a worker process may take for itself (Linux); data that workers share does not count.
        patience: seconds without any result until workers count as stuck, beyond what the chunks are expected to take.
        backend: of joblib, in place of processes on this machine; memory limit and patience are its own matter then.

    Raises:
        UserError: the memory limit is less than a worker needs.
        MachineError: in `submit`, no processes can be begun; in `collect` too, the cluster is lost.
    """

    def __init__(
        self,
        jobs: int,
        *,
        memory_limit: int | None = None,
        patience: float = PATIENCE,
        backend: Backend | None = None,
    ) -> None:
        if memory_limit is not None and memory_limit < LEAST_MEMORY:
            raise UserError(
                f"a worker's memory limit must be at least {LEAST_MEMORY >> 20} MB, got {memory_limit >> 20}"
            )
        self.jobs, self.memory_limit, self.patience, self.backend = jobs, memory_limit, patience, backend
        self._count = jobs
        self._executor: Executor | None = None
        self._threads: threadpool_limits | None = None

    @classmethod
    def of(cls, search: "SearchSpec", jobs: int | None, cluster: "Cluster | None" = None) -> Self:
        """Return workers as [search] wants them.

        Args:
            search: may limit the memory of a worker process.
            jobs: None takes what joblib is configured for (`joblib.parallel_config`), and otherwise one a core.
            cluster: does the work, where there is one; otherwise what joblib is configured for, and otherwise loky.
        """
        limit = None if search.worker_memory is None else search.worker_memory << 20
        if cluster is not None:
            return cls(cluster.jobs, memory_limit=limit, backend=cluster)
        backend, count = find_configured(jobs)
        return cls(count, memory_limit=limit, backend=backend)

    def need(self, most: int) -> None:
        """Say that there are at most so many chunks at once; where too few processes have begun they begin anew."""
        count = max(1, min(self.jobs, most))
        if self._executor is None or count > self._count:
            self.close()
            self._count = count

    def __enter__(self) -> Self:
        self._threads = threadpool_limits(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if self._threads is not None:
            self._threads.restore_original_limits()

    def run(self, chunks: Sequence[TrainingChunk]) -> dict[int, Outcome]:
        """Do a batch of chunks and wait for it; see `submit` and `collect`."""
        return self.collect(self.submit(chunks))

    def submit(self, chunks: Sequence[TrainingChunk]) -> Batch:
        """Begin a batch of chunks, the dearest first, after those that are under way."""
        dearest_first = sorted(chunks, key=lambda chunk: chunk.units, reverse=True)
        # A task costs a cluster some 10 ms, so each of its workers has its share of the batch in one task.
        count = len(chunks) if self.backend is None else self.jobs
        tasks = tuple(TrainingTask(tuple(share)) for share in shares(dearest_first, count))
        executor = self.executor
        for task in tasks:
            executor.submit(task)
        return Batch(tasks)

    def collect(self, batch: Batch) -> dict[int, Outcome]:
        """Wait for a batch; return its outcomes by trial, in the order of numbers.

        Raises:
            OSError: a worker cannot read the data, three times.
        """
        done = RetryingExecutor(self.executor).wait(batch.tasks)
        outcomes = {outcome.trial: outcome for each in done for outcome in each.outcomes}
        return dict(sorted(outcomes.items()))

    @property
    def executor(self) -> Executor:
        """Does the tasks; begun where there is none."""
        if self._executor is None:
            here = self._count == 1 and self.memory_limit is None and self.backend is None
            backend = self.backend or Loky(self._count, self.memory_limit)
            self._executor = InProcessExecutor() if here else JoblibExecutor(backend, self.patience)
        return self._executor

    def close(self) -> None:
        """End the worker processes, busy or not; others begin when they are needed."""
        if self._executor is not None:
            self._executor.close()
            self._executor = None


def shares(chunks: Sequence[TrainingChunk], count: int) -> list[list[TrainingChunk]]:
    """Return chunks as at most so many tasks of about equal work: each goes to the least laden, in their order."""
    tasks: list[list[TrainingChunk]] = [[] for _ in range(min(count, len(chunks)))]
    load = [0.0] * len(tasks)
    for chunk in chunks:
        least = load.index(min(load))
        tasks[least].append(chunk)
        load[least] += chunk.units
    return tasks
