"""Records of the result of `study compare`: networks, the differences between them, and the picture of their curves."""

from dataclasses import dataclass
from typing import Literal

from study.ledger.confirmation import Part
from study.spec.parameters import ParameterValue


@dataclass(frozen=True, kw_only=True)
class ComparedNetwork:
    """A trial in a comparison.

    Attributes:
        label: number of the trial, prefixed with the name of its study if that is another one.
        study: name of its study.
        trial: number of the trial.
        value: mean over seeds.
        low, high: ends of the 95% interval of the mean.
        by_seed: the value for each seed.
        work: units of work of its training in the search.
        parameters: number of weights and biases.
    """

    label: str
    study: str
    trial: int
    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    work: float
    parameters: int


@dataclass(frozen=True, kw_only=True)
class ComparedPair:
    """The difference between two trials.

    Attributes:
        first, second: labels of the trials.
        estimate: value of the first minus that of the second.
        low, high: ends of the 95% interval of the difference.
        p: two-sided p-value.
        p_holm: p-value adjusted for the number of pairs.
        different: whether the difference is significant according to `p_holm`.
        test: name of the test.
        effect: the difference in plain words.
    """

    first: str
    second: str
    estimate: float
    low: float
    high: float
    p: float
    p_holm: float
    different: bool
    test: str
    effect: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A comparison of trials.

    Attributes:
        metric: the metric that is compared.
        direction: direction of the metric.
        part: the examples that are predicted.
        m: number of examples.
        seeds: number of networks of each trial.
        networks: whether the networks are those of `study confirm` or those of the search.
        contenders: the trials, in the given order.
        pairs: the differences between all pairs of trials.
        parameters: the hyperparameters that differ, with a value for each trial; None for one that lacks it.
        picture: path of the picture of their curves.
    """

    metric: str
    direction: str
    part: Part
    m: int
    seeds: int
    networks: Literal["confirm", "search"]
    contenders: tuple[ComparedNetwork, ...]
    pairs: tuple[ComparedPair, ...]
    parameters: dict[str, list[ParameterValue | None]]
    picture: str
