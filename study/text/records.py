"""Convert records to JSON and back: the fields of a frozen dataclass are the keys of a JSON object, in order."""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from study.text.cards import Card, CardTable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
R = TypeVar("R", bound="DataclassInstance")

IF_ANY = {"if_any": True}
"""Metadata of a field whose key is omitted from JSON if its value is None."""


class Record:
    """A frozen dataclass that a user can print, display in a notebook, or convert to a dictionary.

    Subclasses are declared with `repr=False` and define `_lines`; those with tables to show also define `_tables`.
    """

    def to_dict(self) -> "dict[str, Json]":
        """Return the record as a dictionary: the object that the command line prints with `--json`."""
        return to_json(cast("DataclassInstance", self))

    def _lines(self) -> tuple[str, ...]:
        """Return one to three lines that describe the record."""
        raise NotImplementedError

    def _tables(self) -> tuple[CardTable, ...]:
        """Return the tables that a notebook shows below the lines."""
        return ()

    def __repr__(self) -> str:
        return "<" + "\n ".join(self._lines()) + ">"

    def _repr_html_(self) -> str:
        title, *notes = self._lines()
        return Card(title, tuple(notes), self._tables()).html()


def key_of(each: "Field[object]") -> str:
    """Return the key of a field in JSON: its name, or the "key" in its metadata."""
    return str(each.metadata.get("key", each.name))


def to_json(record: "DataclassInstance") -> dict[str, Json]:
    """Return a record as a JSON object. Numbers that are not finite, which JSON cannot represent, become null."""
    plain = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if value is not None or each.metadata != IF_ANY:
            plain[key_of(each)] = json_value(value)
    return plain | {name: json_value(getattr(record, name)) for name in properties_of(type(record))}


def properties_of(kind: type) -> tuple[str, ...]:
    """Return the names of the properties that are also written to JSON, as listed in JSON_PROPERTIES."""
    return getattr(kind, "JSON_PROPERTIES", ())


def json_value(value: object) -> Json:
    """Return a value as JSON: records become objects, tuples become lists, and paths and keys become strings.

    Raises:
        TypeError: if the value has no representation in JSON.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): json_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    raise TypeError(f"values of type {type(value).__name__} cannot be converted to JSON")


def from_json(kind: type[R], plain: Mapping[str, object]) -> R:
    """Return the record of a JSON object. Keys without a field are ignored.

    Raises:
        KeyError: if the key of a field without a default is missing.
    """
    hints = _hints(kind)
    given = {}
    for each in fields(kind):
        if key_of(each) in plain:
            given[each.name] = _typed(hints[each.name], plain[key_of(each)])
        elif each.default is MISSING and each.default_factory is MISSING:
            raise KeyError(f"{kind.__name__}: {each.name} is missing")
    return kind(**given)


def _typed(hint: object, plain: object) -> object:
    """Convert a JSON value to the type of a field."""
    if plain is None:
        return None
    if isinstance(hint, type) and is_dataclass(hint):
        return from_json(hint, cast("Mapping[str, object]", plain))
    if hint is Path:
        return Path(str(plain))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        others = [each for each in arguments if each is not types.NoneType]
        return _typed(others[0], plain) if len(others) == 1 else plain
    if origin is tuple and isinstance(plain, list | tuple):
        kinds = [arguments[0]] * len(plain) if arguments[1:] == (...,) else arguments
        return tuple(_typed(each, value) for each, value in zip(kinds, plain, strict=True))
    if origin is dict and isinstance(plain, Mapping):
        key_kind, value_kind = arguments
        return {int(key) if key_kind is int else key: _typed(value_kind, value) for key, value in plain.items()}
    return plain


@cache
def _hints(kind: type) -> dict[str, object]:
    return typing.get_type_hints(kind)
