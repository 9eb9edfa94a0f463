"""One vector, and W and b as views of it."""

import copy
import pickle

import numpy as np
import pytest

from engine import Architecture, DataError, Parameters, ShapeError, initialize
from engine.parameters import Layout, check_fit

W = [np.arange(6.0).reshape(2, 3), np.array([[7.0, 8.0]])]
b = [np.array([[10.0], [11.0]]), np.array([[12.0]])]


def test_from_arrays_gives_the_arrays_back():
    parameters = Parameters.from_arrays(W, b)
    assert parameters.layer_sizes == (3, 2, 1)
    for given, kept in zip(W + b, parameters.W + parameters.b, strict=True):
        np.testing.assert_array_equal(given, kept)
    np.testing.assert_array_equal(parameters.vector, [0, 1, 2, 10, 3, 4, 5, 11, 7, 8, 12])


def test_W_and_b_are_views_and_the_given_arrays_are_not():
    parameters = Parameters.from_arrays(W, b)
    parameters.W[0][...] = 0
    parameters.b[1][...] = -1
    np.testing.assert_array_equal(parameters.vector, [0, 0, 0, 10, 0, 0, 0, 11, 7, 8, -1])
    assert W[0][0, 1] == 1


@pytest.mark.parametrize("again", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])  # noqa: S301 - our own
def test_copies_keep_their_views(again):
    parameters = Parameters.from_arrays(W, b)
    _ = parameters.W, parameters.b
    other = again(parameters)
    other.W[0][...] = 0
    assert other.vector[:3].tolist() == [0, 0, 0]
    assert parameters.vector[1] == 1


def test_copy_shares_nothing():
    parameters = Parameters.from_arrays(W, b)
    parameters.copy().vector[...] = 0
    assert parameters.vector[1] == 1


@pytest.mark.parametrize(
    ("dtypes", "expected"), [(("f4", "f4"), "f4"), (("f4", "f8"), "f8"), (("i4", "i4"), "f8"), (("f2", "f2"), "f8")]
)
def test_number_type(dtypes, expected):
    parameters = Parameters.from_arrays([W[0].astype(dtypes[0])], [b[0].astype(dtypes[1])])
    assert parameters.dtype == np.dtype(expected)


def test_layout_puts_the_first_layers_of_a_stack_together():
    layout = Layout((3, 2, 1), replicas=2)
    rows = np.arange(22.0).reshape(2, 11)
    vector = layout.vector(rows)
    np.testing.assert_array_equal(vector[:16], np.concatenate([rows[0, :8], rows[1, :8]]))
    np.testing.assert_array_equal(layout.rows(vector), rows)
    assert [block.shape for block in layout.blocks(vector)] == [(2, 2, 4), (2, 1, 3)]


@pytest.mark.parametrize(
    ("W_", "b_", "error", "words"),
    [
        ([], [], ShapeError, "W and b must have one array per layer, got 0 arrays in W and 0 in b"),
        (W, b[:1], ShapeError, "got 2 arrays in W and 1 in b"),
        ([np.zeros(3)], b[:1], ShapeError, r"W\[1\] must be a matrix .*got shape \(3,\)"),
        ([W[0], np.zeros((1, 3))], b, ShapeError, r"W\[2\] must have 2 columns, .*got shape \(1, 3\)"),
        (W, [np.zeros(2), b[1]], ShapeError, r"b\[1\] must have shape \(2, 1\), got \(2,\)"),
        (W, [b[0], np.array([[np.nan]])], DataError, r"W\[2\] and b\[2\] must be finite"),
    ],
)
def test_what_is_wrong_is_said(W_, b_, error, words):
    with pytest.raises(error, match=words):
        Parameters.from_arrays(W_, b_)


def test_a_vector_of_another_length_is_refused():
    with pytest.raises(ShapeError, match=r"must have shape \(11,\), got \(10,\)"):
        Parameters((3, 2, 1), np.zeros(10))
    with pytest.raises(ShapeError, match=r"layer sizes of the architecture, \(3, 4, 1\), got \(3, 2, 1\)"):
        check_fit(Architecture((3, 4, 1)), initialize(Architecture((3, 2, 1)), 0))
