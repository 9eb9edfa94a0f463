"""The one way in which a test waits: for a condition, looked at again and again, with a limit that names it."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT = 120.0  # seconds; far more than anything takes on a busy machine


def wait_for(condition: Callable[[], T], what: str, limit: float = LIMIT, every: float = 0.02) -> T:
    """Return what a condition returns once it is true.

    Args:
        condition: looked at again and again.
        what: is waited for, for the message.
        limit: seconds.
        every: seconds between two looks.

    Raises:
        AssertionError: it was not true within the limit.
    """
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {limit:g} s in vain: {what}"
        time.sleep(every)
    return found
