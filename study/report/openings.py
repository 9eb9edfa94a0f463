"""Test evaluations in the ledger as records. Values that are missing from the ledger are None."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.ledger import test_evaluation as ledger
from study.ledger.test_evaluation import Member, describe_training


@dataclass(frozen=True)
class TestEvaluation:
    """One test evaluation.

    Attributes:
        trial: number of the trial.
        metric: metric of the study.
        value, low, high: value on the test set with its 95% interval; None if the metric is undefined there.
        m: number of examples.
        at: day of the evaluation.
        networks: number of networks that the model averages.
        members: the trials whose configurations they have.
        with_dev: whether they were trained on train and dev together.
    """

    trial: int
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    m: int | None = None
    at: str = ""
    networks: int = 1
    members: tuple[Member, ...] = ()
    with_dev: bool = False

    @property
    def description(self) -> str:
        """The kind of model and its training data; see `describe_training`."""
        return describe_training(self.networks, [member.trial for member in self.members], with_dev=self.with_dev)


def read_test_evaluations(kept: Sequence[ledger.TestEvaluation]) -> tuple[TestEvaluation, ...]:
    """Return the test evaluations, oldest first."""
    return tuple(
        TestEvaluation(
            trial=each.trial,
            metric=each.metric,
            value=each.value,
            low=each.low,
            high=each.high,
            m=each.m or None,
            at=each.at[:10],
            networks=each.networks,
            members=each.members,
            with_dev=each.with_dev,
        )
        for each in kept
    )
