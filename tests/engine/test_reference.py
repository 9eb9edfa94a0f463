"""The oracle itself: worked out by hand, three logistic regressions against each other, gradients numerically."""

import math

import numpy as np
import pytest

from engine import Architecture, Parameters, reference, train
from engine.outputs import OUTPUTS

# One step of a 2-2-1 network, relu and sigmoid, on two examples, with pencil and paper:
#   Z[1] = X, A[1] = [[1, 3], [0, 1]], Z[2] = [1 − 1, 3 − 2 − 1] = [0, 0], A[2] = [½, ½], J = log 2
#   dZ[2] = [−½, ½], dW[2] = ½ [−½ + 3/2, ½] = [½, ¼], db[2] = 0
#   dA[1] = [[−½, ½], [1, −1]], g′ = [[1, 1], [0, 1]], dZ[1] = [[−½, ½], [0, −1]]
#   dW[1] = ½ [[−½ + 3/2, ½ + ½], [−3, −1]] = [[½, ½], [−3/2, −½]], db[1] = [0, −½]
X = np.array([[1.0, 3.0], [-1.0, 1.0]])
Y = np.array([[1.0, 0.0]])
W = [np.eye(2), np.array([[1.0, -2.0]])]
b = [np.zeros((2, 1)), np.array([[-1.0]])]
W_AFTER = [np.array([[0.5, -0.5], [1.5, 1.5]]), np.array([[0.5, -2.25]])]  # with α = 1
B_AFTER = [np.array([[0.0], [0.5]]), np.array([[-1.0]])]


def test_reference_by_hand():
    network = reference.Network(W, b, "relu", "sigmoid", "cross_entropy")
    assert network.train(X, Y, 1.0, 1) == [pytest.approx(math.log(2), abs=1e-15)]
    for got, expected in zip(network.W + network.b, W_AFTER + B_AFTER, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_engine_by_hand(dtype):
    result = train(
        Architecture((2, 2, 1)),
        X.astype(dtype),
        Y,
        learning_rate=1.0,
        iterations=1,
        parameters=Parameters.from_arrays(W, b),
    )
    assert result.parameters.dtype == dtype
    assert result.costs == pytest.approx([math.log(2)], rel=1e-7)
    for got, expected in zip(result.parameters.W + result.parameters.b, W_AFTER + B_AFTER, strict=True):
        np.testing.assert_array_equal(got, expected)  # every number on the way is a short binary fraction


def test_three_logistic_regressions_are_one():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((4, 30)), (rng.random((1, 30)) < 0.4).astype(float)
    w, bias = rng.standard_normal((4, 1)), 0.3
    J, dw, db = reference.logistic_vectorized(w, bias, X, Y)
    for other in (reference.logistic_loops, reference.logistic_one_loop):
        J_other, dw_other, db_other = other(w, bias, X, Y)
        assert J_other == pytest.approx(J, rel=1e-14)
        assert db_other == pytest.approx(db, rel=1e-12)
        np.testing.assert_allclose(dw_other, dw, rtol=1e-12)


def test_no_hidden_layer_is_logistic_regression():
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((4, 30)), (rng.random((1, 30)) < 0.4).astype(float)
    w, bias, costs = np.zeros((4, 1)), 0.0, []
    for _ in range(100):
        J, dw, db = reference.logistic_loops(w, bias, X, Y)
        costs.append(J)
        w, bias = w - 0.5 * dw, bias - 0.5 * db
    result = train(Architecture((4, 1)), X, Y, learning_rate=0.5, iterations=100, initialization="zeros")
    np.testing.assert_allclose(result.costs, costs, rtol=1e-13)
    np.testing.assert_allclose(result.parameters.W[0], w.T, rtol=1e-11)
    np.testing.assert_allclose(result.parameters.b[0], bias, rtol=1e-11)


@pytest.mark.parametrize(("output", "cost"), OUTPUTS, ids=["-".join(pair) for pair in OUTPUTS])
def test_reference_gradients_numerically(output, cost):
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((3, 6)), np.eye(2)[[0, 1, 1, 0, 1, 0]].T
    W, b = [rng.standard_normal((4, 3)), rng.standard_normal((2, 4))], [np.full((4, 1), 0.1), np.full((2, 1), 0.2)]
    network = reference.Network(W, b, "tanh", output, cost, l2=0.1)
    dW, db = network.backward(*(lambda A, caches: (A, Y, caches))(*network.forward(X)))
    h = 1e-6
    for arrays, gradients in ((network.W, dW), (network.b, db)):
        for array, gradient in zip(arrays, gradients, strict=True):
            for place in np.ndindex(*array.shape):
                kept, costs = array[place], []
                for sign in (1, -1):
                    array[place] = kept + sign * h
                    costs.append(network.J(network.forward(X)[0], Y))
                array[place] = kept
                assert gradient[place] == pytest.approx((costs[0] - costs[1]) / (2 * h), abs=2e-8)
