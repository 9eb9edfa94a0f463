"""Limit the number of open connections, and choose which one to close to make room for a new one.

A connection is open long before its request presents a token, so one client must not be able to block the others. The
connection to close is the oldest idle one of the address that has the most idle connections.
"""

import resource
from dataclasses import dataclass, field
from typing import Protocol

MOST = 512
ACCEPTED_AT_ONCE = 8  # connections accepted per iteration of the event loop; closing one takes a few iterations
BACKLOG = 1024  # connections that may wait in the kernel to be accepted


class Connection(Protocol):
    """A connection that can be closed to make room."""

    def close_idle(self) -> None:
        """Close the connection, which must be idle."""


@dataclass(frozen=True)
class TimeLimits:
    """Time limits for a client, in seconds.

    Attributes:
        head: limit from the first byte of a request (or the start of the connection) to the end of its headers.
        body: limit for sending a body, in addition to one second per kilobyte.
        answer: limit for a pause in reading the response.
        keep_alive: limit between a response and the next request.
    """

    head: float = 10.0
    body: float = 30.0
    answer: float = 60.0
    keep_alive: int = 5


def most_connections() -> int:
    """Return the maximum number of connections: half of the files that this process may open, but at most MOST."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if allowed == resource.RLIM_INFINITY else max(1, min(MOST, allowed // 2))


@dataclass
class Connections:
    """The open connections.

    Attributes:
        most: maximum number of open connections.
        limits: time limits of each connection.
        open: number of open connections.
    """

    most: int = field(default_factory=most_connections)
    limits: TimeLimits = field(default_factory=TimeLimits)
    open: int = field(default=0, init=False)
    _idle: dict[str, dict[Connection, None]] = field(default_factory=dict, init=False)  # by address, oldest first

    def admit(self) -> bool:
        """Count a new connection and close an idle one if there are too many; return False if none is idle."""
        if self.open >= self.most and not self._close_one():
            return False
        self.open += 1
        return True

    def leave(self, address: str, connection: Connection) -> None:
        """Stop counting an admitted connection."""
        self.open -= 1
        self.busy(address, connection)

    def idle(self, address: str, connection: Connection) -> None:
        """Record that a connection is waiting for a request."""
        self._idle.setdefault(address, {})[connection] = None

    def busy(self, address: str, connection: Connection) -> None:
        """Record that a request is being handled on a connection."""
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
