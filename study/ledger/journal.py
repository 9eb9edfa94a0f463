"""The ledger as a file: Optuna's journal with a checksum in every line, read, mended and written in this place alone.

A line is `{"check":"1a2b3c4d",` and what Optuna would have written, less its first brace; the check is the CRC-32 of
what follows it up to the end of the line. Optuna passes the key over, so `optuna.load_study` reads the file. A line
that begins as Optuna's own do is one of Optuna's, or of a version of study before the checks.

Of a write that the process or the disk did not finish, the last line has no end, or is of zero bytes. What it said was
not yet acted upon: readers pass it over, and the next write cuts it off. Any other line that fails is damaged, and the
file is not read.
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
"""One that Optuna writes."""

_CHECK, _OPTUNA = b'{"check":"', b'{"op_code":'
_HEAD = len(_CHECK) + len('1a2b3c4d",')


class Journal(BaseJournalBackend):
    """A journal in a file, made where there is none.

    Args:
        path: of the file; beside it is a lock, held for the length of one write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self._gathered: list[Operation] | None = None
        self._next = (0, 0)  # number and offset of the line after the last one that was read

    def read_logs(self, log_number_from: int) -> Iterator[Operation]:
        """Yield the operations from one number on.

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
                    return  # torn
                raise UserError(
                    f"{self.path}: line {number + 1} is damaged; restore the file from a backup, or keep only the "
                    f"lines before it: head -n {number} {self.path} > kept && mv kept {self.path}"
                )
            number, offset = number + 1, offset + len(line) + 1
            self._next = (number, offset)
            if number > log_number_from:
                yield operation

    def append_logs(self, logs: list[Operation]) -> None:
        """Append operations after a whole line, in one write that is on the disk then, or to what is gathered."""
        if self._gathered is not None:
            self._gathered.extend(logs)
            return
        with self._locked(), self.path.open("rb+") as file:
            _mend(file)
            file.write(b"".join(map(_line, logs)))
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def in_one_write(self) -> Iterator[None]:
        """Gather what is appended in the block, in order, and write it at the end; nothing of it where it raises."""
        gathered: list[Operation] = []
        self._gathered = gathered
        try:
            yield
        finally:
            self._gathered = None
        if gathered:
            self.append_logs(gathered)

    def mend(self) -> int:
        """Cut off what a write left unfinished; return how many bytes that were."""
        with self._locked(), self.path.open("rb+") as file:
            return _mend(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the journal; unlike Optuna's own the lock ends with its process."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _line(operation: Operation) -> bytes:
    rest = json.dumps(operation, separators=(",", ":")).encode()[1:]
    return _CHECK + b'%08x",' % zlib.crc32(rest) + rest + b"\n"


def _parse(line: bytes) -> Operation | None:
    """Return the operation of a line without its end; None where it is damaged."""
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
    """Return the lines without their ends; the last one too where only its end is missing or damaged."""
    *lines, last = content.split(b"\n")
    return [*lines, whole] if (whole := _whole(last)) else lines


def _whole(last: bytes) -> bytes:
    """Return the line in what follows the last end of a line; empty where there is none, or a torn one."""
    return next((line for line in (last, last[:-1]) if _parse(line) is not None), b"")


def _mend(file: BinaryIO) -> int:
    """Have the file end with a whole line, and stand at its end; return how many bytes were cut off."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read() == b"\n" and not _ends_in_zeros(file, size):
        return 0
    file.seek(0)
    content = file.read()
    begin = content.rfind(b"\n", 0, size - 1) + 1  # of the last line, whether it has an end or not
    whole = _whole(content[begin:])
    file.seek(begin + len(whole))
    file.truncate()
    if whole:
        file.write(b"\n")
        return 0
    return size - begin


def _ends_in_zeros(file: BinaryIO, size: int) -> bool:
    """Return whether the last line is of zero bytes, as a file system leaves what was not written; it is at its end."""
    file.seek(max(0, size - 3))
    found = file.read().startswith(b"\0")
    file.seek(size)
    return found
