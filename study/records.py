"""Records as JSON and back: the fields of a frozen dataclass are the keys of its JSON object, in the same order."""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
R = TypeVar("R", bound="DataclassInstance")

LEFT_OUT = "left_out"  # metadata of a field that has no key in JSON where it is None


def left_out() -> None:
    """Return a field that is None by default, and then has no key in JSON."""
    made: None = field(default=None, metadata={LEFT_OUT: True})
    return made


def to_json(record: "DataclassInstance") -> dict[str, Json]:
    """Return a record as JSON holds it; what is not finite becomes null, which JSON has no other word for."""
    plain = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if value is not None or not each.metadata.get(LEFT_OUT):
            plain[each.name] = json_value(value)
    return plain


def json_value(value: object) -> Json:
    """Return a value as JSON holds it: records as objects, tuples as lists, paths and keys as text.

    Raises:
        TypeError: JSON has no such value.
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
    raise TypeError(f"JSON has no value of type {type(value).__name__}")


def from_json(kind: type[R], plain: Mapping[str, object]) -> R:
    """Return the record that a JSON object holds; keys that it does not have are ignored.

    Raises:
        KeyError: a key is missing whose field has no default.
    """
    hints = _hints(kind)
    given = {}
    for each in fields(kind):
        if each.name in plain:
            given[each.name] = _typed(hints[each.name], plain[each.name])
        elif each.default is MISSING and each.default_factory is MISSING:
            raise KeyError(f"{kind.__name__}: {each.name} is missing")
    return kind(**given)


def _typed(hint: object, plain: object) -> object:
    """Return a value of JSON as a value of a field of this type."""
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
