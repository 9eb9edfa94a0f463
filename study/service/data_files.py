"""Data files of a spec that is handed in: looked for under the folders that are allowed, and nowhere else; uploads."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from study.errors import UserError
from study.service.problems import Problem
from study.spec import DataSpec
from study.spec.sources import FILE_SUFFIXES

UNFINISHED = ".upload-"  # what the name of a file begins with that is being uploaded
UPLOAD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = ("spec.toml", "run.log", "run.lock", "report.html")  # what lies beside the links


@dataclass(frozen=True)
class Upload:
    """One uploaded file."""

    name: str
    bytes: int
    sha256: str


def find_links(data: DataSpec, folders: Sequence[Path], uploads: Path | None = None) -> dict[str, str]:
    """Return for each file that a spec names by a relative path where it is; absolute ones are checked alone.

    Args:
        data: of the spec.
        folders: that are allowed, real paths; a relative path is looked for in each, in order.
        uploads: a folder in which files are looked for by the last part of their path instead; None takes folders.

    Raises:
        Problem: 403 for a path outside, 422 for a file that is not there.
    """
    if data.kind not in ("text", "parquet", "arrays"):
        return {}
    links = {}
    for key, given in (("source", data.source), ("test", data.test)):
        if given is None:
            continue
        place, relative = f"[data] {key}", not PurePosixPath(given).is_absolute()
        _check_path(place, given)
        name = PurePosixPath(given).name if uploads is not None and relative else given
        found = _find(place, name, folders if uploads is None else (uploads,))
        if relative:
            links[given] = str(found)
    return links


def _check_path(place: str, given: str) -> None:
    if "\0" in given or given.startswith("~") or ".." in PurePosixPath(given).parts or len(given) > 1_000:
        raise _outside(place, given)


def _find(place: str, given: str, folders: Sequence[Path]) -> Path:
    path = PurePosixPath(given)
    for folder in folders:
        try:
            real = (folder / path).resolve()
            if real.is_file() and real.is_relative_to(folder):
                return real
            if real.exists() and not path.is_absolute() and not real.is_relative_to(folder):
                raise _outside(place, given)  # a symbolic link that leads out
        except (OSError, RuntimeError, ValueError):
            continue
    if path.is_absolute() and not any(_is_below(path, folder) for folder in folders):
        raise _outside(place, given)
    raise Problem(422, f"{place}: there is no file {given!r} in the folders of this server", "no-such-file")


def _is_below(path: PurePosixPath, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)


def _outside(place: str, given: str) -> Problem:
    return Problem(403, f"{place}: {given[:200]!r} is outside of the folders that this server reads from", "outside")


def check_upload_name(name: str) -> None:
    """Check the name of a file that is uploaded.

    Raises:
        Problem: it has separators, begins with a dot, or has an ending that no data file has.
    """
    suffixes = " ".join(FILE_SUFFIXES)
    if not UPLOAD_NAME.fullmatch(name) or Path(name).suffix.lower() not in FILE_SUFFIXES:
        raise Problem(
            422, f"{name[:120]!r} is no name for a data file: letters, digits, . _ - and one of {suffixes}", "name"
        )


async def keep_upload(folder: Path, name: str, chunks: AsyncIterator[bytes], most: int) -> tuple[Upload, bool]:
    """Write an uploaded file, whole or not at all; return it and whether it is new.

    Args:
        folder: of all uploads.
        name: of the file, checked.
        chunks: its content; ends in a Problem where it is too large.
        most: bytes that all uploads may have together.

    Raises:
        Problem: 409 where another file has the name, 413 where there is no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    number, temporary = tempfile.mkstemp(dir=folder, prefix=UNFINISHED)
    try:
        with os.fdopen(number, "wb", buffering=0) as file:
            async for chunk in chunks:
                size += len(chunk)
                # What others have uploaded by now counts. Nothing else runs until the chunk is on the disk.
                if _size(folder, but=name) + len(chunk) > most:
                    raise Problem(413, f"uploads together may have {most:,} bytes on this server", "too-large")
                digest.update(chunk)
                file.write(chunk)
            os.fsync(file.fileno())
        upload = Upload(name, size, digest.hexdigest())
        try:
            os.link(temporary, folder / name)
        except FileExistsError:
            if describe_upload(folder / name) != upload:
                raise Problem(409, f"there is another file {name!r}; give this one another name", "taken") from None
            return upload, False
        return upload, True
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()


def _size(folder: Path, but: str) -> int:
    """Return how many bytes all uploads have, those that are under way too; not the one of this name."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.name != but)


def forget_unfinished(folder: Path) -> None:
    """Delete what uploads left behind when a service died; for the start of the next."""
    for path in folder.glob(f"{UNFINISHED}*"):
        path.unlink(missing_ok=True)


def describe_upload(path: Path) -> Upload:
    """Return name, size and digest of an uploaded file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Upload(path.name, path.stat().st_size, digest)


def allowed_folders(given: Sequence[Path]) -> tuple[Path, ...]:
    """Return the real paths of the folders that data may be read from.

    Raises:
        UserError: one of them is no folder.
    """
    for folder in given:
        if not folder.is_dir():
            raise UserError(f"--data-folder {folder}: is no folder; name one that is there")
    return tuple(folder.resolve() for folder in given)
