"""`study init`: a spec for a person's table, written beside it; called by the command line."""

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
    """What was written.

    Attributes:
        table: that it is for.
        path: of the spec.
        guessed: whether nobody named the target.
        draft: the spec, and what was decided on the way.
    """

    table: Path
    path: Path
    guessed: bool
    draft: "Draft"


def write_spec(
    file: Path, target: str | None = None, reading: Mapping[str, object] | None = None, *, force: bool = False
) -> Written:
    """Write a spec for a table beside it, under the file's name with .toml.

    Args:
        file: the table.
        target: a column's name, or its position ("-1"); None guesses.
        reading: keys of `[data]` that say how a text file is written; they are in the spec, too.
        force: whether a spec that is there is written over.

    Raises:
        UserError: the file cannot be read as a table, the target is not in it, or there is a spec already.
    """
    path = file.with_suffix(".toml")
    if file.suffix.lower() == ".toml":
        raise UserError(f"{file}: is a spec already; give the table that you want one for")
    if path.exists() and not force:
        raise UserError(f"{path}: is there already; --force writes over it")
    draft = draft_spec(file, target, reading)
    try:
        write_whole(path, draft.text.encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); copy the table to a folder of yours") from None
    return Written(file, path, target is None, draft)
