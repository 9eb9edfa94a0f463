"""Where training starts."""

import numpy as np
import pytest

from engine import Architecture, initialize, train

WIDE = Architecture((300, 400, 200, 3), "relu", "softmax")


@pytest.mark.parametrize(
    ("scheme", "variances"),
    [("he", (2 / 300, 2 / 400)), ("xavier", (2 / 700, 2 / 600)), ("gaussian", (0.01**2, 0.01**2))],
)
def test_variances(scheme, variances):
    parameters = initialize(WIDE, 0, scheme)
    for W, b, variance in zip(parameters.W[:2], parameters.b[:2], variances, strict=True):
        # The variance of N samples is off by about √(2/N): four of those.
        assert W.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / W.size))
        assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)
        assert not b.any()


@pytest.mark.parametrize(("activation", "factor"), [("relu", 2 / 300), ("tanh", 2 / 700), ("leaky_relu(0.2)", 2 / 300)])
def test_auto_is_what_suits_each_activation(activation, factor):
    parameters = initialize(Architecture((300, 400, 3), activation, "softmax"), 0, "auto")
    assert parameters.W[0].var() == pytest.approx(factor, rel=0.03)


def test_scale_is_that_of_the_gaussian():
    small, large = (initialize(WIDE, 0, "gaussian", scale) for scale in (0.01, 0.5))
    np.testing.assert_allclose(large.vector, 50 * small.vector, rtol=1e-12)


def test_equal_seeds_give_equal_parameters_and_float32_rounds_them():
    double, single = initialize(WIDE, 7), initialize(WIDE, 7, dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(double.vector.astype(np.float32), single.vector)
    assert not np.array_equal(initialize(WIDE, 8).vector, double.vector)


def test_zeros_never_break_the_symmetry(problem):
    architecture = Architecture((3, 4, 4, 1), "tanh")
    X, Y = problem(architecture)
    result = train(architecture, X, Y, learning_rate=0.5, iterations=200, initialization="zeros")
    for W in result.parameters.W[:-1]:
        np.testing.assert_array_equal(W, np.broadcast_to(W[:1], W.shape))
    W_last = result.parameters.W[-1]
    np.testing.assert_array_equal(W_last, np.broadcast_to(W_last[:, :1], W_last.shape))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scheme": "hee"}, "scheme must be one of auto, zeros, gaussian, xavier, he, got 'hee'"),
        ({"scale": 0.0}, "scale must be above 0, got 0.0"),
        ({"scale": float("nan")}, "scale must be above 0, got nan"),
        ({"dtype": np.float16}, "dtype must be float32 or float64, got float16"),
    ],
)
def test_what_is_wrong_is_said(arguments, words):
    with pytest.raises(ValueError, match=words):
        initialize(WIDE, 0, **arguments)
