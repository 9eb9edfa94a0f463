"""Find the data files of submitted specs, but only below allowed folders, and store uploaded files."""

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

UNFINISHED = ".upload-"  # prefix of the name of a file while it is being uploaded
UPLOAD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = ("spec.toml", "run.log", "run.lock", "report.html")  # files in the same folder as the links


@dataclass(frozen=True)
class Upload:
    """One uploaded file."""

    name: str
    bytes: int
    sha256: str


def find_links(data: DataSpec, folders: Sequence[Path], uploads: Path | None = None) -> dict[str, str]:
    """Return the location of each file that a spec names by a relative path; absolute paths are only checked.

    Args:
        data: [data] table of the spec.
        folders: real paths of the allowed folders, in which relative paths are searched in order.
        uploads: folder in which files are looked up by name instead of in `folders`; None means `folders`.

    Raises:
        Problem: 403 for a path outside the folders, 422 for a file that does not exist.
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
                raise _outside(place, given)  # a symbolic link that points outside
        except (OSError, RuntimeError, ValueError):
            continue
    if path.is_absolute() and not any(_is_below(path, folder) for folder in folders):
        raise _outside(place, given)
    raise Problem(422, f"{place}: file {given!r} not found in the data folders of this server", "no-such-file")


def _is_below(path: PurePosixPath, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)


def _outside(place: str, given: str) -> Problem:
    return Problem(403, f"{place}: {given[:200]!r} is outside the data folders of this server", "outside")


def check_upload_name(name: str) -> None:
    """Check the name of an uploaded file.

    Raises:
        Problem: if it contains a separator, starts with a dot, or does not have the suffix of a data file.
    """
    suffixes = " ".join(FILE_SUFFIXES)
    if not UPLOAD_NAME.fullmatch(name) or Path(name).suffix.lower() not in FILE_SUFFIXES:
        raise Problem(
            422,
            f"{name[:120]!r} is not a valid name for a data file; "
            f"use letters, digits, . _ - and one of the suffixes {suffixes}",
            "name",
        )


async def keep_upload(folder: Path, name: str, chunks: AsyncIterator[bytes], most: int) -> tuple[Upload, bool]:
    """Write an uploaded file atomically; return it and True if it is new.

    Args:
        folder: folder of all uploads.
        name: name of the file, already checked.
        chunks: content of the file; raises a Problem if it is too large.
        most: maximum total size of all uploads in bytes.

    Raises:
        Problem: 409 if another file has this name, 413 if the uploads would exceed `most`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    number, temporary = tempfile.mkstemp(dir=folder, prefix=UNFINISHED)
    try:
        with os.fdopen(number, "wb", buffering=0) as file:
            async for chunk in chunks:
                size += len(chunk)
                # Count what other uploads have written by now. Nothing else runs until this chunk is on disk.
                if _size(folder, but=name) + len(chunk) > most:
                    raise Problem(413, f"the uploads would exceed the limit of {most:,} bytes", "too-large")
                digest.update(chunk)
                file.write(chunk)
            os.fsync(file.fileno())
        upload = Upload(name, size, digest.hexdigest())
        try:
            os.link(temporary, folder / name)
        except FileExistsError:
            if describe_upload(folder / name) != upload:
                raise Problem(409, f"a different file {name!r} already exists; rename this one", "taken") from None
            return upload, False
        return upload, True
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()


def _size(folder: Path, but: str) -> int:
    """Return the total size of all uploads in bytes, including unfinished ones but not the one with this name."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.name != but)


def forget_unfinished(folder: Path) -> None:
    """Delete the unfinished uploads that a previous service left behind."""
    for path in folder.glob(f"{UNFINISHED}*"):
        path.unlink(missing_ok=True)


def describe_upload(path: Path) -> Upload:
    """Return the name, size and digest of an uploaded file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Upload(path.name, path.stat().st_size, digest)


def allowed_folders(given: Sequence[Path]) -> tuple[Path, ...]:
    """Return the real paths of the folders from which data may be read.

    Raises:
        UserError: if one of them is not a folder.
    """
    for folder in given:
        if not folder.is_dir():
            raise UserError(f"--data-folder {folder}: folder not found; specify an existing folder")
    return tuple(folder.resolve() for folder in given)
