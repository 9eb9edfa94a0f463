"""An executor on joblib's parallel backends: loky, Dask, Ray, or any other that is registered with joblib.

It calls the backend's own `submit`, which joblib documents for authors of backends. `joblib.Parallel` configures and
terminates the backend, but is not called: a call polls for results every 10 ms, loses all of them if one worker is
lost, waits forever for a task that Dask gave up, and cannot yield the results of Ray one by one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import AbstractContextManager, ExitStack
from multiprocessing import resource_tracker
from threading import Lock, Thread
from typing import Any, Protocol, TypeVar

import joblib
from joblib.parallel import BatchedCalls, LokyBackend, ParallelBackendBase

from engine.remote import run_chunks_remotely
from engine.training_chunk import run_chunks
from study.execution._loky import is_unreadable, release_reader
from study.execution.executor import FailureKind, TaskError, TaskOutcome, TrainingTask, WorkerLostError, lost, raised
from study.execution.local_processes import LocalProcesses
from study.signals import block_sigint

PATIENCE = 60.0  # seconds without a result, on top of SLOWER times the expected time, until workers count as stuck
SLOWER = 100
TICK = 1.0  # seconds
UNSEEN = 2 * TICK  # seconds without a result until worker processes are checked

_UNREADABLE = TaskError(
    FailureKind.OUT_OF_MEMORY, "out of memory while a task or its result was passed to or from the worker"
)
_CANCELED = TaskError(FailureKind.CANCELED, "it was canceled")


T = TypeVar("T")


class Backend(Protocol):
    """Access to a joblib backend."""

    @property
    def at_once(self) -> int | None:
        """Maximum number of tasks to submit at the same time; None if the backend limits them itself."""

    @property
    def lost_errors(self) -> tuple[type[BaseException], ...]:
        """Exceptions that the backend raises if a worker is lost, besides `BrokenExecutor` and `CancelledError`."""

    def configure(self) -> tuple[AbstractContextManager[object], ParallelBackendBase]:
        """Return a context manager that starts and terminates the backend, and the backend.

        Raises:
            MachineError: the backend does not work on this machine, or the cluster was lost.
        """

    def data(self, folder: str) -> object | None:
        """Return the object that workers receive instead of a data folder; None if workers read the folder.

        Raises:
            WorkerLostError: no worker could receive it.
        """

    def check(self) -> None:
        """Check that the workers can be reached.

        Raises:
            MachineError: the workers were lost.
        """


class JoblibExecutor:
    """Runs tasks on a joblib backend.

    A lost or stuck worker also ends the other running tasks: their outcome is an error, and the next task gets new
    workers.

    Args:
        backend: gives access to the workers.
        patience: seconds without a result, beyond the expected time of the tasks, until workers on this machine count
            as stuck. Workers of a cluster never do, since tasks of other users may come first.
    """

    def __init__(self, backend: Backend, patience: float = PATIENCE) -> None:
        self.backend, self.patience = backend, patience
        self._session: _Session | None = None
        self._waiting: list[TrainingTask] = []
        self._under_way: dict[TrainingTask, Future[list[Any]]] = {}
        self._ended: dict[TrainingTask, TaskOutcome] = {}

    def submit(self, task: TrainingTask) -> None:
        """Queue a task behind those that have already been submitted."""
        self.backend.check()
        self._waiting.append(task)
        self._fill()

    def wait(self, tasks: Sequence[TrainingTask]) -> list[TaskOutcome]:
        """Wait for tasks; return their outcomes in the given order."""
        quiet = 0.0
        self._take_results()
        known = {*self._ended, *self._under_way, *self._waiting}
        self._ended |= {task: TaskOutcome(task, error=_CANCELED) for task in tasks if task not in known}
        while not all(task in self._ended for task in tasks):
            done, _ = wait(self._under_way.values(), TICK, FIRST_COMPLETED)
            # Count ticks instead of reading the clock: while this process is suspended, its workers get no tasks.
            quiet = 0.0 if done else quiet + TICK
            self.backend.check()
            self._take_results()
            if quiet >= UNSEEN:
                busy = max((task.work for task in self._under_way), default=0.0)  # also with tasks of other callers
                self._check_quiet_workers(quiet, self.patience + SLOWER * busy)
            self._fill()
        return [self._ended.pop(task) for task in tasks]

    def ready(self, task: TrainingTask) -> bool:
        """Return whether a task has ended, without waiting."""
        self.backend.check()
        self._take_results()
        self._fill()
        return task in self._ended

    def _check_quiet_workers(self, quiet: float, limit: float) -> None:
        """End the session if one of its workers has died while sending a result, or all of them are stuck."""
        processes = self._session.processes if self._session is not None else None
        if processes is None or not processes.find():
            return
        exit_code = processes.exit_code()
        if exit_code is not None:  # the backend still waits for the rest of a result
            self._end_session(lost(exit_code))
        elif quiet >= limit:
            message = f"the worker was stuck, with no result for {limit:.0f} s"
            self._end_session(TaskError(FailureKind.STUCK, message))

    def _fill(self) -> None:
        """Submit waiting tasks to the backend, up to its limit."""
        while self._waiting and (self.backend.at_once is None or len(self._under_way) < self.backend.at_once):
            task = self._waiting.pop(0)
            try:
                self._under_way[task] = self._begin(task)
            except WorkerLostError:
                self._ended[task] = TaskOutcome(task, error=lost())

    def _begin(self, task: TrainingTask) -> "Future[list[Any]]":
        try:
            return self._start_session().submit(*self._call(task))
        except BrokenExecutor:  # a worker was lost while it was idle
            self._end_session(None)
            return self._start_session().submit(*self._call(task))
        except self.backend.lost_errors as error:  # a cluster lost its workers
            self._end_session(None)
            raise WorkerLostError from error

    def _start_session(self) -> "_Session":
        if self._session is None:
            self._session = _Session(self.backend.configure)
        return self._session

    def _call(self, task: TrainingTask) -> tuple[Callable[..., list[Any]], tuple[object, ...]]:
        data = self.backend.data(task.chunks[0].data)
        return (run_chunks, (task.chunks,)) if data is None else (run_chunks_remotely, (task.chunks, data))

    def _take_results(self) -> None:
        """Store the outcomes of finished tasks; end all workers if one has died or run out of memory."""
        fatal: list[BaseException] = []
        for task, future in list(self._under_way.items()):
            error = _error(future) if future.done() else None
            if error is not None and (self._is_lost(error) or isinstance(error, MemoryError)):
                fatal.append(error)
            if future.done() and not self._is_lost(error):
                self._end(task, future)
        if fatal:
            self._end_session(_UNREADABLE if any(map(is_unreadable, fatal)) else None)

    def _end(self, task: TrainingTask, future: "Future[list[Any]]") -> None:
        del self._under_way[task]
        error = _error(future)
        self._ended[task] = (
            TaskOutcome(task, tuple(future.result())) if error is None else TaskOutcome(task, error=raised(error))
        )

    def _is_lost(self, error: BaseException | None) -> bool:
        """Return whether an error means that the worker died."""
        return isinstance(error, (BrokenExecutor, CancelledError, *self.backend.lost_errors))

    def _end_session(self, error: TaskError | None) -> None:
        """End the workers. Unfinished tasks get this error, or one that names how a process ended."""
        session, self._session = self._session, None
        exit_code = session.end() if session is not None else None
        for task, future in list(self._under_way.items()):
            if future.done() and not self._is_lost(_error(future)):
                self._end(task, future)
            else:
                del self._under_way[task]
                self._ended[task] = TaskOutcome(task, error=error or lost(exit_code))

    def cancel(self) -> None:
        """Cancel all pending tasks."""
        self._end_session(_CANCELED)
        self._ended |= {task: TaskOutcome(task, error=_CANCELED) for task in self._waiting}
        self._waiting.clear()

    def close(self) -> None:
        """Cancel all pending tasks and end all worker processes."""
        self.cancel()


class _Session:
    """A configured backend, whose workers accept calls until it ends.

    Attributes:
        processes: the worker processes on this machine.
    """

    def __init__(self, configure: Callable[[], tuple[AbstractContextManager[object], ParallelBackendBase]]) -> None:
        self.processes = LocalProcesses()
        self._configured = ExitStack()
        with block_sigint():  # this starts a helper process of loky, and the workers of some backends
            session, self._backend = configure()
            self._configured.enter_context(session)
            if isinstance(self._backend, LokyBackend):
                # Loky's first worker would start it otherwise, and starting it unblocks SIGINT.
                resource_tracker.ensure_running()
        self._backend.start_call()

    def submit(self, function: Callable[..., list[Any]], arguments: tuple[object, ...]) -> "Future[list[Any]]":
        """Submit a function call to a worker."""
        backend, result = self._backend, _Result()
        calls = BatchedCalls([joblib.delayed(function)(*arguments)], backend.get_nested_backend())
        in_callback = backend.supports_retrieve_callback
        with block_sigint():  # this starts worker processes
            job = backend.submit(calls, result.taking(backend.retrieve_result_callback) if in_callback else _nothing)
        if not in_callback:
            Thread(target=result.taking(backend.retrieve_result), args=(job,), daemon=True).start()
        elif isinstance(job, Future):
            job.add_done_callback(result.take_error)  # joblib's Dask backend skips the callback of a failed task
        self.processes.find()
        return result.future

    def end(self) -> int | None:
        """End the workers, busy or idle; return the exit code of one that had ended before, if any."""
        exit_code = self.processes.exit_code()
        if isinstance(self._backend, LokyBackend):
            # `abort_everything` fails on tasks that no worker has received yet.
            self.processes.kill()
            release_reader(self._backend)
        self._backend.abort_everything(ensure_ready=False)
        self._backend.stop_call()
        self._configured.close()
        self.processes.kill()
        return exit_code


class _Result:
    """A future that is set once, by the first thread to do so."""

    def __init__(self) -> None:
        self.future: Future[list[Any]] = Future()
        self._lock = Lock()

    def taking(self, retrieve: Callable[[object], list[list[Any]] | BaseException]) -> Callable[[object], None]:
        """Return a callback that retrieves the result and sets the future."""

        def take(out: object) -> None:
            try:
                value = retrieve(out)
            except Exception as error:  # noqa: BLE001 - an error of a task is a value
                self._set(None, error)
            else:
                # Errors of Dask or Ray themselves are returned, not raised.
                self._set(*((None, value) if isinstance(value, BaseException) else (value[0], None)))

        return take

    def take_error(self, job: "Future[object]") -> None:
        """Set the error of a job; its result is set by the callback."""
        error = _error(job)
        if error is not None:
            self._set(None, error)

    def _set(self, value: list[Any] | None, error: BaseException | None) -> None:
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
