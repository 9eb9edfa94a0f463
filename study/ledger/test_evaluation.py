"""The record of a test evaluation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from study.spec.parameters import ParameterValue
from study.text.formatting import agree, counted
from study.text.records import from_json

# What the first ledgers did not store.
_OLDER: dict[str, object] = {
    "low": None,
    "high": None,
    "metrics": {},
    "undefined": {},
    "with_dev": False,
    "m": 0,
    "at": "",
    "files": {},
    "dialect": {},
}


@dataclass(frozen=True)
class Member:
    """Some networks of the final model, which have the same configuration.

    Attributes:
        trial: number of the trial whose configuration they have.
        networks: number of networks.
    """

    trial: int
    networks: int


@dataclass(frozen=True)
class TestEvaluation:
    """One test evaluation, as stored in the ledger.

    Attributes:
        trial: number of the trial.
        setting: the configuration that was trained.
        metric: the metric of the study.
        value: its value on the test set; None if it is undefined there.
        low, high: ends of its 95% interval over the test examples; None if the metric is undefined, or there are too
            few examples.
        metrics: all metrics of the task; None for an undefined one.
        undefined: the reason for each undefined metric.
        with_dev: whether the model was trained on train and dev together.
        m: number of test examples.
        at: time in UTC, as ISO 8601.
        files: SHA-256 of the model and of its example rows, and the name of the transform; see
            `study.model.pipeline.FinalFiles`.
        dialect: the format of the text file that the model was trained on, as keys of `[data]`.
        networks: number of networks that the model averages.
        diverged: number of networks that were left out because they diverged.
        members: the trials whose configurations the networks have, with their numbers of networks; empty for models of
            versions up to 0.2, which have a single network.
    """

    trial: int
    setting: Mapping[str, ParameterValue]
    metric: str
    value: float | None
    low: float | None
    high: float | None
    metrics: Mapping[str, float | None]
    undefined: Mapping[str, str]
    with_dev: bool
    m: int
    at: str
    files: Mapping[str, str]
    dialect: Mapping[str, object]
    networks: int = 1
    diverged: int = 0
    members: tuple[Member, ...] = ()

    @property
    def description(self) -> str:
        """The kind of model and its training data, such as "average of 10 networks, trained on train and dev"."""
        return describe_training(self.networks, [member.trial for member in self.members], with_dev=self.with_dev)

    @property
    def divergence(self) -> str:
        """A sentence on the networks that were left out; "" if there are none."""
        if not self.diverged:
            return ""
        networks = counted(self.networks + self.diverged, "network")
        were = agree(self.diverged, "was", "were")
        return f"{self.diverged} of {networks} diverged and {were} left out of the average."


def read_test_evaluations(kept: Iterable[Mapping[str, object]]) -> tuple[TestEvaluation, ...]:
    """Return the test evaluations of a ledger, in its order."""
    return tuple(from_json(TestEvaluation, _OLDER | each) for each in map(dict, kept))


def describe_training(networks: int, trials: Sequence[int], *, with_dev: bool) -> str:
    """Return the kind of a final model and its training data: "average of 10 networks, trained on train and dev".

    Args:
        networks: number of networks.
        trials: the trials whose configurations they have.
        with_dev: whether they were trained on train and dev together.
    """
    part = "train and dev" if with_dev else "train"
    if networks == 1:
        return f"trained on {part}"
    of = f" of trials {', '.join(map(str, trials))}" if len(trials) > 1 else ""
    return f"average of {networks} networks{of}, trained on {part}"
