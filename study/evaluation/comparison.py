"""What `study compare` finds, as records: networks, the differences of each pair, and where their curves are drawn."""

from dataclasses import dataclass
from typing import Literal

from study.ledger.confirmation import Part
from study.spec.parameters import ParameterValue


@dataclass(frozen=True, kw_only=True)
class ComparedNetwork:
    """One of those that are compared.

    Attributes:
        label: the trial's number, before it the study's name where that is another one.
        study, trial: which it is.
        value: mean over seeds; low, high: its 95% interval.
        by_seed: the value of each seed.
        work, parameters: units of work of its training in the search, weights and biases.
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
    """The difference of two of them.

    Attributes:
        first, second: labels.
        estimate: of the first less the second; low, high: its 95% interval.
        p: two-sided; p_holm: adjusted for the number of pairs.
        different: whether they are significantly different by p_holm.
        test: its name.
        effect: the difference in a sentence.
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
        metric, direction: that they are compared by.
        part: the examples; m: how many.
        seeds: networks of each.
        networks: whether they are those of `study confirm` or those of the search.
        contenders: what is compared, in the order given.
        pairs: every pair of them.
        parameters: the hyperparameters that differ, with a value for each, None where it has none.
        picture: path of the file with their curves.
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
