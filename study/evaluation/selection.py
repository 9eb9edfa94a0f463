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
    Interval,
    adjust_to_best,
    crossed_anova,
    generator,
)
from study.ledger.confirmation import Difference, Power, Score

POINTS, SHARE = 0.01, 0.02  # the margin: for metrics between 0 and 1, and for others as a share of the best value
DETECTED_POINTS, DETECTED_SHARE = 0.02, 0.05  # the difference that power is computed for, in the same way

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
        margin: the loss that is accepted for a cheaper configuration, in the unit of the metric.
        recommended: label of the cheapest configuration, by work and then parameters, that is not worse than the best
            by more than the margin: the confidence interval of the difference excludes a larger loss.
        power: power of the comparison; None with a single configuration.
    """

    scores: tuple[Score, ...]
    best: Label
    margin: float
    recommended: Label
    power: Power | None


def select_best(
    metric: str,
    configurations: Sequence[ScoredConfiguration[Label]],
    seed: int,
    weight: float,
    margin: float | None = None,
) -> Selection[Label]:
    """Select the best configuration, and the cheapest that costs at most a margin.

    A configuration is significantly different from the best if p is below 5%; p is adjusted because the same data
    selected the best. It is equivalent if the interval of the difference lies within the margin on both sides.

    Args:
        metric: metric of the tables.
        configurations: at least one; all with the same seeds and examples.
        seed: seed of the study.
        weight: the largest weight of an example in the metric.
        margin: the loss that is accepted for a cheaper configuration; None is 0.01 for metrics between 0 and 1 and R²,
            and 2% of the best value for the others.
    """
    sign = 1 if METRICS[metric].direction == "maximize" else -1
    table = crossed_anova(np.stack([each.table for each in configurations]), metric, weight)
    k = len(configurations)
    best = int(np.argmax(sign * table.means))
    if margin is None:
        margin = usual_margin(metric, float(table.means[best]))
    p, levels = adjust_to_best(table, best, [table.difference(place, best).p for place in range(k)], generator(seed))
    differences = [table.difference(place, best, levels[place]) for place in range(k)]
    scores = tuple(
        _score(table, place, configuration, differences[place], p[place], margin, _power(table, [place], best, levels))
        for place, configuration in enumerate(configurations)
    )
    losses = [-min(sign * each.low, sign * each.high) for each in differences]  # the largest that is plausible
    harmless = [place for place in range(k) if place == best or losses[place] < margin]
    cheapest = min(harmless, key=lambda place: (configurations[place].work, configurations[place].parameters, place))
    return Selection(
        scores=scores,
        best=configurations[best].label,
        margin=margin,
        recommended=configurations[cheapest].label,
        power=_power(table, [place for place in range(k) if place != best], best, levels),
    )


def _score(
    table: CrossedAnova,
    place: int,
    configuration: ScoredConfiguration[Label],
    difference: Interval,
    p: float,
    margin: float,
    power: Power | None,
) -> Score:
    mean = table.interval(place)
    return Score(
        value=mean.estimate,
        low=mean.low,
        high=mean.high,
        by_seed=tuple(float(value) for value in table.by_seed[place]),
        indistinguishable=p >= ALPHA,
        equivalent=-margin < difference.low and difference.high < margin,
        difference=Difference(estimate=difference.estimate, low=difference.low, high=difference.high, p=p),
        power=None if power is None else power.power,
        work=configuration.work,
        parameters=configuration.parameters,
    )


def usual_margin(metric: str, best: float) -> float:
    """Return the default margin, given the value of the best configuration."""
    return POINTS if _in_points(metric) else SHARE * abs(best)


def _in_points(metric: str) -> bool:
    return metric in (*BOUNDED, "r2")


def _power(table: CrossedAnova, places: Sequence[int], best: int, levels: Sequence[float]) -> Power | None:
    """Return the power of detecting a difference from the best, with the mean variance of the differences.

    It is None for the best itself, and where differences do not vary, so that nothing can be said.
    """
    k = len(table.means)
    spread = power.spread_of(table, np.array([np.eye(k)[place] - np.eye(k)[best] for place in places if place != best]))
    if spread.is_zero:
        return None
    wanted = DETECTED_POINTS if _in_points(table.metric) else DETECTED_SHARE * abs(float(table.means[best]))
    level = float(np.mean([levels[place] for place in places]))
    return Power(
        difference=wanted,
        power=power.power(wanted, spread, table.S, table.m, level),
        detectable=power.detectable(spread, table.S, table.m, level),
        wanted=power.WANTED,
        seeds_needed=power.seeds_needed(wanted, spread, table.m, level),
        examples_needed=power.examples_needed(wanted, spread, table.S, level),
        examples_range=power.examples_range(wanted, spread, table.S, table.m, level),
        level=level,
    )
