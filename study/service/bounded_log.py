"""A log that nobody can fill: of each kind of line so many a minute are written, and the others are counted."""

import logging
import time
from dataclasses import dataclass
from typing import TextIO

from study.text.formatting import agree, counted

MOST = 60  # lines of a kind in PERIOD
PERIOD = 60.0  # seconds


@dataclass
class _Kind:
    begun: float
    lines: int = 0


class BoundedHandler(logging.StreamHandler):  # type: ignore[type-arg]  # of text
    """Writes at most MOST lines of a kind in PERIOD; a kind is what one statement logs, whatever its values."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it."""
        now = time.monotonic()
        kind = self._kinds.setdefault((record.pathname, str(record.lineno)), _Kind(now))
        if now - kind.begun >= PERIOD:
            if kind.lines > MOST:
                more = kind.lines - MOST
                self._tell(record, f"{counted(more, 'such line')} {agree(more, 'was', 'were')} left out")
            kind.begun, kind.lines = now, 0
        kind.lines += 1
        if kind.lines <= MOST:
            super().emit(record)
        elif kind.lines == MOST + 1:
            self._tell(record, f"more than {MOST} lines like the last within {PERIOD:.0f} s; further ones are counted")

    def _tell(self, record: logging.LogRecord, message: str) -> None:
        super().emit(logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, message, (), None))
