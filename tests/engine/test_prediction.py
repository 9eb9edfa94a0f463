"""Predictions and costs of given parameters."""

import numpy as np
import pytest

from engine import Architecture, Parameters, cost, initialize, predict
from engine.errors import ShapeError
from engine.prediction import TILE, predict_each


def test_one_neuron_by_hand():
    # A house price: relu(2 · size + 1), never negative.
    architecture = Architecture((1, 1), output_activation="relu")
    parameters = Parameters.from_arrays([np.array([[2.0]])], [np.array([[1.0]])])
    X, Y = np.array([[1.0, -3.0]]), np.array([[4.0, 1.0]])
    np.testing.assert_array_equal(predict(architecture, parameters, X), [[3.0, 0.0]])
    assert cost(architecture, parameters, X, Y) == 0.5 * (1 + 1) / 2


@pytest.mark.parametrize("output", ["sigmoid", "softmax", "identity", "relu"])
def test_examples_do_not_see_each_other(output, problem):
    architecture = Architecture((3, 6, 2), "tanh", output)
    X, _ = problem(architecture, 20)
    rng = np.random.default_rng(0)
    parameters = Parameters.from_arrays(
        [rng.standard_normal((6, 3)), rng.standard_normal((2, 6))], [np.ones((6, 1)), np.ones((2, 1))]
    )
    A = predict(architecture, parameters, X)
    assert A.shape == (2, 20)
    for i in range(20):
        np.testing.assert_allclose(predict(architecture, parameters, X[:, i : i + 1]), A[:, i : i + 1], rtol=1e-12)


def test_the_number_type_is_that_of_the_parameters():
    architecture = Architecture((1, 1))
    parameters = Parameters.from_arrays([np.ones((1, 1), np.float32)], [np.ones((1, 1), np.float32)])
    assert predict(architecture, parameters, np.ones((1, 2))).dtype == np.float32


def test_identity_layers_are_one_layer(problem):
    # A network of linear layers is one linear layer: W = W[2] W[1], b = W[2] b[1] + b[2].
    deep = Architecture((3, 6, 2), "identity", "identity")
    X, _ = problem(deep)
    rng = np.random.default_rng(0)
    W, b = [rng.standard_normal((6, 3)), rng.standard_normal((2, 6))], [np.ones((6, 1)), np.ones((2, 1))]
    one = Parameters.from_arrays([W[1] @ W[0]], [W[1] @ b[0] + b[1]])
    np.testing.assert_allclose(
        predict(deep, Parameters.from_arrays(W, b), X),
        predict(Architecture((3, 2), output_activation="identity"), one, X),
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("m", [1, TILE, 2 * TILE + 3])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_each_of_several_networks_predicts_as_it_does_alone(m, output):
    architecture = Architecture((3, 6, 2), "tanh", output)
    networks = [initialize(architecture, seed, dtype=np.float32) for seed in range(3)]
    X = np.random.default_rng(0).standard_normal((3, m)).astype(np.float32)
    found = list(predict_each(architecture, np.stack([each.vector for each in networks]), X))
    assert [(A.shape, A.dtype) for A in found] == [((2, m), np.float64)] * 3
    for A, parameters in zip(found, networks, strict=True):
        np.testing.assert_allclose(A, predict(architecture, parameters, X), rtol=1e-4)


def test_parameters_of_another_architecture_are_refused():
    with pytest.raises(ShapeError, match=r"must have shape \(14,\), got \(13,\)"):
        list(predict_each(Architecture((3, 2, 2)), np.zeros((1, 13)), np.ones((3, 1))))
