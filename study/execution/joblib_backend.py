"""An executor on joblib's parallel backends: loky, dask, ray, or any other that is registered with joblib.

It calls the backend's own `submit`, which joblib documents for those who write a backend. `joblib.Parallel` configures
the backend and ends it, but is not called: a call looks for results every 10 ms, loses all of them where one worker is
lost, waits forever for a task that dask gave up, and cannot yield results of ray one by one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import AbstractContextManager, ExitStack
from threading import Lock, Thread
from typing import Protocol, TypeVar

import joblib
from joblib.parallel import BatchedCalls, LokyBackend, ParallelBackendBase

from engine.remote import run_chunks_remotely
from engine.training_chunk import Outcome, run_chunks
from study.execution._loky import is_unreadable, release_reader
from study.execution.executor import FailureKind, TaskError, TaskOutcome, TrainingTask, WorkerLostError, lost, raised
from study.execution.local_processes import LocalProcesses
from study.signals import block_sigint

PATIENCE = 60.0  # seconds without any result, on top of SLOWER times the expected ones, until workers count as stuck
SLOWER = 100
TICK = 1.0  # seconds
UNSEEN = 2 * TICK  # without any result, from which on worker processes are looked at

_UNREADABLE = TaskError(FailureKind.OUT_OF_MEMORY, "out of memory while its worker's task or result was read")
_CANCELED = TaskError(FailureKind.CANCELED, "it was canceled")


T = TypeVar("T")


class Backend(Protocol):
    """How a joblib backend is reached."""

    @property
    def at_once(self) -> int | None:
        """Tasks that may be under way at once; None where the backend sees to it."""

    @property
    def lost_errors(self) -> tuple[type[BaseException], ...]:
        """What the backend raises where a worker is lost, besides `BrokenExecutor` and `CancelledError`."""

    def configure(self) -> tuple[AbstractContextManager[object], ParallelBackendBase]:
        """Return the backend, and what configures it when it is entered and ends it when it is left.

        Raises:
            MachineError: this machine or the cluster cannot do it.
        """

    def data(self, folder: str) -> object | None:
        """Return what a worker is sent in place of a data folder; None where workers read the folder.

        Raises:
            WorkerLostError: no worker takes it.
        """

    def check(self) -> None:
        """Look whether the workers are there.

        Raises:
            MachineError: they are lost.
        """


class JoblibExecutor:
    """Does tasks by a joblib backend.

    A lost or stuck worker ends the other tasks that are under way, too: their outcome is an error, and the next task
    finds new workers.

    Args:
        backend: how joblib reaches the workers.
        patience: seconds without any result until workers on this machine count as stuck, beyond what tasks are
            expected to take; elsewhere others' work may be before ours.
    """

    def __init__(self, backend: Backend, patience: float = PATIENCE) -> None:
        self.backend, self.patience = backend, patience
        self._session: _Session | None = None
        self._waiting: list[TrainingTask] = []
        self._under_way: dict[TrainingTask, Future[list[Outcome]]] = {}
        self._ended: dict[TrainingTask, TaskOutcome] = {}

    def submit(self, task: TrainingTask) -> None:
        """Begin a task, after those that are under way."""
        self.backend.check()
        self._waiting.append(task)
        self._fill()

    def wait(self, tasks: Sequence[TrainingTask]) -> list[TaskOutcome]:
        """Wait for tasks; return their outcomes in this order."""
        limit = self.patience + SLOWER * max((task.work for task in tasks), default=0.0)
        quiet = 0.0
        self._take_results()
        known = {*self._ended, *self._under_way, *self._waiting}
        self._ended |= {task: TaskOutcome(task, error=_CANCELED) for task in tasks if task not in known}
        while not all(task in self._ended for task in tasks):
            done, _ = wait(self._under_way.values(), TICK, FIRST_COMPLETED)
            # Ticks are counted, not the clock: while this process is suspended its workers are too, or have no orders.
            quiet = 0.0 if done else quiet + TICK
            self.backend.check()
            self._take_results()
            if quiet >= UNSEEN:
                self._check_quiet_workers(quiet, limit)
            self._fill()
        return [self._ended.pop(task) for task in tasks]

    def _check_quiet_workers(self, quiet: float, limit: float) -> None:
        """End workers that have given no result for a while where one has died amid it, or is stuck."""
        processes = self._session.processes if self._session is not None else None
        if processes is None or not processes.look():
            return
        exit_code = processes.exit_code()
        if exit_code is not None:  # amid a result, whose end the backend waits for
            self._end_session(lost(exit_code))
        elif quiet >= limit:
            message = f"its worker was stuck, with no result for {limit:.0f} s"
            self._end_session(TaskError(FailureKind.STUCK, message))

    def _fill(self) -> None:
        """Begin tasks that wait, as many as may be under way at once."""
        while self._waiting and (self.backend.at_once is None or len(self._under_way) < self.backend.at_once):
            task = self._waiting.pop(0)
            try:
                self._under_way[task] = self._begin(task)
            except WorkerLostError:
                self._ended[task] = TaskOutcome(task, error=lost())

    def _begin(self, task: TrainingTask) -> "Future[list[Outcome]]":
        try:
            return self._start_session().submit(*self._call(task))
        except BrokenExecutor:  # a worker was lost while it had nothing to do
            self._end_session(None)
            return self._start_session().submit(*self._call(task))
        except self.backend.lost_errors as error:  # of a cluster
            self._end_session(None)
            raise WorkerLostError from error

    def _start_session(self) -> "_Session":
        if self._session is None:
            self._session = _Session(self.backend.configure)
        return self._session

    def _call(self, task: TrainingTask) -> tuple[Callable[..., list[Outcome]], tuple[object, ...]]:
        data = self.backend.data(task.chunks[0].data)
        return (run_chunks, (task.chunks,)) if data is None else (run_chunks_remotely, (task.chunks, data))

    def _take_results(self) -> None:
        """Keep the outcomes of tasks that are done; end all workers where one has died or ran out of memory."""
        fatal: list[BaseException] = []
        for task, future in list(self._under_way.items()):
            error = _error(future) if future.done() else None
            if error is not None and (self._is_lost(error) or isinstance(error, MemoryError)):
                fatal.append(error)
            if future.done() and not self._is_lost(error):
                self._end(task, future)
        if fatal:
            self._end_session(_UNREADABLE if any(map(is_unreadable, fatal)) else None)

    def _end(self, task: TrainingTask, future: "Future[list[Outcome]]") -> None:
        del self._under_way[task]
        error = _error(future)
        self._ended[task] = (
            TaskOutcome(task, tuple(future.result())) if error is None else TaskOutcome(task, error=raised(error))
        )

    def _is_lost(self, error: BaseException | None) -> bool:
        """Return whether a task has this error since its worker died."""
        return isinstance(error, (BrokenExecutor, CancelledError, *self.backend.lost_errors))

    def _end_session(self, error: TaskError | None) -> None:
        """End the workers; the tasks that have no result have this error, or one that says how a process ended."""
        session, self._session = self._session, None
        exit_code = session.end() if session is not None else None
        for task, future in list(self._under_way.items()):
            if future.done() and not self._is_lost(_error(future)):
                self._end(task, future)
            else:
                del self._under_way[task]
                self._ended[task] = TaskOutcome(task, error=error or lost(exit_code))

    def cancel(self) -> None:
        """Give up all tasks that are under way."""
        self._end_session(_CANCELED)
        self._ended |= {task: TaskOutcome(task, error=_CANCELED) for task in self._waiting}
        self._waiting.clear()

    def close(self) -> None:
        """Give up what is under way, and leave no process."""
        self.cancel()


class _Session:
    """A configured backend, whose workers take calls until it ends.

    Attributes:
        processes: the workers, where they are processes of this machine.
    """

    def __init__(self, configure: Callable[[], tuple[AbstractContextManager[object], ParallelBackendBase]]) -> None:
        self.processes = LocalProcesses()
        self._configured = ExitStack()
        with block_sigint():  # a helper process of loky begins here, and workers of some backends
            session, self._backend = configure()
            self._configured.enter_context(session)
        self._backend.start_call()

    def submit(self, function: Callable[..., list[Outcome]], arguments: tuple[object, ...]) -> "Future[list[Outcome]]":
        """Have a worker call a function."""
        backend, result = self._backend, _Result()
        calls = BatchedCalls([joblib.delayed(function)(*arguments)], backend.get_nested_backend())
        in_callback = backend.supports_retrieve_callback
        with block_sigint():  # worker processes begin here
            job = backend.submit(calls, result.taking(backend.retrieve_result_callback) if in_callback else _nothing)
        if not in_callback:
            Thread(target=result.taking(backend.retrieve_result), args=(job,), daemon=True).start()
        elif isinstance(job, Future):
            job.add_done_callback(result.look)  # joblib's dask backend forgets the callback of a task that failed
        self.processes.look()
        return result.future

    def end(self) -> int | None:
        """End the workers, busy or not; return how one of them had ended by itself, where one had."""
        exit_code = self.processes.exit_code()
        if isinstance(self._backend, LokyBackend):
            # Not left to `abort_everything`, which trips over tasks that no worker has taken yet.
            self.processes.kill()
            release_reader(self._backend)
        self._backend.abort_everything(ensure_ready=False)
        self._backend.stop_call()
        self._configured.close()
        self.processes.kill()
        return exit_code


class _Result:
    """A future that is set once, by whichever thread comes first."""

    def __init__(self) -> None:
        self.future: Future[list[Outcome]] = Future()
        self._lock = Lock()

    def taking(self, retrieve: Callable[[object], list[list[Outcome]] | BaseException]) -> Callable[[object], None]:
        """Return a callback that retrieves the result of the one call."""

        def take(out: object) -> None:
            try:
                value = retrieve(out)
            except Exception as error:  # noqa: BLE001 - an error of a task is a value
                self._set(None, error)
            else:
                # An error of dask or ray themselves is returned, not raised.
                self._set(*((None, value) if isinstance(value, BaseException) else (value[0], None)))

        return take

    def look(self, job: "Future[object]") -> None:
        """Take the error of a job; its result comes by the other way."""
        error = _error(job)
        if error is not None:
            self._set(None, error)

    def _set(self, value: list[Outcome] | None, error: BaseException | None) -> None:
        with self._lock:
            if self.future.done():
                return
            if error is not None:
                self.future.set_exception(error)
            elif value is not None:
                self.future.set_result(value)


def _nothing(_: object) -> None: ...


def _error(future: "Future[T]") -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error
