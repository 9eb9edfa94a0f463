"""The spec for the arguments of `Study(...)`: the drafted spec for the data, with the keys that the arguments set.

The spec is validated like a spec file, but errors name the argument instead of the key.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.state import write_whole
from study.api.ranges import Float, Int, range_keys
from study.data.draft import draft_source
from study.data.draft_tables import study_name
from study.data.in_memory import WRITTEN, MemoryFile, file_of
from study.errors import UserError
from study.ledger.home import Home
from study.spec import DeclaredSpec, SpecError, check_spec
from study.spec.sources import FILE_SUFFIXES, takes_key
from study.text.toml_text import write_toml

# the key of the spec that each argument sets
_KEY_OF = {
    "name": ("name",),
    "description": ("description",),
    "target": ("data", "target"),
    "split": ("data", "split"),
    "folds": ("data", "folds"),
    "group": ("data", "group"),
    "time": ("data", "time"),
    "weight": ("data", "weight"),
    "transform": ("data", "transform"),
    "metric": ("search", "metric"),
    "n_trials": ("search", "trials"),
    "sampler": ("search", "sampler"),
    "pruner": ("search", "pruner"),
}
_ARGUMENT_OF = {key: argument for argument, key in _KEY_OF.items()} | {
    ("data", "seed"): "seed",
    ("search", "seed"): "seed",
    ("data", "source"): "data",
}
_TABLE_OF = {"data": "data_options", "space": "space", "search": "search", "confirm": "confirm"}


@dataclass(frozen=True)
class Arguments:
    """The arguments of `Study(...)` that set keys of a spec; None for those that are left out."""

    name: str | None = None
    description: str | None = None
    space: Mapping[str, object] | None = None
    metric: str | Sequence[str] | None = None
    n_trials: int | None = None
    sampler: str | None = None
    pruner: str | None = None
    split: Sequence[float] | None = None
    folds: int | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    transform: str | None = None
    seed: int = 0
    data_options: Mapping[str, object] | None = None
    search: Mapping[str, object] | None = None
    confirm: Mapping[str, int] | Literal[False] | None = None

    def table(self, name: str) -> dict[str, Any]:
        """Return the keys of one table of the spec that the arguments set.

        Raises:
            UserError: a key is set twice.
        """
        given = getattr(self, _TABLE_OF[name]) or {}
        if not isinstance(given, Mapping):
            raise UserError(f"{_TABLE_OF[name]}: must be a dict, got {given!r}")
        keys = {str(key): plain(value) for key, value in given.items() if value is not None}
        for argument, key in _KEY_OF.items():
            value = getattr(self, argument, None)
            if key[0] != name or value is None:
                continue
            if key[1] in keys:
                raise UserError(f'{argument}: also given as {_TABLE_OF[name]}["{key[1]}"]; keep one of them')
            keys[key[1]] = plain(value)
        if name in ("data", "search"):
            keys.setdefault("seed", plain(self.seed))
        return keys


def declare(data: object, target: object, arguments: Arguments, home: Home) -> DeclaredSpec:
    """Return the spec for the given data; a table in memory is written to the home.

    Args:
        data, target: as for `Study`.
        arguments: the other arguments of `Study`.
        home: the home in which data in memory is stored, together with the spec.

    Raises:
        UserError: the data cannot be used, or an argument has a value that breaks a rule.
    """
    if target is not None and not isinstance(target, str | int | np.integer):
        raise UserError(
            f"target: must be the name or the position of a column, got a {type(target).__name__}; "
            "for arrays X and y, use Study((X, y))"
        )
    with _naming_arguments():
        options = arguments.table("data")
        if isinstance(data, str | os.PathLike):
            return _declare_source(_source_of(data), Path.cwd(), target, arguments, options)
        _refuse_written(options)
        file = file_of(_pair(data), target, options)
        return _declare_memory(file, arguments, options, home)


def _source_of(data: "str | os.PathLike[str]") -> str:
    """Return a source in the form that `[data]` requires; for a file, its absolute path."""
    path = Path(data).expanduser()
    if path.suffix.lower() == ".toml":
        raise UserError(f"data: {path} is a spec; use Study.from_toml({str(path)!r})")
    if isinstance(data, str) and ":" in data and path.suffix.lower() not in FILE_SUFFIXES:
        return data
    return str(path.absolute())


def _pair(data: object) -> object:
    """Return the data, with a list of two elements as the pair (X, y)."""
    return tuple(data) if isinstance(data, list) and len(data) == 2 else data


def _refuse_written(options: Mapping[str, object]) -> None:
    for key in options:
        if key in WRITTEN:
            raise UserError(f'data_options["{key}"]: does not apply to data in memory; omit it')


def _declare_memory(file: MemoryFile, arguments: Arguments, options: Mapping[str, object], home: Home) -> DeclaredSpec:
    try:
        path = file.write(home.tables)
        name = arguments.name or study_name(f"{file.target or 'arrays'}-{path.stem[:8]}.csv")
        options = {**options, **file.options}
        declared = _declare_source(path.name, path.parent, file.target, replace(arguments, name=name), options)
        kept = home.kept_spec(declared.spec.name)
        if not kept.exists() or kept.read_bytes() != declared.text.encode():
            write_whole(kept, declared.text.encode())
    except OSError as error:
        raise UserError(f"home: {home.path} could not be written ({error.strerror}); choose another folder") from None
    return declared


def _declare_source(
    source: str, base: Path, target: object, arguments: Arguments, options: Mapping[str, object]
) -> DeclaredSpec:
    if target is None and takes_key(source, "target") and not options.get("test"):
        raise UserError("target: missing; name the column to predict")
    search = arguments.table("search")
    options = _without_folds(options, search)
    draft = draft_source(source, base, _plain_target(target), options)
    tables: dict[str, Any] = dict(draft.tables)
    tables["name"] = plain(arguments.name or draft.name)
    tables["description"] = plain(arguments.description or "")
    tables["space"] = tables["space"] | arguments.table("space")
    several = isinstance(search.get("metric"), list) and len(search["metric"]) > 1
    usual = {key: value for key, value in tables["search"].items() if not (several and key in ("sampler", "pruner"))}
    tables["search"] = usual | search
    if arguments.confirm is False:
        del tables["confirm"]
    else:
        tables["confirm"] = tables["confirm"] | arguments.table("confirm")
    check_spec(tables, "Study")
    text = write_toml(tables)
    return DeclaredSpec.parse(text, base, "Study")


def _without_folds(options: Mapping[str, object], search: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of `[data]`. With folds = 0, or several seeds per trial, no folds are drafted."""
    if options.get("folds") == 0 or ("folds" not in options and search.get("seeds", 1) != 1):
        return {**options, "folds": None}
    return dict(options)


def _plain_target(target: object) -> str | int | None:
    return None if target is None else plain(target) if isinstance(target, int | np.integer) else str(target)


def plain(value: Any) -> Any:
    """Return a value that TOML can represent: ranges as tables, arrays and tuples as lists, NumPy numbers as Python's.

    >>> plain((Int(1, 2), np.float64(0.5)))
    [{'low': 1, 'high': 2}, 0.5]
    """
    if isinstance(value, Float | Int):
        return plain(range_keys(value))
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, os.PathLike) else value


@contextmanager
def _naming_arguments() -> Iterator[None]:
    """Run a block in which an error about a key of the spec names the argument that sets the key."""
    try:
        yield
    except SpecError as error:
        argument = _name_argument(error.keys)
        line = f"{argument}: {error.reason}" if argument else error.reason
        raise UserError(f"{line}\n{error.more}" if error.more else line) from None


def _name_argument(keys: Sequence[str]) -> str:
    """Return the argument that sets a key of the spec, such as `space["depth"]`; "" if there are several.

    >>> _name_argument(("search", "trials")), _name_argument(("space", "depth"))
    ('n_trials', 'space["depth"]')
    """
    if tuple(keys) in _ARGUMENT_OF:
        return _ARGUMENT_OF[tuple(keys)]
    if len(keys) < 2:
        return "space" if keys == ("space",) else "confirm" if keys == ("confirm",) else ""
    return _TABLE_OF[keys[0]] + "".join(f'["{key}"]' for key in keys[1:])
