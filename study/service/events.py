"""Server-sent events: the list of studies, again whenever it has changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from study.service.problems import Problem

MEDIA_TYPE = "text/event-stream"
EVERY = 0.5  # seconds between two looks
KEEP_ALIVE = 15.0  # seconds after which something is sent, so that proxies keep the line open
MOST = 100  # streams at a time


class Events:
    """The streams that are open.

    Args:
        studies: returns the list as JSON.
    """

    def __init__(self, studies: Callable[[], Awaitable[bytes]]) -> None:
        self.studies = studies
        self.open, self.closing = 0, False

    def close(self) -> None:
        """End all streams."""
        self.closing = True

    async def stream(self) -> AsyncIterator[bytes]:
        """Give events until the client leaves or the service stops."""
        self.open += 1
        try:
            sent, quiet = b"", 0.0
            while not self.closing:
                try:
                    now = await self.studies()
                except Problem:  # the database does not answer; the page says so, and comes again
                    return
                if now != sent:
                    sent, quiet = now, 0.0
                    yield b"event: studies\ndata: " + now + b"\n\n"
                elif quiet >= KEEP_ALIVE:
                    quiet = 0.0
                    yield b": still here\n\n"
                await asyncio.sleep(EVERY)
                quiet += EVERY
        finally:
            self.open -= 1
