"""Test evaluations in the ledger as records. Values that are missing from the ledger are None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from study.text.records import from_json


@dataclass(frozen=True)
class TestEvaluation:
    """One test evaluation.

    Attributes:
        trial: number of the trial.
        metric: metric of the study.
        value, low, high: value on the test set with its 95% interval; None if the metric is undefined there.
        m: number of examples.
        at: day of the evaluation.
    """

    trial: int
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    m: int | None = None
    at: str = ""


def read_test_evaluations(kept: Sequence[Mapping[str, object]]) -> tuple[TestEvaluation, ...]:
    """Return the test evaluations, oldest first."""
    openings = [from_json(TestEvaluation, each) for each in kept]
    return tuple(replace(each, at=each.at[:10]) for each in openings)
