"""Openings of the test set, as records: what `study finalize` left in the ledger; what it left out is None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from study.text.records import from_json


@dataclass(frozen=True)
class TestEvaluation:
    """An opening of the test set. value: None where the metric is undefined there; at: the day; m: examples."""

    trial: int
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    m: int | None = None
    at: str = ""


def read_test_evaluations(kept: Sequence[Mapping[str, object]]) -> tuple[TestEvaluation, ...]:
    """Return the openings of the test set, oldest first."""
    openings = [from_json(TestEvaluation, each) for each in kept]
    return tuple(replace(each, at=each.at[:10]) for each in openings)
