"""Early stopping keeps the best parameters, and NaN never wins."""

import numpy as np
import pytest

from engine import Architecture, cost, train

ARCHITECTURE = Architecture((5, 30, 1), "tanh")


def noise(seed, m):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((5, m)), (rng.random((1, m)) < 0.5).astype(float)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "adam"])
def test_keeps_the_best_and_stops(optimizer):
    train_set, dev = noise(0, 20), noise(1, 40)  # labels are noise: what is learnt cannot help on dev
    result = train(
        ARCHITECTURE, *train_set, learning_rate=0.1, iterations=3000, dev=dev, patience=4, evaluate_every=5,
        optimizer=optimizer,
    )  # fmt: skip
    assert result.status == "stopped"
    assert result.iterations < 3000
    assert len(result.dev_costs) == result.iterations // 5
    best = result.dev_costs.argmin()
    assert best == len(result.dev_costs) - 1 - 4
    assert cost(ARCHITECTURE, result.parameters, *dev) == result.dev_costs[best]
    again = train(ARCHITECTURE, *train_set, learning_rate=0.1, iterations=5 * (int(best) + 1), optimizer=optimizer)
    np.testing.assert_array_equal(again.parameters.vector, result.parameters.vector)


def test_without_stopping_the_best_are_kept_too():
    result = train(ARCHITECTURE, *noise(0, 20), learning_rate=0.5, iterations=503, dev=noise(1, 40), patience=10_000)
    assert result.status == "complete"
    assert len(result.dev_costs) == 51  # at 10, 20, …, 500, and at the end
    assert cost(ARCHITECTURE, result.parameters, *noise(1, 40)) == result.dev_costs.min() < result.dev_costs[-1]


def test_dev_without_patience_is_only_looked_at():
    settings = {"learning_rate": 0.5, "iterations": 100}
    looked = train(ARCHITECTURE, *noise(0, 20), dev=noise(1, 40), evaluate_every=7, **settings)
    plain = train(ARCHITECTURE, *noise(0, 20), **settings)
    np.testing.assert_array_equal(looked.parameters.vector, plain.parameters.vector)
    assert len(looked.dev_costs) == 100 // 7 + 1
    assert looked.dev_costs[-1] == cost(ARCHITECTURE, looked.parameters, *noise(1, 40))
    assert plain.dev_costs.shape == (0,)


def test_a_dev_cost_that_is_not_finite_never_wins():
    architecture = Architecture((1, 1), output_activation="identity")
    X, Y = np.ones((1, 4), np.float32), np.ones((1, 4), np.float32)
    dev = np.full((1, 2), 3e38, np.float32), np.full((1, 2), -3e38, np.float32)  # the squared error overflows
    result = train(
        architecture, X, Y, learning_rate=0.1, iterations=50, dev=dev, patience=2, evaluate_every=1,
        initialization="zeros",
    )  # fmt: skip
    assert (result.status, result.iterations) == ("stopped", 2)
    assert not np.isfinite(result.dev_costs).any()
    np.testing.assert_array_equal(result.parameters.vector, 0)
