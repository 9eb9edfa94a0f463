"""The ledger as a file: an Optuna journal with a checksum in every line. Only this module reads, repairs and writes it.

A line is `{"check":"1a2b3c4d",` followed by the line that Optuna would have written, without its first brace. The value
of "check" is the CRC-32 of the rest of the line. Optuna ignores the key, so `optuna.load_study` can read the file. A
line that starts like Optuna's own was written by Optuna, or by a version of study without checksums.

If the process or the disk did not finish a write, the last line lacks its newline or consists of zero bytes. Nothing
depends on such a line yet: readers skip it, and the next write removes it. Any other invalid line is damaged, and the
file is rejected.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from optuna.storages.journal import BaseJournalBackend

from study.errors import UserError
from study.text.records import Json

Operation = dict[str, Json]
"""An operation of Optuna's journal."""

_CHECK, _OPTUNA = b'{"check":"', b'{"op_code":'
_HEAD = len(_CHECK) + len('1a2b3c4d",')


class Journal(BaseJournalBackend):
    """A journal in a file, which is created if it does not exist.

    Args:
        path: path of the file. A lock file next to it is held during each write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self._gathered: list[Operation] | None = None
        self._next = (0, 0)  # number and offset of the next line to read

    def read_logs(self, log_number_from: int) -> Iterator[Operation]:
        """Yield the operations from the given number on.

        Raises:
            UserError: a line is damaged.
        """
        number, offset = self._next if self._next[0] == log_number_from else (0, 0)
        with self.path.open("rb") as file:
            file.seek(offset)
            content = file.read()
        for line in _whole_lines(content):
            operation = _parse(line)
            if operation is None:
                if line.startswith(b"\0\0") and offset + len(line) + 1 >= self.path.stat().st_size:
                    return  # an unfinished write
                raise UserError(
                    f"{self.path}: line {number + 1} is damaged; restore the file from a backup, or keep only the "
                    f"lines before it: head -n {number} {self.path} > kept && mv kept {self.path}"
                )
            number, offset = number + 1, offset + len(line) + 1
            self._next = (number, offset)
            if number > log_number_from:
                yield operation

    def append_logs(self, logs: list[Operation]) -> None:
        """Append operations in one write that is flushed to disk, or gather them inside `in_one_write`."""
        if self._gathered is not None:
            self._gathered.extend(logs)
            return
        with self._locked(), self.path.open("rb+") as file:
            _repair(file)
            file.write(b"".join(map(_line, logs)))
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def in_one_write(self) -> Iterator[None]:
        """Gather the operations appended in the block, and write them at its end; if it raises, write nothing."""
        gathered: list[Operation] = []
        self._gathered = gathered
        try:
            yield
        finally:
            self._gathered = None
        if gathered:
            self.append_logs(gathered)

    def mend(self) -> int:
        """Remove the remains of an unfinished write; return their size in bytes."""
        with self._locked(), self.path.open("rb+") as file:
            return _repair(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the journal. Unlike Optuna's own lock, it is released when the process dies."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _line(operation: Operation) -> bytes:
    rest = json.dumps(operation, separators=(",", ":")).encode()[1:]
    return _CHECK + b'%08x",' % zlib.crc32(rest) + rest + b"\n"


def _parse(line: bytes) -> Operation | None:
    """Return the operation of a line without its newline; None if it is damaged."""
    if line.startswith(_CHECK):
        rest = line[_HEAD:]
        if line[len(_CHECK) : _HEAD] != b'%08x",' % zlib.crc32(rest):
            return None
    elif not line.startswith(_OPTUNA):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _whole_lines(content: bytes) -> Iterable[bytes]:
    """Return the complete lines without their newlines, including a last line that lacks only its newline."""
    *lines, last = content.split(b"\n")
    return [*lines, whole] if (whole := _whole(last)) else lines


def _whole(last: bytes) -> bytes:
    """Return the complete line after the last newline; empty if there is none, or if it is incomplete."""
    return next((line for line in (last, last[:-1]) if _parse(line) is not None), b"")


def _repair(file: BinaryIO) -> int:
    """Make the file end with a complete line, and seek to its end; return the number of bytes removed."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read() == b"\n" and not _ends_in_zeros(file, size):
        return 0
    file.seek(0)
    content = file.read()
    begin = content.rfind(b"\n", 0, size - 1) + 1  # of the last line, with or without a newline
    whole = _whole(content[begin:])
    file.seek(begin + len(whole))
    file.truncate()
    if whole:
        file.write(b"\n")
        return 0
    return size - begin


def _ends_in_zeros(file: BinaryIO, size: int) -> bool:
    """Return whether the last line consists of zero bytes, as file systems leave unwritten data; seek to the end."""
    file.seek(max(0, size - 3))
    found = file.read().startswith(b"\0")
    file.seek(size)
    return found
