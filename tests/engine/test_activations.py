"""Activations against the textbook, at 0, and by name."""

import numpy as np
import pytest

from engine import ACTIVATIONS, elu, get_activation, leaky_relu, reference

ALL = [*ACTIVATIONS.values(), leaky_relu(0.2), leaky_relu(0.0), elu(0.5)]
Z_POINTS = np.concatenate([np.linspace(-6, 6, 121) + 0.013, [-30.0, 30.0]]).reshape(3, 41)


def forward(activation, Z):
    A = np.empty_like(Z)
    activation.forward(Z.copy(), A, np.empty_like(Z))
    return A


def derivative(activation, Z):
    V = forward(activation, Z) if activation.derivative_of == "A" else Z.copy()
    return np.asarray(activation.derivative(V, np.empty_like(Z)), dtype=float)


@pytest.mark.parametrize("activation", ALL, ids=lambda a: a.name)
def test_found_by_its_name(activation):
    found = get_activation(activation.name)
    assert found.name == activation.name
    np.testing.assert_array_equal(forward(found, Z_POINTS), forward(activation, Z_POINTS))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_equals_the_textbook(name):
    np.testing.assert_allclose(forward(ACTIVATIONS[name], Z_POINTS), reference.g[name](Z_POINTS), atol=1e-14)
    np.testing.assert_allclose(derivative(ACTIVATIONS[name], Z_POINTS), reference.g_prime[name](Z_POINTS), atol=1e-14)


@pytest.mark.parametrize(
    ("name", "at_zero"), [("relu", 0.0), ("leaky_relu", 0.01), ("elu", 1.0), ("tanh", 1.0), ("sigmoid", 0.25)]
)
def test_derivative_at_zero_is_as_stated(name, at_zero):
    assert derivative(ACTIVATIONS[name], np.zeros((1, 1)))[0, 0] == at_zero


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: get_activation("rleu"), "activation must be one of sigmoid, tanh, relu.*got 'rleu'"),
        (lambda: get_activation("tanh(2)"), "activation must be one of"),
        (lambda: get_activation("leaky_relu(1.5)"), "at least 0 and below 1, got 1.5"),
        (lambda: get_activation("leaky_relu(1-2)"), "must be a number, got '1-2'"),
        (lambda: leaky_relu(-0.1), "at least 0 and below 1, got -0.1"),
        (lambda: elu(0), "above 0, got 0"),
        (lambda: elu(float("inf")), "above 0, got inf"),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
