"""Limit the CPU time that requests may take while studies run, however many clients there are.

Lowering the priority would not suffice: if the kernel divides CPU time among sessions first, priority only counts
within a session.
"""

import asyncio
import math
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

SHARE = 0.06  # share of the CPU time of all cores that requests may take
BURST = 0.2  # seconds of CPU time that requests may take without waiting after a quiet period
LONGEST = 0.5  # maximum waiting time of a request in seconds


class RequestThrottle:
    """ASGI middleware that delays requests beyond their share of the CPU time while studies run.

    Delayed requests are handled together, since handling them one by one, waking up the process for each, takes
    three times as long.

    Args:
        app: application that handles the requests.
        processors: number of cores of the machine.
        busy: returns True while a study runs.
    """

    def __init__(self, app: ASGIApp, *, processors: int, busy: Callable[[], bool]) -> None:
        self.app, self.share, self.busy = app, SHARE * processors, busy
        self._credit, self._seen, self._used = 0.0, -math.inf, 0.0
        self._opens = -math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request after its delay."""
        if scope["type"] == "http" and self.busy():
            wait = self.wait(time.monotonic(), time.thread_time())
            if wait:
                await asyncio.sleep(wait)
        await self.app(scope, receive, send)

    def wait(self, now: float, used: float) -> float:
        """Return the delay of a request in seconds.

        Args:
            now: current time in seconds.
            used: CPU time that this thread has used, in seconds.
        """
        if now >= self._opens:
            earned = self._credit + self.share * (now - self._seen) - (used - self._used)
            self._credit = max(-self.share * LONGEST, min(BURST, earned))
            self._seen, self._used = now, used
            self._opens = now + max(0.0, -self._credit / self.share)
        return max(0.0, self._opens - now)
