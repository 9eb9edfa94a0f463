"""A rate-limited log: at most `MOST` lines of each kind are written per minute; further lines are only counted."""

import logging
import time
from dataclasses import dataclass
from typing import TextIO

from study.text.formatting import agree, counted

MOST = 60  # lines of one kind per PERIOD
PERIOD = 60.0  # seconds


@dataclass
class _Kind:
    begun: float
    lines: int = 0


class BoundedHandler(logging.StreamHandler):  # type: ignore[type-arg]  # of text
    """Write at most MOST lines of a kind per PERIOD. All lines of one logging statement are of the same kind."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or only count it."""
        now = time.monotonic()
        kind = self._kinds.setdefault((record.pathname, str(record.lineno)), _Kind(now))
        if now - kind.begun >= PERIOD:
            if kind.lines > MOST:
                more = kind.lines - MOST
                self._tell(record, f"{counted(more, 'similar line')} {agree(more, 'was', 'were')} suppressed")
            kind.begun, kind.lines = now, 0
        kind.lines += 1
        if kind.lines <= MOST:
            super().emit(record)
        elif kind.lines == MOST + 1:
            self._tell(record, f"more than {MOST} similar lines in {PERIOD:.0f} s; suppressing further ones")

    def _tell(self, record: logging.LogRecord, message: str) -> None:
        super().emit(logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, message, (), None))
