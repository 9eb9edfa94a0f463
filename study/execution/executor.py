"""The executor protocol: training tasks go in, an outcome of each comes back, and errors are values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from signal import Signals
from typing import Protocol

from engine.training_chunk import Outcome, TrainingChunk


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """Training chunks on the same data, which one worker does one after another."""

    chunks: tuple[TrainingChunk, ...]

    @property
    def work(self) -> float:
        """The work of all chunks, which is about seconds."""
        return sum(chunk.units for chunk in self.chunks)


class FailureKind(Enum):
    """Why a task has no result."""

    LOST = "its worker was lost"
    STUCK = "its worker was stuck"
    OUT_OF_MEMORY = "its worker ran out of memory"
    UNREADABLE_DATA = "its worker could not read the data"
    RAISED = "it raised an exception"
    CANCELED = "it was canceled"


@dataclass(frozen=True, eq=False)
class TaskError:
    """Why a task has no result.

    Attributes:
        kind: what happened.
        message: the same for a reader, in a line.
        exception: what was raised, where something was.
    """

    kind: FailureKind
    message: str
    exception: BaseException | None = None


@dataclass(frozen=True, eq=False)
class TaskOutcome:
    """What became of a task: an outcome of each chunk, in their order, or else an error."""

    task: TrainingTask
    outcomes: tuple[Outcome, ...] = ()
    error: TaskError | None = None


class Executor(Protocol):
    """Does training tasks, here or elsewhere."""

    def submit(self, task: TrainingTask) -> None:
        """Begin a task, after those that are under way.

        Raises:
            MachineError: no worker can be begun, or the cluster is lost.
        """

    def wait(self, tasks: Sequence[TrainingTask]) -> list[TaskOutcome]:
        """Wait for tasks that were submitted; return their outcomes in this order, each only once.

        Raises:
            MachineError: the cluster is lost.
        """

    def cancel(self) -> None:
        """Give up all tasks that are under way: their outcome is an error. The next task finds new workers."""

    def close(self) -> None:
        """Give up what is under way, and leave no process."""


class WorkerLostError(Exception):
    """The workers of a cluster were lost before they were given a task."""


def lost(exitcode: int | None = None) -> TaskError:
    """Return the error of a task whose worker has ended.

    Args:
        exitcode: of the worker's process, as `multiprocessing` has it; None where nobody knows.
    """
    name = {number.value: number.name for number in Signals}.get(-(exitcode or 0))
    how = "was lost" if name is None else f"was killed by {name}"
    return TaskError(FailureKind.LOST, f"its worker {how}, possibly for lack of memory")


def raised(error: BaseException) -> TaskError:
    """Return the error of a task that raised something."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, MemoryError):
        return TaskError(FailureKind.OUT_OF_MEMORY, f"out of memory: {line}" if line else "out of memory", error)
    kind = FailureKind.UNREADABLE_DATA if isinstance(error, OSError) else FailureKind.RAISED
    return TaskError(kind, f"{type(error).__name__}: {line}" if line else type(error).__name__, error)
