"""The shape of a network, and what is no shape."""

import copy
import pickle

import numpy as np
import pytest

from engine import Architecture


def test_counts():
    architecture = Architecture([784, 256, 128, 10], "relu", "softmax")
    assert (architecture.L, architecture.depth, architecture.n_x, architecture.n_y) == (3, 2, 784, 10)
    assert architecture.parameters_count == 256 * 785 + 128 * 257 + 10 * 129
    assert Architecture((2, 1)).depth == 0


def test_one_activation_for_all_or_one_for_each():
    assert [a.name for a in Architecture((2, 3, 4, 1), "tanh").activations] == ["tanh", "tanh"]
    assert [a.name for a in Architecture((2, 3, 4, 1), ["tanh", "elu"]).activations] == ["tanh", "elu"]


def test_numpy_sizes_are_sizes():
    assert Architecture(np.array([2, 3, 1])) == Architecture((2, 3, 1))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])  # noqa: S301 - our own
def test_copies_and_pickles_are_equal_and_work(again):
    architecture = Architecture((2, 3, 4, 1), ("leaky_relu(0.2)", "elu"))
    other = again(architecture)
    assert other == architecture
    assert hash(other) == hash(architecture)
    assert [a.name for a in other.activations] == ["leaky_relu(0.2)", "elu"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((3,),), r"at least \(n_x, n_y\), got \(3,\)"),
        (((),), r"at least \(n_x, n_y\), got \(\)"),
        (((3, 0, 1),), r"whole numbers of at least 1, got \(3, 0, 1\)"),
        (((3, 2.5, 1),), r"whole numbers of at least 1, got \(3, 2.5, 1\)"),
        (((3, None, 1),), r"whole numbers of at least 1, got \(3, None, 1\)"),
        (((3, "4", 1),), "whole numbers of at least 1"),
        (((3, float("nan"), 1),), "whole numbers of at least 1"),
        (((3, 4, 1), "rleu"), "activation must be one of .*got 'rleu'"),
        (((3, 1), "rleu"), "activation must be one of .*got 'rleu'"),
        (((3, 4, 1), ("relu", "tanh")), "one for each of the 1 hidden layers, got 2"),
        (((3, 4, 1), "relu", "tanh"), "output_activation must be one of"),
        (((3, 4, 1), "relu", "softmax"), "softmax needs at least 2 outputs, got 1; use sigmoid"),
        (((3, 4, 2), "relu", "softmax", "squared_error"), "cost of the output 'softmax' must be cross_entropy"),
    ],
)
def test_what_is_wrong_is_said(arguments, words):
    with pytest.raises(ValueError, match=words):
        Architecture(*arguments)
