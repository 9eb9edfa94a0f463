"""A cluster that has done a task when it is handed out."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from engine.training_chunk import Outcome, TrainingChunk, run_chunks


class Instant:
    """Workers that take no time.

    Args:
        jobs: tasks that are done at once.
        do: a task; what it raises is how the task ends.
    """

    def __init__(self, jobs: int, do: Callable[[Sequence[TrainingChunk]], list[Outcome]] = run_chunks) -> None:
        self.jobs, self.do = jobs, do

    def submit(self, chunks: Sequence[TrainingChunk]) -> "Future[list[Outcome]]":
        future: Future[list[Outcome]] = Future()
        try:
            future.set_result(self.do(chunks))
        except RuntimeError as error:
            future.set_exception(error)
        return future

    def check(self) -> None: ...

    def forget(self) -> None: ...

    def close(self) -> None: ...
