"""The value of the average of several networks, estimated from their predictions for the same examples.

The variance of the value over examples comes from the influences of the examples on the metric of the averaged
predictions, and that over seeds from a jackknife, which leaves out one seed at a time. See docs/comparison.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from engine.activations import Array
from engine.metrics import METRICS
from engine.worker_data import Fold, restore_pairs
from study.evaluation.influence import values_of
from study.evaluation.statistics import ALPHA, BOUNDED, HALF, bent_quantile, interval
from study.ledger.confirmation import Average, Part


def average_of(
    metric: str, folds: Sequence[Fold], part: Part, predictions: Array, table: Array, weight: float
) -> Average:
    """Return the value of the average of the networks, and by how much it is better than a single one.

    Args:
        metric: a name in `engine.metrics.METRICS`.
        folds, part: as in `score_table`.
        predictions: (S, n_y, M), with the examples of all folds concatenated; S is at least 2.
        table: (S, m), the values of single examples by seed; see `score_table`.
        weight: the largest weight of an example in the metric; see `largest_weight`.
    """
    seeds = len(table)
    in_units = [restore_pairs(folds, A) for A in predictions]
    values = _values(metric, part, in_units)
    without = np.array([float(_values(metric, part, in_units[:k] + in_units[k + 1 :]).mean()) for k in range(seeds)])
    singles = table.mean(axis=1)
    found = _Estimate.of(values, without)
    within = interval(metric, found.value, found.variance, found.degrees, weight, found.skewness)
    sign = 1 if METRICS[metric].direction == "maximize" else -1
    others = (singles.sum() - singles) / (seeds - 1)
    gain = _Estimate.of(sign * (values - table.mean(axis=0)), sign * (without - others))
    if metric in BOUNDED:
        # Networks may agree on all examples at hand, so half an example on which half of them are right is added.
        gain = replace(gain, variance=gain.variance + HALF * 0.25 * weight**2)
    low, high = gain.ends()
    return Average(
        networks=seeds,
        value=within.estimate,
        low=within.low,
        high=within.high,
        gain=gain.value,
        gain_low=low,
        gain_high=high,
    )


def average_values(metric: str, folds: Sequence[Fold], part: Part, predictions: Array) -> Array:
    """Return the values of single examples, (m,), of the average of networks; arguments as in `average_of`."""
    return _values(metric, part, [restore_pairs(folds, A) for A in predictions])


def _values(metric: str, part: Part, networks: Sequence[Sequence[tuple[Array, Array]]]) -> Array:
    """Return the values of single examples, (m,), of the average of networks, whose (Y, A) of each fold are given."""
    pairs = [(of_fold[0][0], np.mean([A for _, A in of_fold], axis=0)) for of_fold in zip(*networks, strict=True)]
    return values_of(metric, part, pairs)


@dataclass(frozen=True)
class _Estimate:
    """An estimate from S seeds and m examples, with its variance over both, and the degrees of freedom of that."""

    value: float
    variance: float
    degrees: float
    third: float  # third central moment of the values of single examples, divided by m²

    @classmethod
    def of(cls, values: Array, without: Array) -> "_Estimate":
        """Return the estimate of values (m,) whose mean it is, and of its values without each of the seeds, (S,)."""
        seeds, m = len(without), len(values)
        examples = float(values.var()) / max(m - 1, 1)
        jackknife = float((seeds - 1) * without.var())
        variance, degrees = examples + jackknife, float(max(m - 1, 1))
        if jackknife > 0:
            # Satterthwaite (1946)
            degrees = variance**2 / (examples**2 / max(m - 1, 1) + jackknife**2 / (seeds - 1))
        mean = float(values.mean())
        return cls(mean, variance, degrees, float(np.mean((values - mean) ** 3)) / m**2)

    @property
    def skewness(self) -> float:
        """The skewness of the estimate."""
        return self.third / self.variance**1.5 if self.variance > 0 else 0.0

    def ends(self) -> tuple[float, float]:
        """Return the ends of the t interval, corrected for skewness as in `interval`."""
        t, error = float(stats.t.ppf(1 - ALPHA / 2, self.degrees)), self.variance**0.5
        low, high = (self.value - error * bent_quantile(end, self.skewness) for end in (t, -t))
        return low, high
