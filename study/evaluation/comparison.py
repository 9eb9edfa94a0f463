"""Records of the result of `study compare`: networks, the differences between them, and the picture of their curves."""

from dataclasses import dataclass
from typing import Literal

from study.ledger.confirmation import Part
from study.spec.parameters import ParameterValue
from study.text.cards import CardTable, Interval
from study.text.formatting import counted, figures, p_value, plain, signed
from study.text.records import Record

_SHOWN = 2  # maximum number of pairs that are shown as text


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


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Record):
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

    def sentence(self, pair: ComparedPair) -> str:
        """Return what a pair shows: which of the two is better, or that they are not significantly different."""
        ahead = (pair.estimate > 0) == (self.direction == "maximize")
        better, other = (pair.first, pair.second) if ahead else (pair.second, pair.first)
        p = f"p {p_value(pair.p_holm)}{', Holm-adjusted' if len(self.pairs) > 1 else ''}"
        if pair.different:
            return f"{_named(better)} is better than {_named(other)}: {pair.effect} ({p})."
        both = f"{_named(pair.first)} and {_named(pair.second)}"
        return f"{both} are not significantly different: {pair.effect} ({p})."

    def _lines(self) -> tuple[str, ...]:
        examples = counted(self.m, "dev example" if self.part == "dev" else "example")
        networks = counted(self.seeds, "fresh seed" if self.networks == "confirm" else "network")
        title = f"Comparison by {self.metric} on {examples}, {networks} per trial"
        shown = [self.sentence(pair) for pair in self.pairs[:_SHOWN]]
        more = [f"… and {len(self.pairs) - 1} more pairs"] if len(self.pairs) > _SHOWN else []
        return (title, *(shown[:1] if more else shown), *more)

    def _tables(self) -> tuple[CardTable, ...]:
        values = iter(figures([end for one in self.contenders for end in (one.value, one.low, one.high)]))
        networks = [
            (
                _named(one.label),
                next(values),
                f"{next(values)} to {next(values)}",
                Interval(one.value, one.low, one.high),
                f"{one.parameters:,}",
            )
            for one in self.contenders
        ]
        gaps = iter(signed([end for pair in self.pairs for end in (pair.estimate, pair.low, pair.high)]))
        pairs = [
            (
                f"{pair.first} − {pair.second}",
                next(gaps),
                f"{next(gaps)} to {next(gaps)}",
                p_value(pair.p_holm).removeprefix("= "),
                pair.test,
            )
            for pair in self.pairs
        ]
        differing = [(name, *map(plain, values)) for name, values in self.parameters.items()]
        labels = tuple(_named(one.label) for one in self.contenders)
        tables = (
            CardTable(networks, ("trial", self.metric, "95% interval", "", "parameters")),
            CardTable(pairs, ("difference", self.metric, "95% interval", "p", "test")),
        )
        return (*tables, CardTable(differing, ("differs in", *labels))) if differing else tables


def _named(label: str) -> str:
    return f"trial {label}" if label.isdecimal() else label
