"""Divergence is a result: status, iteration, the curve up to there, the last finite parameters."""

import numpy as np
import pytest

from engine import Architecture, TrainingSettings, advance, initialize, results, start, train
from engine.optimizers import OPTIMIZERS

ARCHITECTURE = Architecture((3, 5, 1), "relu", "identity")


def fatal(problem, dtype=np.float32):
    X, Y = problem(ARCHITECTURE, dtype=dtype)
    return X * 10, Y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum", "nesterov"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_is_a_result(dtype, optimizer, batch_size, problem):
    X, Y = fatal(problem, dtype)
    result = train(ARCHITECTURE, X, Y, learning_rate=3.0, iterations=500, optimizer=optimizer, batch_size=batch_size)
    assert result.status == "diverged"
    assert 1 <= result.iterations < 500
    assert result.costs.shape == (result.iterations,)
    assert np.isfinite(result.costs).all()
    assert np.isfinite(result.parameters.vector).all()
    assert result.parameters.dtype == dtype


def test_iteration_and_parameters_are_those_of_single_steps(problem):
    X, Y = fatal(problem)
    result = train(ARCHITECTURE, X, Y, learning_rate=3.0, iterations=500)
    parameters = initialize(ARCHITECTURE, 0, "auto", dtype=np.float32)
    for t in range(result.iterations):
        step = train(ARCHITECTURE, X, Y, learning_rate=3.0, iterations=1, parameters=parameters)
        np.testing.assert_array_equal(step.costs[:1], result.costs[t : t + 1])
        if t == result.iterations - 1 and step.status == "diverged":
            break
        parameters = step.parameters
    np.testing.assert_array_equal(parameters.vector, result.parameters.vector)


@pytest.mark.parametrize("cut", range(1, 12))
@pytest.mark.parametrize("with_dev", [False, True])
@pytest.mark.parametrize("rate", [3.0, 1e30])
def test_is_the_same_wherever_it_is_cut(cut, with_dev, rate, problem):
    X, Y = fatal(problem)
    dev = fatal(problem) if with_dev else None
    chosen = TrainingSettings(rate, 500, patience=400 if with_dev else None, evaluate_every=2)
    first = start(ARCHITECTURE, chosen)
    (whole,) = results(advance(first, X, Y, dev=dev))
    state = first
    while not state.done:
        state = advance(state, X, Y, dev=dev, iterations=cut)
    (pieces,) = results(state)
    assert (pieces.status, pieces.iterations) == (whole.status, whole.iterations) == ("diverged", whole.iterations)
    np.testing.assert_array_equal(pieces.costs, whole.costs)
    np.testing.assert_array_equal(pieces.dev_costs, whole.dev_costs)
    np.testing.assert_array_equal(pieces.parameters.vector, whole.parameters.vector)
    assert np.isfinite(state.parameters).all()


def test_parameters_that_overflow_at_once(problem):
    X, Y = fatal(problem)
    result = train(ARCHITECTURE, X, Y, learning_rate=1e38, iterations=10)
    assert (result.status, result.iterations) == ("diverged", 1)
    first = initialize(ARCHITECTURE, 0, "auto", dtype=np.float32)
    np.testing.assert_array_equal(result.parameters.vector, first.vector)


def test_a_start_whose_cost_is_not_finite(problem):
    X, Y = problem(ARCHITECTURE, dtype=np.float32)
    first = initialize(ARCHITECTURE, 0, "gaussian", scale=1e30, dtype=np.float32)
    result = train(ARCHITECTURE, X, Y, learning_rate=0.1, iterations=10, parameters=first)
    assert (result.status, result.iterations, result.costs.shape) == ("diverged", 0, (0,))
    np.testing.assert_array_equal(result.parameters.vector, first.vector)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_clipping_prevents_it(optimizer, problem):
    X, Y = fatal(problem)
    result = train(ARCHITECTURE, X, Y, learning_rate=0.01, iterations=200, optimizer=optimizer, max_gradient_norm=1.0)
    assert result.status == "complete"


def test_a_saturated_classifier_does_not_diverge(problem):
    # With Z in the thousands A is 0 or 1 to the last bit: the textbook's log A would be −inf, the cost here is not.
    architecture = Architecture((3, 1))
    X, Y = problem(architecture, dtype=np.float32)
    result = train(architecture, X * 1e4, Y, learning_rate=1.0, iterations=100)
    assert result.status == "complete"
    assert result.costs.max() > 100
