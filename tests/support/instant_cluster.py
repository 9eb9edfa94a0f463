"""A cluster that has done a task when it is handed out."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from engine.quantum import Outcome, Quantum, work_in_turn


class Instant:
    """Workers that take no time.

    Args:
        jobs: tasks that are done at once.
        do: a task; what it raises is how the task ends.
    """

    def __init__(self, jobs: int, do: Callable[[Sequence[Quantum]], list[Outcome]] = work_in_turn) -> None:
        self.jobs, self.do = jobs, do

    def submit(self, quanta: Sequence[Quantum]) -> "Future[list[Outcome]]":
        future: Future[list[Outcome]] = Future()
        try:
            future.set_result(self.do(quanta))
        except RuntimeError as error:
            future.set_exception(error)
        return future

    def check(self) -> None: ...

    def forget(self) -> None: ...

    def close(self) -> None: ...
