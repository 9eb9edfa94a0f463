"""Statistics of networks that were scored on the same examples with the same seeds: means, intervals and tests.

All functions are pure functions of arrays. A table of values is (k, S, m): k configurations, S seeds, m examples, as
computed by `study.evaluation.influence`. Seeds and examples are both drawn at random and every seed sees every example,
so they are crossed: a value is mean + example + seed + noise, and the variance of a mean over both is
σ²_examples/m + σ²_seeds/S + σ²_noise/(S m) (Owen 2007). Resampling rows and columns estimates it with a bias that is
large if S is small. Mean squares are unbiased (Searle, Casella & McCulloch 1992), and provide the degrees of freedom
(Satterthwaite 1946). See docs/comparison.md for formulas, sources and limitations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from engine.arrays import Array, IntArray
from engine.metrics import METRICS

ALPHA = 0.05  # intervals of 95%, tests at 5%
DRAWS = 20_000
LEAST = 0.5  # lower bound of the total mean square, as a share of that of examples; with two seeds, the bound is 1
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

    Attributes:
        means: (k,).
        by_seed: (k, S).
        examples, seeds, noise: (k, k), mean squares and products between examples, between seeds, and of the
            residuals; with one seed, the last two are 0.
        third: (k,), third central moments of the examples' means over seeds.
        m: number of examples.
    """

    means: Array
    by_seed: Array
    examples: Array
    seeds: Array
    noise: Array
    third: Array
    m: int

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

    def interval(self, metric: str, place: int) -> Interval:
        """Return the mean of a configuration with its interval; see `interval`."""
        variance, degrees = self.spread(np.eye(len(self.means))[place])
        skewness = float(self.third[place]) / (self.m**2 * variance**1.5) if variance > 0 else 0.0
        return interval(metric, float(self.means[place]), variance, degrees, self.m, skewness)

    def difference(self, first: int, second: int, level: float = ALPHA) -> Interval:
        """Return mean(first) − mean(second) with its interval and p-value (a t test), which excludes 0 if p < level."""
        contrast = np.zeros(len(self.means))
        contrast[first], contrast[second] = 1, -1
        estimate = float(self.means[first] - self.means[second])
        variance, degrees = self.spread(contrast)
        if first == second or variance <= (1e-12 * max(1.0, float(np.abs(self.means).max()))) ** 2:
            return Interval(estimate, estimate, estimate, 1.0 if first == second or abs(estimate) < 1e-12 else 0.0)
        error = variance**0.5
        reach = float(stats.t.ppf(1 - level / 2, degrees)) * error
        return Interval(
            estimate, estimate - reach, estimate + reach, float(2 * stats.t.sf(abs(estimate) / error, degrees))
        )


def crossed_anova(values: Array) -> CrossedAnova:
    """Return the means and mean squares of a table of values (k, S, m), for pairwise comparisons."""
    values = np.asarray(values, dtype=np.float64)
    k, S, m = values.shape
    by_seed, by_example = values.mean(axis=2), values.mean(axis=1)
    means = by_seed.mean(axis=1)
    rows, columns = by_example - means[:, None], by_seed - means[:, None]
    examples = S * rows @ rows.T / max(m - 1, 1)
    third = np.mean(rows**3, axis=1)
    if S == 1:
        return CrossedAnova(means, by_seed, examples, np.zeros((k, k)), np.zeros((k, k)), third, m)
    left = (values - by_seed[:, :, None] - by_example[:, None, :] + means[:, None, None]).reshape(k, -1)
    return CrossedAnova(
        means=means,
        by_seed=by_seed,
        examples=examples,
        seeds=m * columns @ columns.T / (S - 1),
        noise=left @ left.T / ((S - 1) * max(m - 1, 1)),
        third=third,
        m=m,
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


def interval(metric: str, mean: float, variance: float, degrees: float, m: int, skewness: float = 0.0) -> Interval:
    """Return the interval of the mean of a metric.

    Metrics between 0 and 1 get the interval of Wilson (1927) for the effective number of examples (Korn & Graubard
    1998). The estimate of that number adds half an example that all networks get wrong, since few errors carry little
    information. The other metrics get a t interval, corrected for skewness by Hall's transformation (1992), since a few
    examples may account for most of a log loss.

    Args:
        metric: a name in `engine.metrics.METRICS`.
        mean: the mean.
        variance, degrees, skewness: variance, degrees of freedom and skewness of the mean; see `CrossedAnova`.
        m: number of examples.
    """
    t = float(stats.t.ppf(1 - ALPHA / 2, degrees))
    if metric in BOUNDED:
        alone = max(mean * (1 - mean), 0.0)
        n = m * (m * alone + 0.5) / (m**2 * variance + 0.5)
        centre, shrink = mean + t**2 / (2 * n), 1 + t**2 / n
        reach = t * float(np.sqrt(alone / n + (t / (2 * n)) ** 2))
        return Interval(mean, max(0.0, (centre - reach) / shrink), min(1.0, (centre + reach) / shrink))
    error = variance**0.5
    low, high = mean - error * _bent(t, skewness), mean - error * _bent(-t, skewness)
    return Interval(mean, max(low, METRICS[metric].low), min(high, METRICS[metric].high))


def _bent(t: float, skewness: float) -> float:
    """Return the quantile t of a standardized mean, corrected for skewness (Hall 1992, the inverse of g₂)."""
    if abs(skewness) < 1e-6:
        return t
    return float(3 / skewness * (np.cbrt(1 + skewness * (t - skewness / 6)) - 1))


BOUNDED = ("accuracy", "balanced_accuracy", "f1", "auc")


def probability_best(table: CrossedAnova, rng: np.random.Generator, *, maximize: bool) -> Array:
    """Return the probability that each configuration is the best, (k,): the share of draws of the means in which it is.

    The means are drawn from a joint t distribution with the covariance above and the fewest degrees of freedom of any
    pair. Tied configurations share a draw.
    """
    k = len(table.means)
    degrees = min((table.spread(_pair(k, i, j))[1] for i in range(k) for j in range(i)), default=1.0)
    draws = table.means + _normal(table.covariance(), DRAWS, rng) / np.sqrt(
        rng.chisquare(degrees, (DRAWS, 1)) / degrees
    )
    draws = np.round(draws if maximize else -draws, 10)
    best = draws == draws.max(axis=1, keepdims=True)
    shares: Array = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


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


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test (1947).

    Args:
        only_first, only_second: numbers of examples that only the first, or only the second, network predicts
            correctly.
    """
    n = only_first + only_second
    return min(1.0, float(2 * stats.binom.cdf(min(only_first, only_second), n, 0.5))) if n else 1.0


def paired_shares(only_first: int, only_second: int, m: int) -> Interval:
    """Return the difference between two accuracies on the same m examples: Bonett & Price (2012), p by McNemar."""
    estimate = (only_first - only_second) / m
    first, second = (only_first + 1) / (m + 2), (only_second + 1) / (m + 2)
    reach = float(stats.norm.ppf(1 - ALPHA / 2)) * ((first + second - (first - second) ** 2) / (m + 2)) ** 0.5
    low, high = first - second - reach, first - second + reach
    return Interval(
        estimate,
        max(-1.0, min(low, estimate)),
        min(1.0, max(high, estimate)),
        mcnemar_exact(only_first, only_second),
    )


def paired_bootstrap(
    compute: Callable[[IntArray], tuple[float, float]], m: int, rng: np.random.Generator, draws: int = 2000
) -> Interval:
    """Return the difference between two networks' metrics, by resampling the same examples for both.

    The result has the percentile interval and the achieved significance level (Efron & Tibshirani 1993, chapters 13 and
    15).

    Args:
        compute: returns the two metrics for indices of examples, (m,).
        m: number of examples.
        rng: random generator.
        draws: number of draws.
    """
    first, second = compute(np.arange(m))
    resampled = np.array([np.subtract(*compute(rng.integers(0, m, m))) for _ in range(draws)])
    resampled = np.append(resampled[np.isfinite(resampled)], first - second)  # AUC is undefined for a single class
    low, high = np.quantile(resampled, [ALPHA / 2, 1 - ALPHA / 2])
    tail = min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
    return Interval(first - second, float(low), float(high), min(1.0, 2 * (tail + 1) / (len(resampled) + 1)))


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm 1979), in the given order."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1))
    return [float(value) for value in np.minimum(adjusted, 1.0)]


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
