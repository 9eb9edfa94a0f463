"""Test evaluations in the ledger as records. Values that are missing from the ledger are None."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.ledger import test_evaluation as ledger


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


def read_test_evaluations(kept: Sequence[ledger.TestEvaluation]) -> tuple[TestEvaluation, ...]:
    """Return the test evaluations, oldest first."""
    return tuple(
        TestEvaluation(each.trial, each.metric, each.value, each.low, each.high, each.m or None, each.at[:10])
        for each in kept
    )
