"""JSON Schemas of names, which pydantic cannot derive from their validators.

An instance is part of an annotated type, such as `Annotated[str, Named(BUILT_IN_SAMPLERS, SAMPLERS)]`. It reads the
registry when a schema is generated, so the schema offers the names that are registered at that time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.registry import Registry

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

KIND = "x-kind"
REGISTERED = "^[a-z][a-z0-9_]*$"
"""The names that `engine.registry.Registry` accepts."""


@dataclass(frozen=True)
class Named:
    """A name that is built in or registered.

    Attributes:
        built_in, registered: the names that a schema offers.
    """

    built_in: Iterable[str]
    registered: Registry[Any]

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        return name_schema((*self.built_in, *self.registered), REGISTERED, self.registered.kind)


@dataclass(frozen=True)
class NamedChoices:
    """A name, or a list of distinct names to choose from.

    Attributes:
        known: the names that a schema offers.
        pattern: pattern of other names that may be registered; None if no other names are valid.
    """

    known: Iterable[str]
    pattern: str | None

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        kind = self.known.kind if isinstance(self.known, Registry) else None
        one = name_schema(self.known, self.pattern, kind)
        return {"anyOf": [one, list_of(one)]}


@dataclass(frozen=True)
class Objectives:
    """A metric, or a list of several objectives.

    Attributes:
        metrics: the metrics that a schema offers.
        others: objectives that only a list can have.
    """

    metrics: Registry[Any]
    others: tuple[str, ...]

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        several = name_schema((*self.metrics, *self.others), REGISTERED, self.metrics.kind)
        return {"anyOf": [name_schema(self.metrics, REGISTERED, self.metrics.kind), list_of(several)]}


def name_schema(known: Iterable[str], pattern: str | None, kind: str | None = None) -> dict[str, Any]:
    """Return the schema of a name.

    Args:
        known: the names that are offered.
        pattern: pattern of other valid names; None if no other names are valid.
        kind: kind of extension that the names refer to, kept under KIND.
    """
    names: dict[str, Any] = {"enum": list(known)} | ({} if kind is None else {KIND: kind})
    return names if pattern is None else {"anyOf": [names, {"type": "string", "pattern": pattern}]}


def list_of(one: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a non-empty list of distinct values."""
    return {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}
