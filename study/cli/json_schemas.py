"""JSON Schemas of the --json output of the commands, generated from the records that they print."""

import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypedDict

from pydantic import TypeAdapter

from study.cli.views.trial import TrialAnswer
from study.evaluation.comparison import Comparison
from study.ledger.answers import StudyAnswer, StudyLine
from study.ledger.confirmation import ConfirmAnswer
from study.ledger.recheck import Recheck
from study.model.final import Final
from study.planning.record import Plan
from study.report.facts import ReportAnswer
from study.service import schemas as service
from study.text.records import IF_ANY, Json, key_of, properties_of
from study.tracking.sync import SyncResult

ANSWERS: dict[str, Any] = {
    "cancel": service.SubmissionAnswer,
    "compare": Comparison,
    "confirm": ConfirmAnswer,
    "finalize": Final,
    "list": list[StudyLine],
    "plan": Plan,
    "recheck": Recheck,
    "report": ReportAnswer,
    "show": StudyAnswer,
    "show-trial": TrialAnswer,
    "status": list[service.StudyLine] | service.StudyAnswer,
    "submit": service.SubmissionAnswer,
    "sync": SyncResult,
}
"""The record that each command prints; "show-trial" is `study show NAME TRIAL`."""


class _ObjectSchema(TypedDict):
    """The part of a record's schema that lists its keys."""

    properties: dict[str, Json]
    required: list[str]
    additionalProperties: bool


DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(command: str) -> dict[str, Json]:
    """Return the JSON Schema of the --json output of a command, which is a key of `ANSWERS`."""
    kind = ANSWERS[command]
    made = TypeAdapter(kind).json_schema()
    for record in set(_records(kind)):
        _describe(record, made.get("$defs", {}).get(record.__name__, made))
    made.pop("title", None)
    return {"$schema": DIALECT, "title": f"study {command.partition('-')[0]} --json", **made}


def _describe(record: type, described: _ObjectSchema) -> None:
    """Add to a record's schema the keys that `study.text.records.to_json` writes: fields and listed properties."""
    renamed = {each.name: key_of(each) for each in fields(record)}
    for name in properties_of(record):
        returned = typing.get_type_hints(getattr(record, name).fget)["return"]
        described["properties"][name] = TypeAdapter(returned).json_schema()
    described["properties"] = {renamed.get(name, name): schema for name, schema in described["properties"].items()}
    always = [key_of(each) for each in fields(record) if each.metadata != IF_ANY]
    described["required"] = [*always, *properties_of(record)]
    described["additionalProperties"] = False


def _records(kind: object) -> Iterator[type]:
    """Yield the records that a type consists of."""
    if isinstance(kind, type) and is_dataclass(kind):
        yield kind
        hints = typing.get_type_hints(kind)
        for each in fields(kind):
            yield from _records(hints[each.name])
    for argument in typing.get_args(kind):
        yield from _records(argument)
