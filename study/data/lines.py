"""Split the lines of a text file into cells, after rewriting those that pyarrow could not split."""

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
UNIT = "\x1f"  # the separator in rewritten lines


@dataclass(frozen=True)
class Form:
    r"""How a line is split into cells.

    Attributes:
        separator: One or more characters, or `\s+` for any run of spaces and tabs.
        quote: The quote character, or "" for none.
        escape: The escape character, or "" for none. If there is one, the cell \N is empty, as in exports of databases.
    """

    separator: str
    quote: str
    escape: str = ""

    @property
    def character(self) -> str:
        """The separator between cells after `rewrite`."""
        return self.separator if len(self.separator) == 1 else UNIT

    @property
    def is_rewritten(self) -> bool:
        """Whether lines must be rewritten."""
        return len(self.separator) > 1 or self.escape != ""

    def rewrite(self, line: str) -> str:
        r"""Return the line with a single-character separator and without the null marker \N."""
        if self.separator == WHITESPACE:
            line = UNIT.join(self._words.findall(line)) + "\n"
        elif len(self.separator) > 1:
            line = line.replace(self.separator, UNIT)
        return self._nulls.sub(r"\1", line) if self.escape else line

    def rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Return the cells of each row. A row may span several lines."""
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
    """A binary file, in UTF-8, of the rewritten lines of a text file after the skipped ones."""

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
        """Return at most `size` bytes, or all remaining ones if it is negative; b"" at the end."""
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
    """An iterator over lines that counts the lines it has returned."""

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
    """Yield the lines of a file, and split lines longer than MAXIMUM_LINE_BYTES into pieces."""
    while line := file.readline(MAXIMUM_LINE_BYTES):
        yield line
