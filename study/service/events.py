"""Server-sent events: the list of studies, then what has changed in it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from study.service.problems import Problem
from study.text.records import Json

MEDIA_TYPE = "text/event-stream"
EVERY = 0.5  # seconds between two looks
KEEP_ALIVE = 15.0  # seconds after which something is sent, so that proxies keep the line open
MOST = 100  # streams at a time

Lines = dict[str, dict[str, Json]]
"""Studies by name, as the list has them."""


class Events:
    """The streams that are open.

    Args:
        studies: returns the list as JSON.
    """

    def __init__(self, studies: Callable[[], Awaitable[bytes]]) -> None:
        self.studies = studies
        self.open, self.closing = 0, False
        self._read: tuple[bytes, Lines] = (b"", {})

    def close(self) -> None:
        """End all streams."""
        self.closing = True

    async def stream(self) -> AsyncIterator[bytes]:
        """Give events until the client leaves or the service stops: `studies`, which is the list, then `changes`."""
        self.open += 1
        try:
            before: Lines | None = None
            quiet = 0.0
            while not self.closing:
                try:
                    listed = await self.studies()
                except Problem:  # the database does not answer; the page says so, and comes again
                    return
                now = self._lines(listed)
                if before is None:
                    yield b"event: studies\ndata: " + listed + b"\n\n"
                elif now != before:
                    quiet = 0.0
                    yield b"event: changes\ndata: " + changes(before, now) + b"\n\n"
                elif quiet >= KEEP_ALIVE:
                    quiet = 0.0
                    yield b": still here\n\n"
                before = now
                await asyncio.sleep(EVERY)
                quiet += EVERY
        finally:
            self.open -= 1

    def _lines(self, listed: bytes) -> Lines:
        """Return the studies of a list, which all streams that send it share."""
        if listed != self._read[0]:
            self._read = (listed, {line["name"]: line for line in json.loads(listed)["studies"]})
        return self._read[1]


def changes(before: Lines, now: Lines) -> bytes:
    """Return as JSON the studies that are new or differ, and the names of those that are no more."""
    changed = [line for name, line in now.items() if before.get(name) != line]
    return json.dumps({"studies": changed, "gone": [name for name in before if name not in now]}).encode()
