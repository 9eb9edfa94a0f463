"""The same numbers as PyTorch, in float64, from the same parameters: every optimizer that both have."""

import numpy as np
import pytest

from engine import Architecture, initialize, predict, train

# Small enough that training is smooth: where the cost jumps about, rounding is amplified a millionfold in 200 steps.
RATES = {"gradient_descent": 0.1, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.002, "adam": 0.005, "adamw": 0.005}
ACTIVATIONS = ["relu", "tanh", "sigmoid", "leaky_relu", "elu", "silu", "gelu"]


@pytest.fixture(scope="module")
def train_in_torch():
    pytest.importorskip("torch")
    from support import torch_training

    return torch_training.train_in_torch


def assert_equal_trainings(train_in_torch, architecture, X, Y, name, l2):
    first = initialize(architecture, 5, "auto")
    costs, A = train_in_torch(architecture, X, Y, first, name, RATES[name], 200, l2)
    result = train(
        architecture, X, Y, learning_rate=RATES[name], iterations=200, optimizer=name, parameters=first, l2=l2
    )
    assert np.abs(result.costs - costs).max() < 1e-10
    assert np.abs(predict(architecture, result.parameters, X) - A).max() < 1e-10
    assert result.costs[-1] < result.costs[0]


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize(
    ("output", "l2"),
    [
        ("sigmoid", 0.0),
        *(("sigmoid", 0.02), ("softmax", 0.02), ("identity", 0.02)),
        *(pytest.param(output, 0.0, marks=pytest.mark.exhaustive) for output in ("softmax", "identity")),
    ],
)
def test_every_optimizer_and_output(name, output, l2, problem, train_in_torch):
    architecture = Architecture((4, 6, 5, 3), "tanh", output)
    assert_equal_trainings(train_in_torch, architecture, *problem(architecture), name, l2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation, problem, train_in_torch):
    architecture = Architecture((4, 6, 5, 1), activation)
    assert_equal_trainings(train_in_torch, architecture, *problem(architecture), "gradient_descent", 0.0)
