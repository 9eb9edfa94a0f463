"""Standard output and error of a process, which may be closed, full, broken, or unable to show a letter.

None of that is a reason for what was asked to fail: what cannot be encoded is replaced, and after a write that fails
nothing more is shown. `main` of the command line says so in the end.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Shown(io.FileIO):
    """A stream that takes everything, and shows it as long as that can be done."""

    error: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write bytes; where that fails, remember why, and drop them."""
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


_shown: list[_Shown] = []


def make_lasting() -> None:
    """Make standard output and error streams that never raise; for the start of a process."""
    for descriptor, name, errors in ((1, "stdout", "replace"), (2, "stderr", "backslashreplace")):
        stream = getattr(sys, name)
        if stream is None:  # closed: its number must not become that of a file, which children would write into
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - until the end
            continue
        raw = _Shown(descriptor, "wb", closefd=False)
        _shown.append(raw)
        by_line = stream.line_buffering or name == "stderr"
        setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, errors, line_buffering=by_line))


def is_shown() -> bool:
    """Return whether standard output is still read by somebody."""
    return not any(raw.error for raw in _shown if raw.fileno() == 1)


def failure() -> str | None:
    """Return why standard output could not be written, None where it could or its reader has just left."""
    sys.stdout.flush()
    found = next((raw.error for raw in _shown if raw.fileno() == 1 and raw.error is not None), None)
    return None if found is None or found.errno == errno.EPIPE else f"standard output: {found.strerror}"
