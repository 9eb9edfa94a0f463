"""Schedules go from 1 to final_fraction, whatever the number of iterations."""

from itertools import pairwise

import numpy as np
import pytest

from engine import Architecture, train
from engine.schedules import SCHEDULES


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("final", [0.01, 0.5, 1.0])
def test_starts_at_one_and_never_rises_nor_passes_the_end(name, final):
    factors = [SCHEDULES[name].factor(t / 1000, final) for t in range(1000)]
    assert factors[0] == 1
    assert all(a >= b for a, b in pairwise(factors))
    if name != "constant":
        assert factors[-1] == pytest.approx(final, rel=0.2)
        assert factors[-1] >= final * (1 - 1e-12)


def test_inverse_time_by_hand():
    # α₀ / (1 + decay · t) that ends at a fifth: after half of the time 1 / (1 + 4 · ½) = ⅓.
    assert SCHEDULES["inverse_time"].factor(0.5, 0.2) == pytest.approx(1 / 3)


def test_cosine_by_hand():
    assert SCHEDULES["cosine"].factor(0.5, 0.2) == pytest.approx(0.6)


def test_step_has_four_plateaus_of_equal_ratio():
    values = sorted({SCHEDULES["step"].factor(t / 100, 1e-3) for t in range(100)}, reverse=True)
    assert values == pytest.approx([1, 0.1, 0.01, 0.001])


@pytest.mark.parametrize("name", SCHEDULES)
def test_training_takes_the_learning_rate_of_its_iteration(name, problem):
    architecture = Architecture((3, 1), output_activation="identity")
    X, Y = problem(architecture)
    theta = np.zeros(4)
    for t in range(12):
        Z = theta[:3] @ X + theta[3]
        g = (Z - Y[0]) @ np.vstack([X, np.ones(X.shape[1])]).T / X.shape[1]
        theta = theta - 0.3 * SCHEDULES[name].factor(t / 12, 0.1) * g
    result = train(
        architecture, X, Y, learning_rate=0.3, iterations=12, schedule=name, final_fraction=0.1, initialization="zeros"
    )
    np.testing.assert_allclose(result.parameters.vector, theta, rtol=1e-12)
