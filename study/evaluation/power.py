"""The power of a comparison: the probability of detecting a true difference, given its variance, seeds and examples.

See `study.evaluation.statistics` for the model and its sources.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from engine.activations import Array
from study.evaluation.statistics import ALPHA, CrossedAnova, crossed_variance

WANTED = 0.8
MOST_SEEDS = 1000
_GRID = (np.arange(500) + 0.5) / 500
MOST_EXAMPLES = 10_000_000


@dataclass(frozen=True)
class Spread:
    """Variance components of the difference between two configurations.

    Attributes:
        examples: variance between examples, of the mean over seeds.
        seeds: variance between seeds, of the mean over examples.
        noise: residual variance, of one example with one seed.
        least: m² times the variance that comes from half an example, which decreases with the square of m.
    """

    examples: float
    seeds: float
    noise: float
    least: float = 0.0

    @property
    def is_zero(self) -> bool:
        """Whether differences do not vary at all."""
        return max(self.examples, self.seeds, self.noise, self.least) <= 0

    def variance(self, S: int, m: int) -> tuple[float, float]:
        """Return the expected variance of a difference with S seeds and m examples, and its degrees of freedom."""
        variance, degrees = crossed_variance(*self.squares(S, m), S, m)
        return variance + self.least / m**2, degrees

    def times(self, factor: float) -> "Spread":
        """Return the spread with all variances multiplied by a factor."""
        return Spread(factor * self.examples, factor * self.seeds, factor * self.noise, self.least)

    def squares(self, S: int, m: int) -> tuple[float, float, float]:
        """Return the expected mean squares with S seeds and m examples."""
        return S * self.examples + self.noise, m * self.seeds + self.noise, self.noise


def spread_of(table: CrossedAnova, contrasts: Array) -> Spread:
    """Return the mean variance components of differences, given as contrasts (n, k), from their mean squares."""
    a, b, e = (
        float(np.mean([c @ M @ c for c in contrasts])) if len(contrasts) else 0.0
        for M in (table.examples, table.seeds, table.noise)
    )
    least = table.least_variance * table.m**2 if len(contrasts) else 0.0
    return Spread(max(0.0, a - e) / table.S, max(0.0, b - e) / table.m, max(0.0, e), least)


def power(difference: float, spread: Spread, seeds: int, examples: int, level: float = ALPHA) -> float:
    """Return the probability of detecting a true difference with the correct sign.

    Args:
        difference: the true difference, in the unit of the metric; its sign is ignored.
        spread: variance components of the difference.
        seeds: number of seeds, at least 2.
        examples: number of examples.
        level: significance level.
    """
    variance, degrees = spread.variance(seeds, examples)
    if variance <= 0:
        return 1.0 if difference else level / 2
    critical = float(stats.t.ppf(1 - level / 2, degrees))
    distance = abs(difference) / variance**0.5
    # P(T > critical) for a noncentral t, a normal variable divided by the root of an independent χ²: average the normal
    # probability over quantiles of χ². SciPy's noncentral t returns NaN far out in the tail.
    return float(np.mean(special.ndtr(distance - critical * np.sqrt(stats.chi2.ppf(_GRID, degrees) / degrees))))


def detectable(spread: Spread, seeds: int, examples: int, level: float = ALPHA) -> float:
    """Return the smallest true difference that is detected with probability WANTED."""
    variance, _ = spread.variance(seeds, examples)
    low, high = 0.0, float(variance**0.5)
    if not high:
        return 0.0
    while power(high, spread, seeds, examples, level) < WANTED:
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, spread, seeds, examples, level) >= WANTED else (middle, high)
    return high


def seeds_needed(difference: float, spread: Spread, examples: int, level: float = ALPHA) -> int | None:
    """Return the number of seeds that detect a difference with probability WANTED; None if no number suffices."""
    return _least(lambda n: power(difference, spread, n, examples, level), MOST_SEEDS, first=2)


def examples_needed(difference: float, spread: Spread, seeds: int, level: float = ALPHA) -> int | None:
    """Return the number of examples that detect a difference with probability WANTED; None if no number suffices."""
    return _least(lambda n: power(difference, spread, seeds, n, level), MOST_EXAMPLES, first=10)


def examples_range(
    difference: float, spread: Spread, seeds: int, examples: int, level: float = ALPHA
) -> tuple[int, int] | None:
    """Return the range of `examples_needed` that the uncertainty of the spread allows with 80% probability.

    The variance was estimated from `examples` examples, so it is a χ² variable with the degrees of freedom that it has
    there. None if no number suffices at one end.
    """
    _, degrees = spread.variance(seeds, examples)
    ends = [
        examples_needed(difference, spread.times(degrees / float(stats.chi2.ppf(tail, degrees))), seeds, level)
        for tail in (0.9, 0.1)
    ]
    return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])


def _least(found: Callable[[int], float], most: int, first: int) -> int | None:
    if found(most) < WANTED:
        return None
    low, high = first - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) >= WANTED else (middle, high)
    return high
