"""Worker processes: the chunks of a batch go in, an outcome of each comes back, whatever becomes of a worker.

The processes are those of loky: what joblib carries within itself, which begins a process in half the time on its own.
`joblib.Parallel` would look for results every 10 ms where a future tells at once, and end a whole call where one worker
is lost. Beyond one machine the processes are those of a cluster (`study.clusters`).
"""

import contextlib
import os
import re
import signal
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self

from loky import BrokenProcessPool, ProcessPoolExecutor, cpu_count
from threadpoolctl import threadpool_limits

from engine.training_chunk import Outcome, TrainingChunk, run_chunks
from study.clusters import Cluster, why_lost
from study.errors import MachineError, UserError
from study.interrupts import block_sigint
from study.spec import SearchSpec
from study.worker import begin

ATTEMPTS = 3  # a chunk is tried so often where its worker is lost
PATIENCE = 60.0  # seconds without any result, on top of SLOWER times the expected ones, until workers count as stuck
SLOWER = 100
TICK = 1.0  # seconds
UNSEEN = 2 * TICK  # without any result, from which on workers are looked at
LEAST_MEMORY = 256 << 20  # bytes; a worker takes 60 MB before it has any data
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS")
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}


Task = Future[list[Outcome]]
"""One chunk, or several that a worker does one after another."""


@dataclass(frozen=True)
class Batch:
    """Chunks that are under way: with the tasks that do them, or None where this process will."""

    chunks: Sequence[TrainingChunk]
    pending: set[Task] | None = None


class Workers:
    """Does chunks, a batch at a time or several under way at once; in a `with` block, at whose end no process is left.

    A chunk whose worker is killed, runs out of memory or is stuck is done again from the same state, at most twice;
    then its outcome is an error that says why. The other chunks under way lose nothing. Data that cannot be read are
    nobody's fault: that ends the run.

    Args:
        jobs: worker processes, at most; 1 works in this process, unless there is a memory limit.
        memory_limit: bytes that a worker may take for itself (Linux); data that workers share does not count.
        patience: seconds without any result until workers count as stuck, beyond what the chunks are expected to take.
        cluster: does the work, where there is one; memory limit and patience are its own matter then.

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
        cluster: Cluster | None = None,
    ) -> None:
        if memory_limit is not None and memory_limit < LEAST_MEMORY:
            raise UserError(
                f"a worker's memory limit must be at least {LEAST_MEMORY >> 20} MB, got {memory_limit >> 20}"
            )
        self.jobs, self.memory_limit, self.patience, self.cluster = jobs, memory_limit, patience, cluster
        self._count = jobs
        self._executor: Any = None
        self._threads: Any = None
        self._refused: OSError | None = None

    @classmethod
    def of(cls, search: SearchSpec, jobs: int | None, cluster: Cluster | None = None) -> Self:
        """Return workers as [search] wants them: those of a cluster, or else `jobs` processes, None one a core."""
        limit = None if search.worker_memory is None else search.worker_memory << 20
        count = cluster.jobs if cluster is not None else jobs or default_jobs()
        return cls(count, memory_limit=limit, cluster=cluster)

    def need(self, most: int) -> None:
        """Say that there are at most so many chunks at once; where too few processes have begun they begin anew."""
        count = max(1, min(self.jobs, most))
        if self._executor is None or count > self._count:
            self.close()
            self._count = count

    def begin(self, most: int) -> None:
        """Begin the processes for so many chunks at once, ahead of the first: they import while data are being read.

        Who does so calls `close`, also where no `with` block was come to.
        """
        self.need(most)
        if not self._works_here and self.cluster is None:
            self._submit_here([])  # the first task begins all of them

    @property
    def _works_here(self) -> bool:
        alone = self._count == 1 and self._executor is None
        return alone and self.memory_limit is None and self.cluster is None

    def __enter__(self) -> Self:
        self._threads = threadpool_limits(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if self.cluster is not None:
            self.cluster.forget()
        self._threads.restore_original_limits()

    def run(self, chunks: Sequence[TrainingChunk]) -> dict[int, Outcome]:
        """Do a batch of chunks and wait for it; see `submit` and `collect`."""
        return self.collect(self.submit(chunks))

    def submit(self, chunks: Sequence[TrainingChunk]) -> Batch:
        """Begin a batch of chunks, the dearest first, after those that are under way."""
        if self._works_here:
            return Batch(sorted(chunks, key=lambda chunk: chunk.trial))
        dearest_first = sorted(chunks, key=lambda chunk: chunk.units, reverse=True)
        return Batch(dearest_first, self._submit(dearest_first))

    def collect(self, batch: Batch) -> dict[int, Outcome]:
        """Wait for a batch; return its outcomes by trial, in the order of numbers.

        Raises:
            OSError: a worker cannot read the data, three times.
        """
        if batch.pending is None:
            return {outcome.trial: outcome for outcome in run_chunks(batch.chunks)}
        outcomes: dict[int, Outcome] = {}
        why = self._wait(batch, outcomes)
        for chunk in batch.chunks:
            # Who is missing now may have lost its worker to another's fault: alone, each answers for itself.
            for _ in range(1, ATTEMPTS):
                if chunk.trial not in outcomes:
                    why = self._wait(Batch([chunk], self._submit([chunk])), outcomes)
            if chunk.trial not in outcomes and self._refused is not None:
                raise self._refused
            if chunk.trial not in outcomes:
                outcomes[chunk.trial] = Outcome(chunk.trial, chunk.state, error=f"{why}, {ATTEMPTS} times")
        return dict(sorted(outcomes.items()))

    def _wait(self, batch: Batch, outcomes: dict[int, Outcome]) -> str | None:
        """Keep the outcomes of a batch that come; return why some did not."""
        why = self._refused = None
        pending = batch.pending or set()
        limit = self.patience + SLOWER * max((chunk.units for chunk in batch.chunks), default=0.0)
        quiet = 0.0
        while pending:
            done, pending = wait(pending, TICK, FIRST_COMPLETED)
            # Ticks are counted, not the clock: while this process is suspended its workers are too, or have no orders.
            quiet = 0.0 if done else quiet + TICK
            if self.cluster is not None:
                self.cluster.check()
            for future in done:
                error = _error(future)
                if isinstance(error, OSError):
                    self._refused = error
                if error is not None:
                    why = _why_lost(error)
                    continue
                for outcome in future.result():
                    short = _out_of_memory(outcome)
                    if short is None:
                        outcomes[outcome.trial] = outcome
                    why = short or why
            if quiet >= UNSEEN and (how := self._death()) is not None:
                why = _lost(how)
                break
            if quiet >= limit and self.cluster is None:  # others' work may be before ours in a cluster
                why = f"its worker was stuck, without a result for {limit:.0f} s"
                break
        if why is not None:
            self.close()  # an attempt alone begins in a new process; what else is under way is done again, too
        return why

    def _death(self) -> str | None:
        """Return how a worker has ended that the executor knows nothing of: amid a result, whose end it waits for."""
        processes = [] if self._executor is None else list(self._executor._processes.values())
        return next((_signal(each.exitcode) for each in processes if each.exitcode is not None), None)

    def _submit(self, chunks: Sequence[TrainingChunk]) -> set[Task]:
        if self.cluster is not None:
            return {self.cluster.submit(share) for share in shares(chunks, self.cluster.jobs)}
        try:
            return {self._submit_here([chunk]) for chunk in chunks}
        except BrokenProcessPool:  # a worker was lost while it had nothing to do
            self.close()
            return {self._submit_here([chunk]) for chunk in chunks}

    def _submit_here(self, chunks: Sequence[TrainingChunk]) -> Task:
        executor = self._start()
        with block_sigint():  # worker processes begin here
            task: Task = executor.submit(run_chunks, chunks)
        return task

    def _start(self) -> Any:
        if self._executor is None:
            resource_tracker.ensure_running()  # loky would begin it, and Python lets Ctrl-C through then
            try:
                self._executor = ProcessPoolExecutor(
                    self._count, initializer=begin, initargs=(os.getpid(), self.memory_limit), env=_ONE_THREAD
                )
            except OSError as error:  # no semaphores, as in a container without /dev/shm
                raise MachineError(
                    f"worker processes cannot be begun: {error.strerror}; --jobs 1 does without them"
                ) from error
        return self._executor

    def close(self) -> None:
        """End the worker processes, busy or not; others begin when they are needed."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        # Not by shutdown(kill_workers=True), whose thread trips over tasks that no worker has taken yet.
        for pid in list(executor._processes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Where a worker was killed amid a result, loky's thread waits for its end as long as anybody could write it.
        manager = executor._executor_manager_thread
        if manager is not None:
            manager.join(TICK)
            if manager.is_alive():
                executor._result_queue._writer.close()
        executor.shutdown(wait=True)


def default_jobs() -> int:
    """Return one job a core, cores that this process may use."""
    return int(cpu_count())


def shares(chunks: Sequence[TrainingChunk], count: int) -> list[list[TrainingChunk]]:
    """Return chunks as at most so many tasks of about equal work: each goes to the least laden, in their order."""
    tasks: list[list[TrainingChunk]] = [[] for _ in range(min(count, len(chunks)))]
    load = [0.0] * len(tasks)
    for chunk in chunks:
        least = load.index(min(load))
        tasks[least].append(chunk)
        load[least] += chunk.units
    return tasks


def _error(future: Task) -> BaseException | None:
    """Return what a task that is done has come to in place of outcomes."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _out_of_memory(outcome: Outcome) -> str | None:
    """Return why a chunk has to be done again, or None where it has come to its end, a raised error included."""
    raised = (outcome.error or "").rstrip().rpartition("\n")[2]
    kind, separator, said = raised.partition(": ")
    return f"out of memory{separator}{said}" if kind.endswith("MemoryError") else None


def _why_lost(error: BaseException) -> str:
    """Return why a task has to be done again."""
    if isinstance(error, MemoryError) or "MemoryError" in str(error.__cause__):  # on the way out of a worker, or in
        return "out of memory"
    if isinstance(error, BrokenProcessPool):
        ended = re.search(r"\{(\w+)", str(error))
        return _lost(ended[1] if ended else "")
    return why_lost(error)


def _lost(how: str) -> str:
    """Return what is said of a worker that ended so, by a signal perhaps."""
    return f"its worker was {f'killed by {how}' if how.startswith('SIG') else 'lost'}, by a lack of memory perhaps"


def _signal(exitcode: int) -> str:
    """Return the name of the signal that ended a process, "" where it has none or it was no signal."""
    return {each.value: each.name for each in signal.Signals}.get(-exitcode, "")
