"""Openings of the test set, as records: what `study finalize` left in the ledger; what it left out is None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TestEvaluation:
    """An opening of the test set. value: None where the metric is undefined there; at: the day; m: examples."""

    trial: int
    metric: str
    value: float | None
    low: float | None
    high: float | None
    m: int | None
    at: str


def read_test_evaluations(kept: Sequence[Mapping[str, Any]]) -> tuple[TestEvaluation, ...]:
    """Return the openings of the test set, oldest first."""
    return tuple(
        TestEvaluation(
            trial=int(one["trial"]),
            metric=str(one["metric"]),
            value=one.get("value"),
            low=one.get("low"),
            high=one.get("high"),
            m=one.get("m"),
            at=str(one.get("at", ""))[:10],
        )
        for one in kept
    )
