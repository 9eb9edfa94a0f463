"""The executor protocol: an executor takes tasks and returns an outcome for each, with errors as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from signal import Signals
from typing import Any, Protocol

from engine.errors import AdditionError
from engine.training_chunk import Chunk


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """Chunks on the same data, which one worker runs one after another."""

    chunks: tuple[Chunk[Any], ...]

    @property
    def work(self) -> float:
        """The work of all chunks, in units of about a second."""
        return sum(chunk.units for chunk in self.chunks)


class FailureKind(Enum):
    """The reason why a task has no result."""

    LOST = "the worker was lost"
    STUCK = "the worker was stuck"
    OUT_OF_MEMORY = "the worker ran out of memory"
    UNREADABLE_DATA = "the worker could not read the data"
    MISSING_EXTENSION = "the worker could not load a registered extension"
    RAISED = "it raised an exception"
    CANCELED = "it was canceled"


@dataclass(frozen=True, eq=False)
class TaskError:
    """The reason why a task has no result.

    Attributes:
        kind: the category of the failure.
        message: one line for the user.
        exception: the exception that was raised, if any.
    """

    kind: FailureKind
    message: str
    exception: BaseException | None = None


@dataclass(frozen=True, eq=False)
class TaskOutcome:
    """The outcome of a task: the result of each chunk, in order, or an error."""

    task: TrainingTask
    outcomes: tuple[Any, ...] = ()
    error: TaskError | None = None


class Executor(Protocol):
    """Runs training tasks, on this machine or elsewhere."""

    def submit(self, task: TrainingTask) -> None:
        """Queue a task behind those that have already been submitted.

        Raises:
            MachineError: no worker could be started, or the cluster was lost.
        """

    def wait(self, tasks: Sequence[TrainingTask]) -> list[TaskOutcome]:
        """Wait for submitted tasks; return their outcomes in the given order, each only once.

        Raises:
            MachineError: the cluster was lost.
        """

    def ready(self, task: TrainingTask) -> bool:
        """Return whether `wait` would not have to wait for a worker to finish this task.

        Raises:
            MachineError: the cluster was lost.
        """

    def cancel(self) -> None:
        """Cancel all pending tasks: their outcome is an error. The next task gets new workers."""

    def close(self) -> None:
        """Cancel all pending tasks and end all worker processes."""


class WorkerLostError(Exception):
    """Raised if the workers of a cluster were lost before they received a task."""


def lost(exitcode: int | None = None) -> TaskError:
    """Return the error for a task whose worker has ended.

    Args:
        exitcode: exit code of the worker process, as in `multiprocessing`; None if it is unknown.
    """
    name = {number.value: number.name for number in Signals}.get(-(exitcode or 0))
    how = "was lost" if name is None else f"was killed by {name}"
    return TaskError(FailureKind.LOST, f"the worker {how}, possibly for lack of memory")


def raised(error: BaseException) -> TaskError:
    """Return the error for a task that raised an exception."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, MemoryError):
        return TaskError(FailureKind.OUT_OF_MEMORY, f"out of memory: {line}" if line else "out of memory", error)
    if isinstance(error, AdditionError):
        return TaskError(FailureKind.MISSING_EXTENSION, line, error)
    kind = FailureKind.UNREADABLE_DATA if isinstance(error, OSError) else FailureKind.RAISED
    return TaskError(kind, f"{type(error).__name__}: {line}" if line else type(error).__name__, error)
