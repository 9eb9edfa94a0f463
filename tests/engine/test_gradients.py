"""Backpropagation against differences of the cost."""

import re

import numpy as np
import pytest

from engine import ACTIVATIONS, Architecture, Parameters, gradient_check, initialize
from engine import gradients as module
from engine.outputs import OUTPUTS


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "elu(0.5)"])
@pytest.mark.parametrize(("output", "cost"), OUTPUTS, ids=["-".join(pair) for pair in OUTPUTS])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_every_activation_output_and_penalty(activation, output, cost, l2, problem):
    architecture = Architecture((4, 5, 3, 2), activation, output, cost)
    check = gradient_check(architecture, *problem(architecture, m=11), l2=l2, seed=3)
    assert len(check.blocks) == 6
    for block in check.blocks:
        assert block.relative_error < 1e-7, check
        assert block.kinks == 0
    assert check.relative_error < 1e-7
    by_backpropagation, by_differences = check.directional
    assert by_backpropagation == pytest.approx(by_differences, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("sizes", [(3, 1), (1, 1, 1), (2, 7, 1), (3, 4, 4, 4, 4, 1)])
def test_every_depth_with_sample_weights(sizes, problem):
    architecture = Architecture(sizes, "tanh")
    weight = np.random.default_rng(0).random(9)
    assert gradient_check(architecture, *problem(architecture, m=9), sample_weight=weight).relative_error < 1e-8


def test_a_wrong_derivative_is_found_and_its_block_named(problem, monkeypatch):
    architecture = Architecture((3, 4, 1), "tanh")
    right = module._Problem.gradient

    def wrong(*arguments):
        gradient = right(*arguments)
        Parameters(architecture.layer_sizes, gradient).b[0][2] *= 1.001
        return gradient

    monkeypatch.setattr(module._Problem, "gradient", wrong)
    check = gradient_check(architecture, *problem(architecture))
    errors = {block.name: block.relative_error for block in check.blocks}
    assert errors.pop("b[1]") > 1e-5
    assert max(errors.values()) < 1e-8


def test_kinks_are_left_out_and_counted():
    # With b = 0 and x = 0 the unit stands at its kink for good; with b = 1 and x = 0 the first weight moves nothing.
    architecture = Architecture((1, 1, 1), "relu", "identity")
    parameters = Parameters.from_arrays([np.ones((1, 1))] * 2, [np.zeros((1, 1))] * 2)
    X, Y = np.zeros((1, 3)), np.ones((1, 3))
    check = gradient_check(architecture, X, Y, parameters=parameters)
    assert [block.kinks for block in check.blocks] == [0, 1, 0, 0]
    assert np.isnan(check.blocks[1].numeric).all()
    assert np.isnan(check.directional[1])
    assert check.relative_error < 1e-9
    assert "1 skipped at a kink" in repr(check)


def test_a_step_across_a_kink_is_made_smaller():
    architecture = Architecture((1, 1, 1), "relu", "identity")
    b = [np.full((1, 1), 1e-4), np.zeros((1, 1))]
    parameters = Parameters.from_arrays([np.ones((1, 1))] * 2, b)
    check = gradient_check(architecture, np.zeros((1, 3)), np.ones((1, 3)), parameters=parameters)
    assert check.blocks[1].kinks == 0
    assert check.relative_error < 1e-9


def test_samples_of_a_large_network(problem):
    architecture = Architecture((20, 30, 1), "tanh")
    check = gradient_check(architecture, *problem(architecture, m=5), samples=7)
    assert [np.count_nonzero(~np.isnan(block.numeric)) for block in check.blocks] == [7, 7, 7, 1]
    assert check.relative_error < 1e-8


def test_says_both_numbers(problem):
    architecture = Architecture((3, 4, 1))
    check = gradient_check(architecture, *problem(architecture), parameters=initialize(architecture, 0))
    text = repr(check)
    for words in (r"W\[1\]\s+relative error", r"b\[2\]\s+relative error", "overall relative error"):
        assert re.search(words, text)
    assert f"{check.directional[0]:.12g} and {check.directional[1]:.12g}" in text
    assert check.blocks[0].gradient.shape == check.blocks[0].numeric.shape == (4, 3)


def test_float32_and_data_that_does_not_fit(problem):
    architecture = Architecture((3, 4, 1))
    X, Y = problem(architecture)
    assert gradient_check(architecture, X.astype(np.float32), Y.astype(np.float32)).relative_error < 1e-7
    with pytest.raises(ValueError, match="X must have shape"):
        gradient_check(architecture, X.T, Y)
    with pytest.raises(ValueError, match="l2 must be at least 0, got -1"):
        gradient_check(architecture, X, Y, l2=-1)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        gradient_check(architecture, X, Y, samples=0)
