"""Retries, as a policy around an executor: a failing task is tried three times and fails alone."""

from collections.abc import Sequence

from engine.training_chunk import Outcome, TrainingChunk
from study.execution.executor import Executor, FailureKind, TaskError, TaskOutcome, TrainingTask

ATTEMPTS = 3


class RetryingExecutor:
    """An executor whose tasks always have a result: a chunk that fails three times has an outcome that says why.

    A task that fails may have lost its worker to another's fault. So its chunks are tried again one by one: each then
    answers for itself.

    Args:
        executor: does the tasks.
        attempts: how often a chunk is tried, the first time included.
    """

    def __init__(self, executor: Executor, attempts: int = ATTEMPTS) -> None:
        self.executor, self.attempts = executor, attempts

    def submit(self, task: TrainingTask) -> None:
        """Begin a task, after those that are under way."""
        self.executor.submit(task)

    def wait(self, tasks: Sequence[TrainingTask]) -> list[TaskOutcome]:
        """Wait for tasks; return their outcomes in this order, none with an error.

        Raises:
            OSError: the data cannot be read, which no trial is to blame for.
            MachineError: the cluster is lost.
        """
        return [self._complete(outcome) for outcome in self.executor.wait(tasks)]

    def _complete(self, outcome: TaskOutcome) -> TaskOutcome:
        error = outcome.error
        if error is None:
            return outcome
        return TaskOutcome(outcome.task, tuple(self._try_again(chunk, error) for chunk in outcome.task.chunks))

    def _try_again(self, chunk: TrainingChunk, error: TaskError) -> Outcome:
        for _ in range(1, self.attempts):
            task = TrainingTask((chunk,))
            self.executor.submit(task)
            (outcome,) = self.executor.wait([task])
            if outcome.error is None:
                return outcome.outcomes[0]
            error = outcome.error
        if error.kind is FailureKind.UNREADABLE_DATA and error.exception is not None:
            raise error.exception
        return Outcome(chunk.trial, chunk.state, error=f"{error.message}, {self.attempts} times")

    def cancel(self) -> None:
        """Give up all tasks that are under way."""
        self.executor.cancel()

    def close(self) -> None:
        """Give up what is under way, and leave no process."""
        self.executor.close()
