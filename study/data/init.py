"""The work of `study init`: write a drafted spec next to a user's table, with its schema for editors.

The first line of the spec names the schema by a relative path. That path is valid on every machine that has both files,
and works offline; a URL or the path of the installed package would not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.state import write_whole
from study.data import draft_spec
from study.errors import UserError
from study.spec.reading import SpecError
from study.spec.schema import FILE_NAME, TITLE, schema_text

if TYPE_CHECKING:
    from study.data.draft import Draft


@dataclass(frozen=True)
class Written:
    """A spec that was written.

    Attributes:
        table: The table.
        path: The file of the spec.
        schema: The file of its JSON Schema, or None if another file has that name.
        guessed: Whether the target is a guess.
        draft: The spec and the decisions in it.
    """

    table: Path
    path: Path
    schema: Path | None
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
    try:
        draft = draft_spec(file, target, reading)
    except SpecError as error:
        option = f"--{error.keys[-1]}: " if len(error.keys) > 1 else ""
        raise UserError(f"{option}{error.reason}") from None
    schema = _schema_path(file.parent)
    named = "" if schema is None else f"#:schema ./{schema.name}\n"
    try:
        write_whole(path, (named + draft.text).encode())
        if schema is not None:
            write_whole(schema, schema_text().encode())
    except OSError as error:
        raise UserError(
            f"{path} could not be written ({error.strerror}); copy the table to a writable folder"
        ) from None
    return Written(file, path, schema, target is None, draft)


def _schema_path(folder: Path) -> Path | None:
    """Return the path of the schema, or None if another file has its name."""
    path = folder / FILE_NAME
    try:
        ours = not path.exists() or f'"title": "{TITLE}"' in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return path if ours else None
