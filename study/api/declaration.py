"""The spec for the arguments of `Study(...)`: the drafted spec for the data, with the keys that the arguments set.

The spec is validated like a spec file, but errors name the argument instead of the key.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.state import write_whole
from study.api.checks import check_declared
from study.api.ranges import Float, Int, range_keys
from study.api.space_values import check_names, check_space
from study.api.wording import DECLARED, KEY_OF, TABLE_OF, in_python, naming_arguments
from study.data.draft import Draft, draft_source
from study.data.draft_tables import study_name
from study.data.in_memory import WRITTEN, MemoryFile, file_of
from study.errors import UserError, warn_user
from study.ledger.home import Home
from study.search.identity import digest_identity
from study.spec import DeclaredSpec, check_spec
from study.spec.sources import FILE_SUFFIXES, takes_key
from study.text.toml_text import write_toml


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
    own_name: bool = False  # whether a digest of the table and the spec follows the name
    final: Mapping[str, object] | None = None
    baselines: Mapping[str, bool] | bool | None = None

    def table(self, name: str) -> dict[str, Any]:
        """Return the keys of one table of the spec that the arguments set.

        Raises:
            UserError: a key is set twice.
        """
        given = getattr(self, TABLE_OF[name])
        given = {"enabled": given} if name == "baselines" and isinstance(given, bool) else given or {}
        if not isinstance(given, Mapping):
            raise UserError(f"{TABLE_OF[name]}: must be a dict, got {given!r}")
        keys = {str(key): plain(value) for key, value in given.items() if value is not None}
        for argument, key in KEY_OF.items():
            value = getattr(self, argument, None)
            if key[0] != name or value is None:
                continue
            if key[1] in keys:
                raise UserError(f'{argument}: also given as {TABLE_OF[name]}["{key[1]}"]; keep one of them')
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
    with naming_arguments():
        check_space(arguments.space)
        check_names(metric=arguments.metric, sampler=arguments.sampler, pruner=arguments.pruner)
        options = arguments.table("data")
        if isinstance(data, str | os.PathLike):
            declared, draft = _declare_source(_source_of(data), Path.cwd(), target, arguments, options)
            check_declared(declared, draft.datasets, home)
            warn_user(in_python(loss, None) for loss in draft.losses)
            return declared
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
    """Return the spec of a table in memory. It is read from a copy, so that a table that is refused leaves nothing."""
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        there = (home.tables / file.name).exists()
        path = home.tables / file.name if there else file.write(Path(folder))
        with naming_arguments(path):
            digits = "" if arguments.own_name else f"-{path.stem[:8]}"
            name = arguments.name or study_name(f"{file.target or 'arrays'}{digits}.csv")
            options = {**options, **file.options}
            found, draft = _declare_source(path.name, path.parent, file.target, replace(arguments, name=name), options)
            declared = replace(found, base=home.tables)
            check_declared(declared, draft.datasets, home)
    try:
        file.write(home.tables)
        kept = home.kept_spec(declared.spec.name)
        if not kept.exists() or kept.read_bytes() != declared.text.encode():
            write_whole(kept, declared.text.encode())
    except OSError as error:
        raise UserError(f"home: {home.path} could not be written ({error.strerror}); choose another folder") from None
    warn_user(in_python(loss, path) for loss in draft.losses)
    return declared


def _declare_source(
    source: str, base: Path, target: object, arguments: Arguments, options: Mapping[str, object]
) -> tuple[DeclaredSpec, Draft]:
    """Return the spec of a source, and its draft."""
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
    if baselines := arguments.table("baselines"):
        tables["baselines"] = baselines
    if final := arguments.table("final"):
        tables["final"] = final
    spec = check_spec(tables, DECLARED)
    if arguments.own_name:
        tables["name"] = f"{tables['name']}-{digest_identity(spec)}"
    return DeclaredSpec.parse(write_toml(tables), base, DECLARED), draft


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
