"""A joblib backend that runs a call when it is submitted, as a user might register it."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib import ParallelBackendBase


class Instant(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Workers that take no time.

    Args:
        jobs: number of tasks at a time.
        call: runs a call that joblib has packed; its exception is the outcome of the task.
    """

    supports_retrieve_callback = True

    def __init__(self, jobs: int = 2, call: Callable[[Any], Any] = lambda calls: calls(), **options: Any) -> None:
        super().__init__(nesting_level=0, **options)
        self.jobs, self.call = jobs, call

    def effective_n_jobs(self, n_jobs: int) -> int:  # noqa: ARG002
        return self.jobs

    def submit(self, func: Any, callback: Any = None) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(self.call(func))
        except Exception as error:  # noqa: BLE001 - the outcome of the task
            future.set_exception(error)
        callback(future)
        return future

    def retrieve_result_callback(self, out: "Future[Any]") -> Any:
        return out.result()
