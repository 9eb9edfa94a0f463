"""JSON Schemas of names, which pydantic cannot derive from their validators.

An instance is part of an annotated type, such as `Annotated[str, Named(BUILT_IN_SAMPLERS, SAMPLERS)]`. It reads the
registry when a schema is made, so the schema offers what is registered then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

REGISTERED = "^[a-z][a-z0-9_]*$"
"""The names that `engine.registry.Registry` accepts."""


@dataclass(frozen=True)
class Named:
    """A name that is built in or registered.

    Attributes:
        built_in, registered: the names that a schema offers.
    """

    built_in: Iterable[str]
    registered: Iterable[str] = ()

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        return name_schema((*self.built_in, *self.registered), REGISTERED)


@dataclass(frozen=True)
class NamedChoices:
    """A name, or a list of different ones to choose from.

    Attributes:
        known: the names that a schema offers.
        pattern: of other names that may be registered; None if there can be no others.
    """

    known: Iterable[str]
    pattern: str | None

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        one = name_schema(self.known, self.pattern)
        return {"anyOf": [one, list_of(one)]}


@dataclass(frozen=True)
class Objectives:
    """A metric, or a list of several objectives.

    Attributes:
        metrics: the metrics that a schema offers.
        others: objectives that only a list can have.
    """

    metrics: Iterable[str]
    others: tuple[str, ...]

    def __get_pydantic_json_schema__(self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        several = name_schema((*self.metrics, *self.others), REGISTERED)
        return {"anyOf": [name_schema(self.metrics, REGISTERED), list_of(several)]}


def name_schema(known: Iterable[str], pattern: str | None) -> dict[str, Any]:
    """Return the schema of a name; pattern: of other names that are valid, None if there are none."""
    names = {"enum": list(known)}
    return names if pattern is None else {"anyOf": [names, {"type": "string", "pattern": pattern}]}


def list_of(one: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list of different values, at least one."""
    return {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}
