"""The selection among configurations that were scored on the same seeds and examples: the best, and the recommended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from engine.activations import Array
from engine.metrics import METRICS
from study.evaluation import power
from study.evaluation.statistics import (
    ALPHA,
    BOUNDED,
    CrossedAnova,
    adjust_to_best,
    crossed_anova,
    generator,
    probability_best,
)
from study.ledger.confirmation import Difference, Power, Score

POINTS = 0.02  # the difference that power is stated for, where a metric goes from 0 to 1
SHARE = 0.05  # of the best value, for other metrics

Label = TypeVar("Label", int, str)


@dataclass(frozen=True, eq=False)
class ScoredConfiguration(Generic[Label]):
    """A configuration with its scores.

    Attributes:
        label: what it is called: a trial's number, or a name.
        table: (S, m), values of single examples by seed.
        work, parameters: what it costs: units of work of its training in the search, numbers in its network.
    """

    label: Label
    table: Array
    work: float
    parameters: int


@dataclass(frozen=True)
class Selection(Generic[Label]):
    """What was selected.

    Attributes:
        scores: one for each configuration, in the order given.
        best: label of the one with the best mean over seeds.
        recommended: of the cheapest that is not significantly different from it, by work, then parameters.
        power: None where there is nothing to compare the best with.
    """

    scores: tuple[Score, ...]
    best: Label
    recommended: Label
    power: Power | None


def select_best(metric: str, configurations: Sequence[ScoredConfiguration[Label]], seed: int) -> Selection[Label]:
    """Select the best configuration, and the cheapest that is not significantly different from it.

    A configuration is significantly different from the best where p is below 5%; p is adjusted, since the same data
    selected the best.

    Args:
        metric: what the tables are of.
        configurations: at least one, all with the same seeds and examples.
        seed: of the study.
    """
    maximize = METRICS[metric].direction == "maximize"
    rng = generator(seed)
    table = crossed_anova(np.stack([each.table for each in configurations]))
    k = len(configurations)
    best = int(np.argmax(table.means if maximize else -table.means))
    p, levels = adjust_to_best(table, best, [table.difference(place, best).p for place in range(k)], rng)
    shares = probability_best(table, rng, maximize=maximize)
    scores = []
    for place, configuration in enumerate(configurations):
        mean, difference = table.interval(metric, place), table.difference(place, best, levels[place])
        scores.append(
            Score(
                value=mean.estimate,
                low=mean.low,
                high=mean.high,
                by_seed=tuple(float(value) for value in table.by_seed[place]),
                probability_best=float(shares[place]),
                indistinguishable=bool(p[place] >= ALPHA),
                difference=Difference(
                    estimate=difference.estimate, low=difference.low, high=difference.high, p=p[place]
                ),
                work=configuration.work,
                parameters=configuration.parameters,
            )
        )
    equal = [place for place in range(k) if scores[place].indistinguishable]
    cheapest = min(equal, key=lambda place: (scores[place].work, scores[place].parameters, place))
    return Selection(
        scores=tuple(scores),
        best=configurations[best].label,
        recommended=configurations[cheapest].label,
        power=_power(metric, table, best, levels),
    )


def _power(metric: str, table: CrossedAnova, best: int, levels: Sequence[float]) -> Power | None:
    """Return how sure it is that a difference from the best is found, by the mean spread of those that there are."""
    k, others = len(table.means), [place for place in range(len(table.means)) if place != best]
    if not others:
        return None
    difference = POINTS if metric in (*BOUNDED, "r2") else SHARE * abs(float(table.means[best]))
    spread = power.spread_of(table, np.array([np.eye(k)[place] - np.eye(k)[best] for place in others]))
    level = float(np.mean([levels[place] for place in others]))
    return Power(
        difference=difference,
        power=power.power(difference, spread, table.S, table.m, level),
        detectable=power.detectable(spread, table.S, table.m, level),
        wanted=power.WANTED,
        seeds_needed=power.seeds_needed(difference, spread, table.m, level),
        examples_needed=power.examples_needed(difference, spread, table.S, level),
        level=level,
    )
