"""Records become JSON and come back equal; what is not there, is not finite, or is unknown."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from study.text.records import IF_ANY, from_json, to_json


@dataclass(frozen=True)
class Inner:
    name: str
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    JSON_PROPERTIES: ClassVar[tuple[str, ...]] = ("size",)

    several: tuple[int, ...] | None = field(default=None, metadata=IF_ANY)
    inner: Inner
    many: tuple[Inner, ...]
    by_number: dict[int, float]
    free: dict[str, Any]
    file: Path
    value: float | None

    @property
    def size(self) -> int:
        return len(self.many)


RECORD = Outer(
    inner=Inner("a", (0.5, 1.0)),
    many=(Inner("b"), Inner("c")),
    by_number={3: 0.25},
    free={"rate": [1, 2]},
    file=Path("x/y"),
    value=None,
)


def test_fields_are_keys_in_order_and_named_properties_follow() -> None:
    plain = to_json(RECORD)
    assert list(plain) == ["inner", "many", "by_number", "free", "file", "value", "size"]
    assert plain["inner"] == {"name": "a", "ends": [0.5, 1.0]}
    assert (plain["by_number"], plain["file"], plain["size"]) == ({"3": 0.25}, "x/y", 2)
    assert "several" in to_json(Outer(**{**vars(RECORD), "several": (1,)}))


def test_a_record_comes_back_equal_and_unknown_keys_are_ignored() -> None:
    assert from_json(Outer, json.loads(json.dumps(to_json(RECORD) | {"later": 1}))) == RECORD


def test_what_json_cannot_hold_becomes_null_or_is_refused() -> None:
    assert to_json(Inner("a", (float("nan"), float("inf"))))["ends"] == [None, None]
    with pytest.raises(TypeError, match="values of type set cannot be converted to JSON"):
        to_json(Inner("a", {1}))  # type: ignore[arg-type]


def test_a_missing_key_is_named() -> None:
    with pytest.raises(KeyError, match="Inner: name is missing"):
        from_json(Inner, {})
