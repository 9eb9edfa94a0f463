"""Lines of a text file and how they are cut into cells; those that pyarrow cannot cut are rewritten so that it can."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, TextIO

from study.spec.data import WHITESPACE

MAXIMUM_LINE_BYTES = 1 << 23
UNIT = "\x1f"  # stands between the cells of a line that was rewritten


@dataclass(frozen=True)
class Form:
    r"""How a line is cut into cells.

    separator: one character, a few, or `\s+` for any run of spaces and tabs. quote: "" for none. escape: "" for none;
    with one, the cell \N is an empty one, as databases write it.
    """

    separator: str
    quote: str
    escape: str = ""

    @property
    def character(self) -> str:
        """What stands between the cells of a line after `rewrite`."""
        return self.separator if len(self.separator) == 1 else UNIT

    @property
    def is_rewritten(self) -> bool:
        """Whether `rewrite` changes lines at all."""
        return len(self.separator) > 1 or self.escape != ""

    def rewrite(self, line: str) -> str:
        """Return a line whose cells are parted by one character and in which an empty cell is empty."""
        if self.separator == WHITESPACE:
            line = UNIT.join(self._words.findall(line)) + "\n"
        elif len(self.separator) > 1:
            line = line.replace(self.separator, UNIT)
        return self._nulls.sub(r"\1", line) if self.escape else line

    def rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Return the cells of each row; a row may span lines."""
        rewritten = map(self.rewrite, lines) if self.is_rewritten else lines
        return csv.reader(
            rewritten,
            delimiter=self.character,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape or None,
        )

    @cached_property
    def _words(self) -> re.Pattern[str]:
        quote = re.escape(self.quote)
        return re.compile(rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}(?!\S)|\S+" if quote else r"\S+")

    @cached_property
    def _nulls(self) -> re.Pattern[str]:
        separator, null = re.escape(self.character), re.escape(self.escape) + "N"
        return re.compile(rf"(^|{separator}){null}(?={separator}|[\r\n]|$)")


class RewrittenFile(io.RawIOBase):
    """The lines of a text file from some line on, rewritten, as a file of UTF-8 bytes."""

    def __init__(self, path: Path, encoding: str, form: Form, skipped: int) -> None:
        super().__init__()
        self._file = path.open(encoding=encoding, newline="")
        self._form = form
        for _ in range(skipped):
            self._file.readline(MAXIMUM_LINE_BYTES)

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next whole lines, about as many bytes as asked for and no more; b"" at the end."""
        pieces: list[bytes] = [self._rest] if self._rest else []
        length = len(self._rest)
        while size < 0 or length < size:
            line = self._file.readline(MAXIMUM_LINE_BYTES)
            if not line:
                break
            pieces.append(self._form.rewrite(line).encode())
            length += len(pieces[-1])
        content = b"".join(pieces)
        if size < 0:
            size = len(content)
        self._rest = content[size:]
        return content[:size]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    _rest = b""


class CountedLines:
    """Lines, and how many of them were handed out."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.count = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += 1
        return line


def short_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file, those beyond MAXIMUM_LINE_BYTES in pieces."""
    while line := file.readline(MAXIMUM_LINE_BYTES):
        yield line
