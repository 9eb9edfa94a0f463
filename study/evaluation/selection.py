"""Selection of the best and the recommended configuration among those scored on the same seeds and examples."""

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

POINTS = 0.02  # the difference that power is computed for, if the metric is between 0 and 1
SHARE = 0.05  # the same for other metrics, as a share of the best value

Label = TypeVar("Label", int, str)


@dataclass(frozen=True, eq=False)
class ScoredConfiguration(Generic[Label]):
    """A configuration with its scores.

    Attributes:
        label: number of a trial, or a name.
        table: (S, m), the values of single examples by seed.
        work: units of work of its training in the search.
        parameters: number of weights and biases.
    """

    label: Label
    table: Array
    work: float
    parameters: int


@dataclass(frozen=True)
class Selection(Generic[Label]):
    """The result of a selection.

    Attributes:
        scores: one for each configuration, in the given order.
        best: label of the configuration with the best mean over seeds.
        recommended: label of the cheapest configuration, by work and then parameters, that is not significantly
            different from the best.
        power: power of the comparison; None with a single configuration.
    """

    scores: tuple[Score, ...]
    best: Label
    recommended: Label
    power: Power | None


def select_best(metric: str, configurations: Sequence[ScoredConfiguration[Label]], seed: int) -> Selection[Label]:
    """Select the best configuration, and the cheapest that is not significantly different from it.

    A configuration is significantly different from the best if p is below 5%; p is adjusted because the same data
    selected the best.

    Args:
        metric: metric of the tables.
        configurations: at least one; all with the same seeds and examples.
        seed: seed of the study.
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
    """Return the power of detecting a difference from the best, with the mean variance of the differences."""
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
