"""The work of `study init`: write a drafted spec next to the table of a user."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.state import write_whole
from study.data import draft_spec
from study.errors import UserError

if TYPE_CHECKING:
    from study.data.draft import Draft


@dataclass(frozen=True)
class Written:
    """A spec that was written.

    Attributes:
        table: The table.
        path: The file of the spec.
        guessed: Whether the target is a guess.
        draft: The spec and the decisions in it.
    """

    table: Path
    path: Path
    guessed: bool
    draft: "Draft"


def write_spec(
    file: Path, target: str | None = None, reading: Mapping[str, object] | None = None, *, force: bool = False
) -> Written:
    """Write a spec next to a table, with the same name and the suffix .toml.

    Args:
        file: The table.
        target: The name or position ("-1") of the target column. None guesses it.
        reading: Keys of `[data]` that describe the format of a text file. They are written to the spec too.
        force: Whether to overwrite an existing spec.

    Raises:
        UserError: If the file cannot be read as a table, the target is not in it, or the spec already exists.
    """
    path = file.with_suffix(".toml")
    if file.suffix.lower() == ".toml":
        raise UserError(f"{file} is already a spec; pass the table that you want a spec for")
    if path.exists() and not force:
        raise UserError(f"{path} already exists; use --force to overwrite it")
    draft = draft_spec(file, target, reading)
    try:
        write_whole(path, draft.text.encode())
    except OSError as error:
        raise UserError(
            f"{path} could not be written ({error.strerror}); copy the table to a writable folder"
        ) from None
    return Written(file, path, target is None, draft)
