"""Uvicorn's HTTP protocol based on httptools, with size and time limits on what a client sends.

h11 has a size limit of 64 KB, but takes twice as long per response; httptools, which parses in C, has no limit.
"""

import asyncio
from http import HTTPStatus

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from study.service.connections import Connections

HEAD_BYTES = 64 << 10  # maximum size of headers, or of trailers
BODY_RATE = 1024  # bytes per second; a slower body is late


class BoundedHttp(HttpToolsProtocol):
    """Reject requests whose headers, body or trailers never end, by size and by time.

    Args:
        open_connections: open connections, including this one, and their time limits.
        config, server_state, app_state, _loop: arguments that uvicorn passes to a protocol.
    """

    def __init__(
        self,
        open_connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.open_connections, self.limits = open_connections, open_connections.limits
        self._admitted = False
        self._address = ""
        self._kept = 0  # bytes received since the last progress: end of the headers, piece of a body, end of a request
        self._got_on = False
        self._reads_body = False
        self._late_at = 0.0  # by the clock of the event loop
        self._late: asyncio.TimerHandle | None = None  # set while more of a request is expected
        self._unread: asyncio.TimerHandle | None = None  # set while the client does not read a response

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit a connection, or respond that there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type]  # the signature is uvicorn's
        self._admitted = self.open_connections.admit()
        if not self._admitted:
            self._close_with(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._address = self.client[0] if self.client else ""
        self.open_connections.idle(self._address, self)
        self._expect(self.limits.head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop_expecting()
        self._stop_unread()
        if self._admitted:
            self.open_connections.leave(self._address, self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received data."""
        if self.transport.is_closing():
            return
        if self._late is None and self._waits:
            self._expect(self.limits.head)
        self._got_on = False
        super().data_received(data)
        self._kept = 0 if self._got_on else self._kept + len(data)
        if self._kept > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request headers are too large.")

    def on_headers_complete(self) -> None:
        """Handle the end of the headers."""
        self._got_on = True
        super().on_headers_complete()
        self.open_connections.busy(self._address, self)
        self._reads_body = True
        self._expect(self.limits.body)

    def on_body(self, body: bytes) -> None:
        """Handle a piece of a body."""
        self._got_on = True
        self._late_at += len(body) / BODY_RATE
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of a request."""
        self._got_on = True
        self._reads_body = False
        self._stop_expecting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Handle the end of a response."""
        super().on_response_complete()
        if self._waits and not self.transport.is_closing():
            self.open_connections.idle(self._address, self)

    def pause_writing(self) -> None:
        """Start the time limit for the client to read what has been sent."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.answer, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the time limit, since the client has read what was sent."""
        super().resume_writing()
        self._stop_unread()

    def close_idle(self) -> None:
        """Close this connection to make room for another."""
        self.transport.abort()

    @property
    def _waits(self) -> bool:
        """Whether no request is being handled."""
        return self.cycle is None or self.cycle.response_complete

    def _expect(self, seconds: float) -> None:
        """Set the deadline of the client, in seconds from now."""
        self._stop_expecting()
        self._late_at = self.loop.time() + seconds
        self._late = self.loop.call_later(seconds, self._check_late)

    def _stop_expecting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _check_late(self) -> None:
        """Close the connection, unless received data extended the deadline or reading is paused."""
        if self.flow.read_paused:
            self._expect(self.limits.body)
        elif self._late_at > self.loop.time():
            self._late = self.loop.call_at(self._late_at, self._check_late)
        elif self._reads_body:
            self.transport.abort()  # the application sees a client that has disconnected
        else:
            self._close_with(HTTPStatus.REQUEST_TIMEOUT)

    def _close_with(self, status: HTTPStatus) -> None:
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", "content-length: 0", "connection: close", "", ""]
        self.transport.write("\r\n".join(lines).encode())
        self.transport.close()
