"""`study init`: a spec for a person's table, written beside it; called by the command line."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.state import write_whole
from study.data import draft_spec
from study.errors import UserError

_CAUTION, _TASK, _READ_AS = "# Caution: ", "# task: ", "# read as: "
_TROUBLE = "# This column cannot be the target as it stands: "


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        table: that it is for.
        path: of the spec.
        name: of the study.
        read_as: how a text file is written, where it was found out.
        target: as the spec has it, None where the file has one labelled array.
        guessed: whether nobody named the target.
        task: that the target makes, with its classes; None where it cannot be one.
        ignored: columns that only name a row.
        trouble: why the target cannot be one, where the guess was wrong.
        cautions: what to look at before the study runs.
    """

    table: Path
    path: Path
    name: str
    read_as: str | None
    target: str | int | None
    guessed: bool
    task: str | None
    ignored: tuple[str, ...]
    trouble: str | None
    cautions: tuple[str, ...]


def write_spec(
    file: Path, target: str | None = None, reading: Mapping[str, Any] | None = None, *, force: bool = False
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
    text = draft_spec(file, target, reading)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); copy the table to a folder of yours") from None
    lines = text.splitlines()
    spec = tomllib.loads(text)
    return Written(
        table=file,
        path=path,
        name=spec["name"],
        read_as=next((line.removeprefix(_READ_AS) for line in lines if line.startswith(_READ_AS)), None),
        target=spec["data"].get("target"),
        guessed=target is None,
        task=next((line.removeprefix(_TASK) for line in lines if line.startswith(_TASK)), None),
        ignored=tuple(map(str, spec["data"].get("ignore", ()))),
        trouble=next((line.removeprefix(_TROUBLE) for line in lines if line.startswith(_TROUBLE)), None),
        cautions=tuple(line.removeprefix(_CAUTION) for line in lines if line.startswith(_CAUTION)),
    )
