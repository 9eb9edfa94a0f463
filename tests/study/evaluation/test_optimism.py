"""The optimism of a winner: what it is by simulation, that nothing is taken off where nothing was chosen."""

import numpy as np
import pytest
from scipy import stats

from engine.arrays import Array
from study.evaluation.optimism import optimism


def study(
    rng: np.random.Generator, m: int, *, trials: int = 60, top: int = 5
) -> tuple[Array, dict[int, Array], int, float]:
    """Return the values in the search and on fresh seeds, the winner's row, and its true accuracy."""
    skill = 1.4 + 0.1 * rng.standard_normal(trials) - 0.1 * np.abs(rng.standard_normal(trials))
    own = 0.5 * rng.standard_normal((trials, m))  # how this configuration deals with these examples, for all seeds
    latent = skill[:, None] + rng.standard_normal(m) + own
    searched = (latent + 0.5 * rng.standard_normal((trials, m)) > 0).astype(float)
    best = np.argsort(-searched.mean(axis=1))[:top]
    seeds = 0.5 * rng.standard_normal((10, top, m))
    fresh = {int(row): (latent[row] + seeds[:, k] > 0).mean(axis=0) for k, row in enumerate(best)}
    winner = max(fresh, key=lambda row: float(fresh[row].mean()))
    return searched, fresh, winner, float(stats.norm.cdf(skill[winner] / 1.5**0.5))


@pytest.mark.slow
def test_value_without_the_optimism_is_right_on_average() -> None:
    rng = np.random.default_rng(0)
    stated, corrected = [], []
    for _ in range(100):
        searched, fresh, winner, truth = study(rng, 114)
        stated.append(fresh[winner].mean() - truth)
        corrected.append(stated[-1] - optimism(searched, fresh, 5, np.random.default_rng(0), maximize=True))
    assert np.mean(stated) > 0.01
    assert abs(np.mean(corrected)) < 0.006


def test_single_configuration_is_not_optimistic() -> None:
    values = np.random.default_rng(0).random((1, 100))
    found = optimism(values, {0: values[0]}, 1, np.random.default_rng(1), maximize=True)
    assert found == pytest.approx(0, abs=0.005)  # the error of 500 draws


def test_clear_winner_is_hardly_optimistic_and_equal_ones_are() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((20, 100))
    equal = optimism(noise, {0: noise[0], 1: noise[1]}, 5, np.random.default_rng(1), maximize=True)
    ahead = noise + 5.0 * (np.arange(20) == 0)[:, None]
    clear = optimism(ahead, {0: ahead[0], 1: ahead[1]}, 5, np.random.default_rng(1), maximize=True)
    assert clear < 0.3 * equal


def test_optimism_of_an_error_is_that_of_its_negative() -> None:
    rng = np.random.default_rng(0)
    errors = rng.random((8, 50))
    fresh = {row: errors[row] + 0.01 for row in range(3)}
    one = optimism(errors, fresh, 3, np.random.default_rng(1), maximize=False)
    other = optimism(-errors, {row: -each for row, each in fresh.items()}, 3, np.random.default_rng(1), maximize=True)
    assert one == pytest.approx(other)
