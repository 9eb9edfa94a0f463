"""Standard output and error streams that never raise, even if they are closed, full, or have a limited encoding.

A command must not fail because of its output. Characters that cannot be encoded are replaced, and after a failed write
further output is dropped; `failure` returns the reason.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Shown(io.FileIO):
    """A stream that drops all output after a failed write."""

    error: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write bytes; if that fails, keep the error and drop them."""
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


_shown: list[_Shown] = []


def make_lasting() -> None:
    """Replace standard output and error by streams that never raise. Call this at the start of a process."""
    for descriptor, name, errors in ((1, "stdout", "replace"), (2, "stderr", "backslashreplace")):
        stream = getattr(sys, name)
        if stream is None:  # closed; otherwise a file could get its descriptor, and children would write to it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until exit
            continue
        raw = _Shown(descriptor, "wb", closefd=False)
        _shown.append(raw)
        by_line = stream.line_buffering or name == "stderr"
        setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, errors, line_buffering=by_line))


def is_shown() -> bool:
    """Return True while standard output can be written."""
    return not any(raw.error for raw in _shown if raw.fileno() == 1)


def failure() -> str | None:
    """Return why writing to standard output failed; None if it did not fail, or its reader closed the pipe."""
    sys.stdout.flush()
    found = next((raw.error for raw in _shown if raw.fileno() == 1 and raw.error is not None), None)
    return None if found is None or found.errno == errno.EPIPE else f"standard output: {found.strerror}"
