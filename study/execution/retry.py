"""Retries as a policy around an executor: a failing task is tried up to three times and does not affect other tasks."""

from collections.abc import Sequence

from engine.training_chunk import Chunk, Result
from study.execution.executor import Executor, FailureKind, TaskError, TaskOutcome, TrainingTask

ATTEMPTS = 3


class RetryingExecutor:
    """An executor whose tasks always have a result: the outcome of a chunk that fails three times states the reason.

    A task may fail because another task killed its worker. Its chunks are therefore retried one at a time, so that only
    the faulty one fails again.

    Args:
        executor: runs the tasks.
        attempts: number of attempts for a chunk, including the first.
    """

    def __init__(self, executor: Executor, attempts: int = ATTEMPTS) -> None:
        self.executor, self.attempts = executor, attempts

    def submit(self, task: TrainingTask) -> None:
        """Queue a task behind those that have already been submitted."""
        self.executor.submit(task)

    def wait(self, tasks: Sequence[TrainingTask]) -> list[TaskOutcome]:
        """Wait for tasks; return their outcomes in the given order, none with an error.

        Raises:
            OSError: the data could not be read, which is no fault of a trial.
            AdditionError: a worker could not load a registered extension.
            MachineError: the cluster was lost.
        """
        return [self._complete(outcome) for outcome in self.executor.wait(tasks)]

    def ready(self, task: TrainingTask) -> bool:
        """Return whether the executor has finished a task, which may then have to be retried."""
        return self.executor.ready(task)

    def _complete(self, outcome: TaskOutcome) -> TaskOutcome:
        error = outcome.error
        if error is None:
            return outcome
        return TaskOutcome(outcome.task, tuple(self._try_again(chunk, error) for chunk in outcome.task.chunks))

    def _try_again(self, chunk: Chunk[Result], error: TaskError) -> Result:
        for _ in range(1, self.attempts):
            task = TrainingTask((chunk,))
            self.executor.submit(task)
            (outcome,) = self.executor.wait([task])
            if outcome.error is None:
                result: Result = outcome.outcomes[0]
                return result
            error = outcome.error
        if error.kind in (FailureKind.UNREADABLE_DATA, FailureKind.MISSING_EXTENSION) and error.exception is not None:
            raise error.exception
        return chunk.failed(f"{error.message}, {self.attempts} times")

    def cancel(self) -> None:
        """Cancel all pending tasks."""
        self.executor.cancel()

    def close(self) -> None:
        """Cancel all pending tasks and end all worker processes."""
        self.executor.close()
