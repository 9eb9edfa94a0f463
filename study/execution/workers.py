"""Workers that take batches of chunks and return an outcome for each, even if a worker is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from threadpoolctl import threadpool_limits

from engine.errors import AdditionError
from engine.extensions import Extensions
from engine.training_chunk import Chunk, Outcome, TrainingChunk
from study.errors import UserError
from study.execution.backends import Loky, find_configured
from study.execution.executor import Executor, TrainingTask
from study.execution.in_process import InProcessExecutor
from study.execution.joblib_backend import PATIENCE, Backend, JoblibExecutor
from study.execution.retry import RetryingExecutor

if TYPE_CHECKING:
    from study.execution.clusters import Cluster
    from study.spec import SearchSpec  # not needed by worker processes

LEAST_MEMORY = 256 << 20  # bytes; a worker needs 60 MB before it has any data


@dataclass(frozen=True)
class Batch:
    """Submitted chunks, as the tasks that contain them."""

    tasks: tuple[TrainingTask, ...]


class Workers:
    """Runs batches of chunks, one or several at a time, in a `with` block that ends all worker processes.

    If a worker is killed, runs out of memory or is stuck, its chunk is retried from the same state, at most twice;
    after that its outcome is an error that states the reason. Other chunks are unaffected. Unreadable data ends the
    run, since no trial is at fault.

    Args:
        jobs: maximum number of tasks that run at the same time. 1 runs tasks in this process, unless there is a memory
            limit or a backend.
        memory_limit: bytes that a worker process may allocate (Linux); data that workers share do not count.
        patience: seconds without a result, beyond the expected time of the chunks, until workers count as stuck.
        backend: a joblib backend instead of processes on this machine; it ignores `memory_limit` and `patience`.

    Raises:
        UserError: the memory limit is less than a worker needs.
        MachineError: in `submit`, no process could be started; in `submit` and `collect`, the cluster was lost.
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
        """Return the workers for a [search] table.

        Args:
            search: the [search] table, which may limit the memory of a worker process.
            jobs: number of jobs; None uses joblib's configuration (`joblib.parallel_config`), or else one per core.
            cluster: runs the tasks; None uses joblib's configuration, or else loky.
        """
        limit = None if search.worker_memory is None else search.worker_memory << 20
        if cluster is not None:
            return cls(cluster.jobs, memory_limit=limit, backend=cluster)
        backend, count = find_configured(jobs)
        return cls(count, memory_limit=limit, backend=backend)

    def need(self, most: int) -> None:
        """Prepare for at most this many chunks at the same time; restart the processes if there are too few."""
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
        """Run a batch of chunks and wait for it; see `submit` and `collect`."""
        return self.collect(self.submit(chunks))

    def submit(self, chunks: Sequence[TrainingChunk]) -> Batch:
        """Submit a batch of chunks, the most expensive first, behind those that have already been submitted."""
        longest_first = sorted(chunks, key=lambda chunk: chunk.units, reverse=True)
        # A task on a cluster has an overhead of about 10 ms, so each worker gets its share of the batch as one task.
        count = len(chunks) if self.backend is None else self.jobs
        tasks = tuple(TrainingTask(tuple(part)) for share in shares(longest_first, count) for part in _by_data(share))
        return self._begin(tasks)

    def submit_together(self, chunks: Sequence[Chunk[Any]]) -> Batch:
        """Submit chunks of any kind, which one worker runs one after another, in the given order."""
        return self._begin((TrainingTask(tuple(chunks)),))

    def _begin(self, tasks: tuple[TrainingTask, ...]) -> Batch:
        executor = self.executor
        if not isinstance(executor, InProcessExecutor):
            _pack_extensions([chunk for task in tasks for chunk in task.chunks])
        for task in tasks:
            executor.submit(task)
        return Batch(tasks)

    def ready(self, batch: Batch) -> bool:
        """Return whether `results` would not have to wait for workers, unless chunks have to be retried."""
        return all(self.executor.ready(task) for task in batch.tasks)

    def collect(self, batch: Batch) -> dict[int, Outcome]:
        """Wait for a batch of training chunks; return its outcomes by trial, ordered by trial number; see `results`."""
        outcomes: dict[int, Outcome] = {outcome.trial: outcome for outcome in self.results(batch)}
        return dict(sorted(outcomes.items()))

    def results(self, batch: Batch) -> list[Any]:
        """Wait for a batch; return the results of its chunks, task by task.

        Raises:
            OSError: a worker failed three times to read the data.
            UserError: a worker could not load a registered extension.
        """
        try:
            done = RetryingExecutor(self.executor).wait(batch.tasks)
        except AdditionError as error:
            raise UserError(str(error)) from error
        return [outcome for each in done for outcome in each.outcomes]

    @property
    def executor(self) -> Executor:
        """The executor that runs the tasks, started on first use."""
        if self._executor is None:
            here = self._count == 1 and self.memory_limit is None and self.backend is None
            backend = self.backend or Loky(self._count, self.memory_limit)
            self._executor = InProcessExecutor() if here else JoblibExecutor(backend, self.patience)
        return self._executor

    def close(self) -> None:
        """End the worker processes, busy or idle; new ones start when they are needed."""
        if self._executor is not None:
            self._executor.close()
            self._executor = None


def shares(chunks: Sequence[TrainingChunk], count: int) -> list[list[TrainingChunk]]:
    """Split chunks into at most `count` tasks of about equal work: each chunk, in order, joins the smallest task."""
    tasks: list[list[TrainingChunk]] = [[] for _ in range(min(count, len(chunks)))]
    load = [0.0] * len(tasks)
    for chunk in chunks:
        least = load.index(min(load))
        tasks[least].append(chunk)
        load[least] += chunk.units
    return tasks


def _by_data(share: Sequence[TrainingChunk]) -> list[list[TrainingChunk]]:
    """Split a task into tasks that each read a single folder of data, since a task is sent with its data."""
    parts: dict[str, list[TrainingChunk]] = {}
    for chunk in share:
        parts.setdefault(chunk.data, []).append(chunk)
    return list(parts.values())


def _pack_extensions(chunks: Sequence[Chunk[Any]]) -> None:
    """Pickle the registered extensions that chunks need, so that they can be sent to other processes.

    Raises:
        UserError: an extension cannot be pickled.
    """
    for extensions in {chunk.extensions for chunk in chunks}:
        if isinstance(extensions, Extensions) and extensions:
            from cloudpickle import dumps

            try:
                extensions.pack(dumps)
            except AdditionError as error:
                raise UserError(str(error)) from error
