"""Statistics of networks that were scored on the same examples with the same seeds: means, intervals and tests.

All functions are pure functions of arrays. A table of values is (k, S, m): k configurations, S seeds, m examples, as
computed by `study.evaluation.influence`. Seeds and examples are both drawn at random and every seed sees every example,
so they are crossed: a value is mean + example + seed + noise, and the variance of a mean over both is
σ²_examples/m + σ²_seeds/S + σ²_noise/(S m) (Owen 2007). Resampling rows and columns estimates it with a bias that is
large if S is small. Mean squares are unbiased (Searle, Casella & McCulloch 1992), and provide the degrees of freedom
(Satterthwaite 1946). See docs/comparison.md for formulas, sources and limitations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from engine.arrays import Array
from engine.metrics import METRICS

ALPHA = 0.05  # intervals of 95%, tests at 5%
DRAWS = 20_000
LEAST = 0.5  # lower bound of the total mean square, as a share of that of examples; with two seeds, the bound is 1
HALF = 0.5  # of an example that all networks get wrong
_STATISTICS = 6  # spawn key of the generator; see `study.search.objective` for the others


def generator(seed: int) -> np.random.Generator:
    """Return the random generator for the statistics of a study, seeded by the study's seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STATISTICS,)))


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% interval.

    Attributes:
        estimate: the estimate, in the unit of the metric.
        low, high: ends of the interval.
        p: two-sided p-value for the hypothesis that the true value is 0.
    """

    estimate: float
    low: float
    high: float
    p: float = float("nan")


@dataclass(frozen=True, eq=False)
class CrossedAnova:
    """Means of k configurations over seeds and examples, and their mean squares.

    Metrics between 0 and 1 get half an example more, of the class with the fewest: without it, networks that are all
    right on the few examples of a class, or on all, would seem to be certain. See `interval`.

    Attributes:
        means: (k,).
        by_seed: (k, S).
        examples, seeds, noise: (k, k), mean squares and products between examples, between seeds, and of the
            residuals; with one seed, the last two are 0.
        rows: (k, m), the examples' means over seeds, minus the mean.
        metric: name of the metric.
        weight: the largest weight of an example in the metric; see `study.evaluation.influence.largest_weight`.
    """

    means: Array
    by_seed: Array
    examples: Array
    seeds: Array
    noise: Array
    rows: Array
    metric: str
    weight: float

    @property
    def m(self) -> int:
        """The number of examples."""
        return int(self.rows.shape[1])

    @property
    def S(self) -> int:  # noqa: N802 - the notation of the formulas
        """The number of seeds."""
        return int(self.by_seed.shape[1])

    def spread(self, contrast: Array) -> tuple[float, float]:
        """Return the variance of a linear combination of the means, contrast (k,), and its degrees of freedom.

        The variance is (MS_examples + MS_seeds − MS_noise) / (S m).
        """
        a, b, e = (max(0.0, float(contrast @ M @ contrast)) for M in (self.examples, self.seeds, self.noise))
        return crossed_variance(a, b, e, self.S, self.m)

    def covariance(self) -> Array:
        """Return the (k, k) covariance of the means, which is positive semidefinite."""
        values, vectors = np.linalg.eigh(self.seeds - self.noise)
        excess = (vectors * np.maximum(values, 0)) @ vectors.T
        covariance: Array = (self.examples + excess) / (self.S * self.m)
        return covariance

    def interval(self, place: int) -> Interval:
        """Return the mean of a configuration with its interval; see `interval`."""
        contrast = np.eye(len(self.means))[place]
        variance, degrees = self.spread(contrast)
        skewness = self._skewness(contrast, variance)
        return interval(self.metric, float(self.means[place]), variance, degrees, self.weight, skewness)

    def difference(self, first: int, second: int, level: float = ALPHA) -> Interval:
        """Return mean(first) − mean(second) with its interval and p-value; 0 is outside if p < level.

        It is a t test, adjusted for the skewness of the log loss in the same way as its interval. The variance is never
        0, unless both are the same configuration or make exactly the same predictions.
        """
        contrast = _pair(len(self.means), first, second)
        estimate = float(self.means[first] - self.means[second])
        variance, degrees = self.spread(contrast)
        variance += self.least_variance
        if first == second or variance <= (1e-12 * max(1.0, float(np.abs(self.means).max()))) ** 2:
            return Interval(estimate, estimate, estimate, 1.0 if first == second or abs(estimate) < 1e-12 else 0.0)
        skewness = self._skewness(contrast, variance) if self.metric == "log_loss" else 0.0
        error, t = variance**0.5, float(stats.t.ppf(1 - level / 2, degrees))
        low, high = estimate - error * bent_quantile(t, skewness), estimate - error * bent_quantile(-t, skewness)
        p = 2 * stats.t.sf(abs(_unbent(estimate / error, skewness)), degrees)
        return Interval(estimate, low, high, float(p))

    @property
    def least_variance(self) -> float:
        """The variance of a difference that comes from half an example; 0 for metrics that are not between 0 and 1."""
        return HALF * self.weight**2 if self.metric in BOUNDED else 0.0

    def _skewness(self, contrast: Array, variance: float) -> float:
        """Return the skewness of a linear combination of the means, from that of the examples."""
        third = float(np.mean((contrast @ self.rows) ** 3))
        return third / (self.m**2 * variance**1.5) if variance > 0 else 0.0


def crossed_anova(values: Array, metric: str, weight: float | None = None) -> CrossedAnova:
    """Return the means and mean squares of a table of values, for pairwise comparisons.

    Args:
        values: (k, S, m).
        metric: name of the metric of the values.
        weight: the largest weight of an example in the metric; None is 1/m, which is that of a plain mean.
    """
    values = np.asarray(values, dtype=np.float64)
    k, S, m = values.shape
    by_seed, by_example = values.mean(axis=2), values.mean(axis=1)
    means = by_seed.mean(axis=1)
    rows, columns = by_example - means[:, None], by_seed - means[:, None]
    examples = S * rows @ rows.T / max(m - 1, 1)
    weight = 1 / m if weight is None else weight
    if S == 1:
        return CrossedAnova(means, by_seed, examples, np.zeros((k, k)), np.zeros((k, k)), rows, metric, weight)
    left = (values - by_seed[:, :, None] - by_example[:, None, :] + means[:, None, None]).reshape(k, -1)
    return CrossedAnova(
        means=means,
        by_seed=by_seed,
        examples=examples,
        seeds=m * columns @ columns.T / (S - 1),
        noise=left @ left.T / ((S - 1) * max(m - 1, 1)),
        rows=rows,
        metric=metric,
        weight=weight,
    )


def crossed_variance(a: float, b: float, e: float, S: int, m: int) -> tuple[float, float]:
    """Return the variance of a mean over S seeds and m examples, and its degrees of freedom (Satterthwaite 1946).

    Args:
        a, b, e: mean squares of examples, of seeds and of the residuals.
        S, m: numbers of seeds and examples.
    """
    n = max(m - 1, 1)
    if S == 1:
        return a / m, n
    # Without variance between seeds, b − e is noise around 0, which must not make the sum tiny.
    total = max(a + b - e, max(LEAST, 1 / (S - 1)) * a)
    if total <= 0:
        return 0.0, n
    degrees = total**2 / (a**2 / n + b**2 / (S - 1) + e**2 / (n * (S - 1)))
    return total / (S * m), float(np.clip(degrees, min(S - 1, n), S - 1 + n))


def interval(
    metric: str, mean: float, variance: float, degrees: float, weight: float, skewness: float = 0.0
) -> Interval:
    """Return the interval of the mean of a metric.

    Metrics between 0 and 1 get the interval of Wilson (1927) for the effective number of examples (Korn & Graubard
    1998). The estimate of that number adds half an example that all networks get wrong, since few errors carry little
    information. It is an example of the rarest class, which has the largest weight. The other metrics get a t interval,
    corrected for skewness by Hall's transformation (1992), since a few examples may account for most of a log loss.

    Args:
        metric: a name in `engine.metrics.METRICS`.
        mean: the mean.
        variance, degrees, skewness: variance, degrees of freedom and skewness of the mean; see `CrossedAnova`.
        weight: the largest weight of an example in the metric, 1/m in a plain mean.
    """
    t = float(stats.t.ppf(1 - ALPHA / 2, degrees))
    if metric in BOUNDED:
        alone = max(mean * (1 - mean), 0.0)
        n = (alone + HALF * weight) / (variance + HALF * weight**2)
        centre, shrink = mean + t**2 / (2 * n), 1 + t**2 / n
        reach = t * float(np.sqrt(alone / n + (t / (2 * n)) ** 2))
        return Interval(mean, max(0.0, (centre - reach) / shrink), min(1.0, (centre + reach) / shrink))
    error = variance**0.5
    low, high = mean - error * bent_quantile(t, skewness), mean - error * bent_quantile(-t, skewness)
    return Interval(mean, max(low, METRICS[metric].low), min(high, METRICS[metric].high))


def bent_quantile(t: float, skewness: float) -> float:
    """Return the quantile t of a standardized mean, corrected for skewness (Hall 1992, the inverse of g₂)."""
    if abs(skewness) < 1e-6:
        return t
    return float(3 / skewness * (np.cbrt(1 + skewness * (t - skewness / 6)) - 1))


def _unbent(t: float, skewness: float) -> float:
    """Return the t statistic that `bent_quantile` maps to this one (Hall 1992, g₂)."""
    if abs(skewness) < 1e-6:
        return t
    return float(((1 + skewness * t / 3) ** 3 - 1) / skewness + skewness / 6)


BOUNDED = ("accuracy", "balanced_accuracy", "f1", "auc")


def adjust_to_best(
    table: CrossedAnova, winner: int, p: Sequence[float], rng: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Adjust p-values for differences from a winner that the same data selected.

    The winner may lead by chance. A configuration is therefore worse only if it trails by more than the best of the
    others would lead it if all were equal (multiple comparisons with the best: Hsu 1984; simulated from the joint
    normal distribution of the differences). As a result, the truly best configuration is called worse than the winner
    in at most 2.5% of studies. With two configurations, nothing changes.

    Args:
        table: means and mean squares of k configurations.
        winner: index of the winner.
        p: two-sided p-value of each configuration's difference from the winner, (k,); the winner's own is ignored.
        rng: random generator.

    Returns:
        The adjusted p-values, and the level for each unadjusted p-value that corresponds to ALPHA.
    """
    k, level = len(table.means), ALPHA
    adjusted, levels = list(p), [level] * k
    if k <= 2:
        return adjusted, levels
    covariance = table.covariance()
    draws = _normal(covariance, DRAWS, rng)
    for place in range(k):
        others = [other for other in range(k) if other != place]
        scales = np.sqrt([max(0.0, float(c @ covariance @ c)) for c in (_pair(k, other, place) for other in others)])
        moving = [(other, scale) for other, scale in zip(others, scales, strict=True) if scale > 1e-12]
        if place == winner or not moving:
            continue
        leads = np.max([(draws[:, other] - draws[:, place]) / scale for other, scale in moving], axis=0)
        smallest = np.sort(2 * special.ndtr(-leads))
        by_luck = 2 * (np.searchsorted(smallest, p[place], side="right") + 1) / (DRAWS + 1)
        adjusted[place] = float(min(1.0, max(by_luck, p[place])))
        levels[place] = float(min(level, np.quantile(smallest, level / 2)))
    return adjusted, levels


def _pair(k: int, first: int, second: int) -> Array:
    contrast = np.zeros(k)
    contrast[first], contrast[second] = 1.0, -1.0
    return contrast


def _normal(covariance: Array, draws: int, rng: np.random.Generator) -> Array:
    """Draw from a normal distribution with mean 0, whose covariance may be singular; return (draws, k)."""
    values, vectors = np.linalg.eigh(covariance)
    # Use the symmetric root: unlike eigenvectors, it has no sign that depends on the last bit.
    values = np.where(values > 1e-12 * values.max(), values, 0.0)
    root = (vectors * np.sqrt(values)) @ vectors.T
    drawn: Array = rng.standard_normal((draws, len(values))) @ root
    return drawn
