"""Each optimizer against its formula, written out plainly; clipping; L2."""

import numpy as np
import pytest

from engine import Architecture, initialize, reference, train
from engine.optimizers import OPTIMIZERS

ARCHITECTURE = Architecture((3, 4, 1), "tanh")


def flat(dW, db):
    return np.concatenate([np.hstack([w, v]).ravel() for w, v in zip(dW, db, strict=True)])


def gradient_at(theta, X, Y):
    parameters = type(initialize(ARCHITECTURE, 0))(ARCHITECTURE.layer_sizes, theta)
    network = reference.Network(parameters.W, parameters.b, "tanh", "sigmoid", "cross_entropy")
    A, caches = network.forward(X)
    return flat(*network.backward(A, Y, caches))


def textbook(optimizer, theta, X, Y, alpha, iterations, mu, beta2, eps):
    v, s = np.zeros_like(theta), np.zeros_like(theta)
    for t in range(1, iterations + 1):
        g = gradient_at(theta, X, Y)
        if optimizer == "gradient_descent":
            theta = theta - alpha * g
        elif optimizer in ("momentum", "nesterov"):
            v = mu * v + g
            theta = theta - alpha * (v if optimizer == "momentum" else g + mu * v)
        elif optimizer == "rmsprop":
            s = beta2 * s + (1 - beta2) * g**2
            theta = theta - alpha * g / (np.sqrt(s) + eps)
        else:
            v = mu * v + (1 - mu) * g
            s = beta2 * s + (1 - beta2) * g**2
            theta = theta - alpha * (v / (1 - mu**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)
    return theta


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_equals_its_formula(optimizer, problem):
    X, Y = problem(ARCHITECTURE)
    result = train(
        ARCHITECTURE, X, Y, learning_rate=0.02, iterations=40, optimizer=optimizer, momentum=0.8, beta2=0.95,
        epsilon=1e-6,
    )  # fmt: skip
    expected = textbook(optimizer, initialize(ARCHITECTURE, 0, "auto").vector, X, Y, 0.02, 40, 0.8, 0.95, 1e-6)
    np.testing.assert_allclose(result.parameters.vector, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_no_momentum_is_gradient_descent(optimizer, problem):
    X, Y = problem(ARCHITECTURE)
    plain = train(ARCHITECTURE, X, Y, learning_rate=0.1, iterations=20)
    other = train(ARCHITECTURE, X, Y, learning_rate=0.1, iterations=20, optimizer=optimizer, momentum=0)
    np.testing.assert_allclose(other.parameters.vector, plain.parameters.vector, rtol=1e-13)


def test_adamw_without_decay_is_adam(problem):
    X, Y = problem(ARCHITECTURE)
    adam, adamw = (
        train(ARCHITECTURE, X, Y, learning_rate=0.1, iterations=20, optimizer=name) for name in ("adam", "adamw")
    )
    np.testing.assert_array_equal(adam.parameters.vector, adamw.parameters.vector)


def test_adamw_decays_weights_apart_from_the_gradient_and_biases_not(problem):
    X, Y = problem(ARCHITECTURE)
    first = initialize(ARCHITECTURE, 0, "auto")
    for b in first.b:
        b[...] = 0.5
    settings = {"learning_rate": 0.1, "iterations": 1, "optimizer": "adamw", "parameters": first}
    plain, decayed = (train(ARCHITECTURE, X, Y, l2=l2, **settings) for l2 in (0.0, 0.2))
    for W, before, after in zip(first.W, plain.parameters.W, decayed.parameters.W, strict=True):
        np.testing.assert_allclose(before - after, 0.1 * 0.2 * W, atol=1e-15)
    for before, after in zip(plain.parameters.b, decayed.parameters.b, strict=True):
        np.testing.assert_array_equal(before, after)
    assert plain.costs[0] == decayed.costs[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("longest", [1e-3, 1e3])
def test_clipping_shortens_to_the_norm_and_keeps_the_direction(dtype, longest, problem):
    X, Y = problem(ARCHITECTURE, dtype=dtype)
    first = initialize(ARCHITECTURE, 0, "auto", dtype=dtype)
    settings = {"learning_rate": 1.0, "iterations": 1, "parameters": first}
    free = train(ARCHITECTURE, X, Y, **settings).parameters.vector - first.vector
    step = train(ARCHITECTURE, X, Y, max_gradient_norm=longest, **settings).parameters.vector - first.vector
    factor = min(1.0, longest / np.linalg.norm(free))
    np.testing.assert_allclose(step, factor * free, rtol=3e-3 if dtype == np.float32 else 1e-10, atol=1e-7)


def test_clipping_holds_a_gradient_whose_square_overflows():
    architecture = Architecture((1, 1), output_activation="identity")
    X, Y = np.array([[1e15]], np.float32), np.array([[1e15]], np.float32)  # a gradient of 1e30, its square is inf
    result = train(architecture, X, Y, learning_rate=1.0, iterations=1, initialization="zeros", max_gradient_norm=2.0)
    np.testing.assert_allclose(result.parameters.vector, [2.0, 0.0], rtol=1e-6, atol=1e-6)
