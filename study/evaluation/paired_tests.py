"""Tests of the difference between two networks, or between several pairs of them, on the same examples."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from engine.arrays import IntArray
from study.evaluation.statistics import ALPHA, Interval


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
