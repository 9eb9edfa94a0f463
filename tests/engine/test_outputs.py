"""Every pair of output and cost: stable costs, derivatives, and the textbook's formulas where those do not overflow."""

import math

import numpy as np
import pytest

from engine import reference
from engine.outputs import OUTPUTS, get_output

PAIRS = list(OUTPUTS.values())


def targets(output, n_y, m, rng):
    if output.targets == "one_hot":
        return np.eye(n_y)[rng.integers(0, n_y, m)].T
    if output.targets == "binary":
        return (rng.random((n_y, m)) < 0.5).astype(float)
    return np.abs(rng.standard_normal((n_y, m)))


@pytest.mark.parametrize("output", PAIRS, ids=lambda o: f"{o.activation}-{o.cost}")
@pytest.mark.parametrize("n_y", [2, 5])
class TestConformance:
    def test_losses_equal_the_textbook(self, output, n_y):
        rng = np.random.default_rng(1)
        Z = rng.standard_normal((n_y, 9)) * 2
        Y = targets(output, n_y, 9, rng)
        network = reference.Network([np.eye(n_y)], [np.zeros((n_y, 1))], "relu", output.activation, output.cost)
        A, _ = network.forward(Z)
        np.testing.assert_allclose(output.losses(Z, Y).mean(), network.J(A, Y), rtol=1e-13)

    def test_losses_and_activations_leave_Z_alone_and_losses_have_one_row(self, output, n_y):
        rng = np.random.default_rng(2)
        Z = rng.standard_normal((3, n_y, 9))
        before = Z.copy()
        assert output.activate(Z).shape == Z.shape
        losses = output.losses(Z, targets(output, n_y, 9, rng))
        assert losses.shape == (3, 1, 9)
        np.testing.assert_array_equal(Z, before)

    def test_backward_is_the_derivative_of_the_cost(self, output, n_y):
        rng = np.random.default_rng(3)
        Z = rng.standard_normal((n_y, 4))
        Y, weight = targets(output, n_y, 4, rng), rng.random((1, 4))
        A, dZ = output.activate(Z), np.empty_like(Z)
        output.backward(A, Y, weight, dZ)
        h = 1e-5
        for place in np.ndindex(*Z.shape):
            moved = np.zeros_like(Z)
            moved[place] = h
            costs = [float((output.losses(Z + s * moved, Y) * weight).sum()) for s in (1, -1)]
            assert dZ[place] == pytest.approx((costs[0] - costs[1]) / (2 * h), abs=1e-9)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_losses_keep_their_number_type(self, output, n_y, dtype):
        Z = np.zeros((n_y, 3), dtype)
        Y = targets(output, n_y, 3, np.random.default_rng(0)).astype(dtype)
        assert output.losses(Z, Y).dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_cost_is_exact_for_huge_Z(dtype):
    Z = np.array([[1e4, -1e4, 1e4, -1e4, 40.0, -40.0]], dtype)
    Y = np.array([[1, 0, 0, 1, 0, 0]], dtype)
    losses = get_output("sigmoid").losses(Z, Y)[0]
    np.testing.assert_array_equal(losses[:4], [0, 0, 1e4, 1e4])
    np.testing.assert_allclose(losses[4:], [40, math.exp(-40)], rtol=1e-6)  # log(1 − a) with a rounded to 1 is lost


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cost_is_exact_for_huge_Z(dtype):
    Z = np.array([[1e4, 1e4, 0], [0, 0, 0], [-1e4, 0, 0]], dtype)
    Y = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype)
    np.testing.assert_allclose(get_output("softmax").losses(Z, Y)[0], [0, 1e4, math.log(3)], rtol=1e-6)
    A = get_output("softmax").activate(Z)
    np.testing.assert_allclose(A.sum(axis=0), 1, rtol=1e-6)


def test_softmax_is_unmoved_by_a_constant():
    Z = np.random.default_rng(0).standard_normal((4, 6))
    A, B = get_output("softmax").activate(Z), get_output("softmax").activate(Z + 3.0)
    np.testing.assert_allclose(A, B, rtol=1e-13)


def test_a_surely_wrong_sigmoid_learns_nothing_from_squared_error():
    # Why nobody uses the pair: dZ = (a − y) a (1 − a) vanishes, where cross-entropy gives nearly −1.
    Z, Y, weight = np.array([[-20.0]]), np.array([[1.0]]), np.array(1.0)
    slopes = {}
    for cost in ("cross_entropy", "squared_error"):
        output = get_output("sigmoid", cost)
        A, dZ = output.activate(Z), np.empty_like(Z)
        output.backward(A, Y, weight, dZ)
        slopes[cost] = dZ.item()
    assert slopes["cross_entropy"] == pytest.approx(-1, abs=1e-8)
    assert abs(slopes["squared_error"]) < 1e-8


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("tanh", None), "output_activation must be one of sigmoid, softmax, identity, relu, got 'tanh'"),
        (("softmax", "squared_error"), "cost of the output 'softmax' must be cross_entropy, got 'squared_error'"),
        (("identity", "cross_entropy"), "must be squared_error, got 'cross_entropy'"),
    ],
)
def test_what_is_wrong_is_said(names, words):
    with pytest.raises(ValueError, match=words):
        get_output(*names)
