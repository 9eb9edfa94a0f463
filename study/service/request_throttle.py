"""How much of the machine answers may take while studies run, however many ask at once.

A lower priority would not do: where the kernel shares processors among sessions first, it counts inside one alone.
"""

import asyncio
import math
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

SHARE = 0.06  # of all processors
BURST = 0.2  # seconds of a processor that answers may take at once after a quiet time
LONGEST = 0.5  # seconds that a request waits at most


class RequestThrottle:
    """ASGI middleware: while studies run, requests beyond the share of answers wait, and then all go on together.

    Together, since an answer alone costs three times as much: each wakes the process up.

    Args:
        app: what answers.
        processors: of the machine.
        busy: whether a study runs.
    """

    def __init__(self, app: ASGIApp, *, processors: int, busy: Callable[[], bool]) -> None:
        self.app, self.share, self.busy = app, SHARE * processors, busy
        self._credit, self._seen, self._used = 0.0, -math.inf, 0.0
        self._opens = -math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as soon as it may be."""
        if scope["type"] == "http" and self.busy():
            wait = self.wait(time.monotonic(), time.thread_time())
            if wait:
                await asyncio.sleep(wait)
        await self.app(scope, receive, send)

    def wait(self, now: float, used: float) -> float:
        """Return how many seconds a request waits, by the clock and by what this thread has used, in seconds."""
        if now >= self._opens:
            earned = self._credit + self.share * (now - self._seen) - (used - self._used)
            self._credit = max(-self.share * LONGEST, min(BURST, earned))
            self._seen, self._used = now, used
            self._opens = now + max(0.0, -self._credit / self.share)
        return max(0.0, self._opens - now)
