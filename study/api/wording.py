"""Messages in terms of Python: arguments in place of the keys of a spec, `data` in place of the file of a table."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from study.errors import ArgumentError, UserError
from study.spec import DeclaredSpec, SpecError

if TYPE_CHECKING:
    from study.api.place import StudyPlace

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="StudyPlace")

DECLARED = "Study"  # the place of a spec that the arguments of `Study(...)` declare
# The key of a spec that each argument sets.
KEY_OF = {
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
TABLE_OF = {"data": "data_options"} | {name: name for name in ("space", "search", "confirm", "final", "baselines")}
_ARGUMENT_OF = {key: argument for argument, key in KEY_OF.items()} | {
    ("data", "seed"): "seed",
    ("search", "seed"): "seed",
    ("data", "source"): "data",
}
_KEY = re.compile(r"\[(data|space|search|confirm|final|baselines)\](?: ([a-z][a-z0-9_]*))?")
_OPTION = re.compile(r"^--(home|warm-start|storage)\b")


def name_argument(keys: Sequence[str]) -> str:
    """Return the argument that sets a key of the spec, such as `space["depth"]`; "" for several.

    >>> name_argument(("search", "trials")), name_argument(("space", "depth"))
    ('n_trials', 'space["depth"]')
    """
    if tuple(keys) in _ARGUMENT_OF:
        return _ARGUMENT_OF[tuple(keys)]
    if len(keys) < 2:
        return keys[0] if keys and keys[0] in ("space", "confirm", "final", "baselines") else ""
    return TABLE_OF[keys[0]] + "".join(f'["{key}"]' for key in keys[1:])


def in_python(message: str, table: Path | None) -> str:
    """Return a message with arguments in place of keys.

    table: the file of a table that was given in memory, which messages call "data".

    >>> in_python("ab.csv: 'x' is constant; add it to [data] drop", Path("/home/ab.csv"))
    "data: 'x' is constant; add it to data_options["drop"]"
    """
    if table is not None:
        for written in (repr(table.name), repr(str(table))):
            message = message.replace(written, "the table")
        for written in (str(table), table.name):
            message = message.replace(written, "data")
    message = _OPTION.sub(
        lambda found: found[1].replace("-", "_"), message.removeprefix(f"{DECLARED}: ").removeprefix("--data ")
    )
    return _KEY.sub(lambda found: name_argument((found[1], found[2])) if found[2] else TABLE_OF[found[1]], message)


@contextmanager
def naming_arguments(table: Path | None = None) -> Iterator[None]:
    """Run a block; a user error that the block raises names arguments of `Study(...)`."""
    try:
        yield
    except SpecError as error:
        argument = name_argument(error.keys)
        line = f"{argument}: {error.reason}" if argument else error.reason
        raise ArgumentError(in_python(f"{line}\n{error.more}" if error.more else line, table)) from None
    except UserError as error:
        error.args = (in_python(str(error), table), *error.args[1:])
        raise


def table_of(declared: DeclaredSpec, tables: Path) -> Path | None:
    """Return the file of a study's table that was given in memory; None where the user named a file."""
    return declared.base / declared.spec.data.source if declared.base == tables else None


def in_terms_of_python(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Have the errors of a method of `Study` name its arguments, unless the study comes from a spec file."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        table = table_of(self._declared, self.home.tables)
        if table is None and self._declared.place != DECLARED:
            return method(self, *args, **kwargs)
        with naming_arguments(table):
            return method(self, *args, **kwargs)

    return call
