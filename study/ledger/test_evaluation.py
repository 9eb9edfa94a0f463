"""The record of a test evaluation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from study.spec.parameters import ParameterValue
from study.text.formatting import agree, counted, figure
from study.text.records import from_json

# What the first ledgers did not store.
_OLDER: dict[str, object] = {
    "setting": {},
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


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How well probabilities are calibrated on examples that the networks were not trained on.

    Attributes:
        temperature: the temperature of the final model; 1 leaves probabilities as they are.
        log_loss: cross-entropy in nats, without a temperature.
        brier: Brier score: (p − y)² for two classes, summed over the classes for more.
        calibration_error: expected calibration error (Guo et al. 2017), with 15 bins of equal width.
        gain: the reduction of the log loss by a temperature, cross-validated over five parts.
        gain_error: standard error of `gain`.
    """

    temperature: float
    log_loss: float
    brier: float
    calibration_error: float
    gain: float
    gain_error: float


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
        temperature: temperature of the model's probabilities; 1 leaves them as they are.
        costs: costs of errors that decide which class the model predicts; None for the most probable class.
        calibration: calibration of the averaged probabilities on examples that the networks were not trained on.
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
    temperature: float = 1.0
    costs: tuple[tuple[float, ...], ...] | None = None
    calibration: Calibration | None = None

    @property
    def description(self) -> str:
        """The kind of model and its training data, such as "average of 10 networks, trained on train and dev"."""
        return describe_training(self.networks, [member.trial for member in self.members], with_dev=self.with_dev)

    @property
    def threshold(self) -> float | None:
        """The smallest probability at which the second class is predicted; None without costs or with more classes."""
        return None if self.costs is None else threshold_of(self.costs)

    @property
    def adjustments(self) -> tuple[str, ...]:
        """Sentences on the temperature of the probabilities and on the rule that chooses classes."""
        lines = []
        if self.temperature != 1:
            lines.append(f"Probabilities are calibrated with the temperature {figure(self.temperature, 3)}.")
        if self.threshold is not None:
            lines.append(f"The second class is predicted if its probability is at least {figure(self.threshold, 3)}.")
        elif self.costs is not None:
            lines.append("The class with the lowest expected cost is predicted.")
        return tuple(lines)

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


def threshold_of(costs: Sequence[Sequence[float]]) -> float | None:
    """Return the smallest probability at which the second class has the lower expected cost; None with more classes.

    Args:
        costs: (K, K); see `study.evaluation.decision`.
    """
    if len(costs) != 2:
        return None
    alarm, miss = costs[0][1] - costs[0][0], costs[1][0] - costs[1][1]
    return alarm / (alarm + miss) if alarm + miss else None


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
