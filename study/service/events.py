"""Server-sent events: the list of studies, then its changes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from study.service.problems import Problem
from study.text.records import Json

MEDIA_TYPE = "text/event-stream"
EVERY = 0.5  # seconds between two checks for changes
KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent, so that proxies keep the connection open
MOST = 100  # concurrent streams

Lines = dict[str, dict[str, Json]]
"""The lines of the list of studies, by name."""


class Events:
    """The open streams of events.

    Args:
        studies: returns the list of studies as JSON.
    """

    def __init__(self, studies: Callable[[], Awaitable[bytes]]) -> None:
        self.studies = studies
        self.open, self.closing = 0, False
        self._read: tuple[bytes, Lines] = (b"", {})

    def close(self) -> None:
        """End all streams."""
        self.closing = True

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield a `studies` event with the list, then `changes` events, until the client or the service stops."""
        self.open += 1
        try:
            before: Lines | None = None
            quiet = 0.0
            while not self.closing:
                try:
                    listed = await self.studies()
                except Problem:  # the database does not respond; the page reports this and reconnects
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
        """Parse the list of studies, once for all streams that send the same list."""
        if listed != self._read[0]:
            self._read = (listed, {line["name"]: line for line in json.loads(listed)["studies"]})
        return self._read[1]


def changes(before: Lines, now: Lines) -> bytes:
    """Return the new and changed studies and the names of removed ones, as JSON."""
    changed = [line for name, line in now.items() if before.get(name) != line]
    return json.dumps({"studies": changed, "gone": [name for name in before if name not in now]}).encode()
