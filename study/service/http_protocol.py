"""HTTP as uvicorn speaks it with httptools, which parses in C, but for requests whose head never ends.

h11, in Python, stops at 64 KB and takes twice the time for an answer; httptools keeps whatever comes.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 << 10  # of a head, or of trailers


class BoundedHttp(HttpToolsProtocol):
    """Refuses what goes on and on without an end of the head, a body, or an end of the request."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._kept = 0  # bytes that brought none of these
        self._got_on = False

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._got_on = False
        super().data_received(data)
        self._kept = 0 if self._got_on else self._kept + len(data)
        if self._kept > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        """Take note of a head that has ended."""
        self._got_on = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take note of a piece of a body."""
        self._got_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take note of a request that has ended."""
        self._got_on = True
        super().on_message_complete()
