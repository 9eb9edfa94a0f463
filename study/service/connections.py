"""How many connections the service keeps open, and which it closes to make room for a new one.

A connection is open long before its request shows a token, so nobody may hold places that others need: those that wait
for a request are closed first, the oldest of the address that has most of them.
"""

import resource
from dataclasses import dataclass, field
from typing import Protocol

MOST = 512
ACCEPTED_AT_ONCE = 8  # connections that asyncio accepts in a turn of its loop; those to be closed stay some turns
BACKLOG = 1024  # connections that wait in the kernel until they are accepted


class Connection(Protocol):
    """One that can be closed to make room."""

    def close_idle(self) -> None:
        """Close it; nothing is being answered on it."""


@dataclass(frozen=True)
class TimeLimits:
    """Seconds that a client may take.

    Attributes:
        head: from the first byte of a request (or the connection's begin) to the end of its head.
        body: on top of a second for each kilobyte of a body.
        answer: without taking anything of an answer that is being sent.
        keep_alive: between an answer and the next request.
    """

    head: float = 10.0
    body: float = 30.0
    answer: float = 60.0
    keep_alive: int = 5


def most_connections() -> int:
    """Return how many connections to keep: half of the files that this process may open, as far as it needs so many."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if allowed == resource.RLIM_INFINITY else max(1, min(MOST, allowed // 2))


@dataclass
class Connections:
    """The connections that are open.

    Attributes:
        most: that may be open.
        limits: of time.
        open: how many are.
    """

    most: int = field(default_factory=most_connections)
    limits: TimeLimits = field(default_factory=TimeLimits)
    open: int = field(default=0, init=False)
    _idle: dict[str, dict[Connection, None]] = field(default_factory=dict, init=False)  # of each address, oldest first

    def admit(self) -> bool:
        """Count a new connection in, and close an idle one for it where there is none to spare; False: none is idle."""
        if self.open >= self.most and not self._close_one():
            return False
        self.open += 1
        return True

    def leave(self, address: str, connection: Connection) -> None:
        """Count a connection out that was admitted."""
        self.open -= 1
        self.busy(address, connection)

    def idle(self, address: str, connection: Connection) -> None:
        """Note that a connection waits for a request."""
        self._idle.setdefault(address, {})[connection] = None

    def busy(self, address: str, connection: Connection) -> None:
        """Note that a request is being answered on a connection."""
        of_address = self._idle.get(address, {})
        of_address.pop(connection, None)
        if not of_address:
            self._idle.pop(address, None)

    def _close_one(self) -> bool:
        if not self._idle:
            return False
        address = max(self._idle, key=lambda each: len(self._idle[each]))
        oldest = next(iter(self._idle[address]))
        self.busy(address, oldest)
        oldest.close_idle()
        return True
