"""An executor that runs tasks in this process, one after another, when `wait` is called."""

from collections.abc import Sequence

from engine.training_chunk import run_chunks
from study.execution.executor import FailureKind, TaskError, TaskOutcome, TrainingTask, raised


class InProcessExecutor:
    """Runs tasks in this process, without a limit on memory or time."""

    def __init__(self) -> None:
        self._waiting: set[TrainingTask] = set()

    def submit(self, task: TrainingTask) -> None:
        """Store a task until `wait` is called for it."""
        self._waiting.add(task)

    def wait(self, tasks: Sequence[TrainingTask]) -> list[TaskOutcome]:
        """Run tasks; return their outcomes in the given order."""
        return [self._do(task) for task in tasks]

    def ready(self, _task: TrainingTask) -> bool:
        """Return True, since there are no workers to wait for."""
        return True

    def _do(self, task: TrainingTask) -> TaskOutcome:
        if task not in self._waiting:
            return TaskOutcome(task, error=TaskError(FailureKind.CANCELED, "it was canceled"))
        self._waiting.remove(task)
        try:
            return TaskOutcome(task, tuple(run_chunks(task.chunks)))
        except Exception as error:  # noqa: BLE001 - an error of a task is a value
            return TaskOutcome(task, error=raised(error))

    def cancel(self) -> None:
        """Cancel all pending tasks."""
        self._waiting.clear()

    def close(self) -> None:
        """Cancel all pending tasks."""
        self.cancel()
