"""The only way in which tests wait: for a condition that is polled up to a time limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT = 120.0  # seconds; far more than anything takes on a busy machine


def wait_for(condition: Callable[[], T], what: str, limit: float = LIMIT, every: float = 0.02) -> T:
    """Wait until a condition is true, and return its value.

    Args:
        condition: function to poll.
        what: description of the condition in the message.
        limit: maximum seconds to wait.
        every: seconds between two polls.

    Raises:
        AssertionError: the condition was not true within the limit.
    """
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {limit:g} s in vain: {what}"
        time.sleep(every)
    return found
