"""What enters is checked: one table of what can be wrong, and the words that say so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Architecture,
    DataError,
    Parameters,
    ShapeError,
    advance,
    balanced_weights,
    cost,
    initialize,
    predict,
    start,
    train,
    train_stack,
)
from engine.settings import TrainingSettings

SIGMOID = Architecture((3, 4, 1))
SOFTMAX = Architecture((3, 4, 3), output_activation="softmax")
PRICE = Architecture((3, 4, 1), output_activation="relu")
X = np.random.default_rng(0).standard_normal((3, 5))
Y = np.array([[0, 1, 1, 0, 1.0]])
ONE_HOT = np.eye(3)[[0, 1, 2, 1, 0]].T


def with_value(array, value):
    changed = np.array(array, dtype=float)
    changed[-1, 2] = value
    return changed


CASES = [
    # architecture, X, Y, error, words
    (SIGMOID, X[0], Y, ShapeError, r"X must be a matrix \(n_x, m\).*got shape \(5,\); use X.reshape\(1, -1\)"),
    (SIGMOID, X, Y[0], ShapeError, r"Y must be a matrix \(n_y, m\).*got shape \(5,\); use Y.reshape\(1, -1\)"),
    (SIGMOID, 3.0, Y, ShapeError, r"X must be a matrix .*got shape \(\)"),
    (SIGMOID, X.T, Y, ShapeError, r"X must have shape \(3, m\).*got \(5, 3\); examples are columns here, so pass X.T"),
    (SIGMOID, X[:2], Y, ShapeError, r"X must have shape \(3, m\).*got \(2, 5\)"),
    (SIGMOID, X, Y[:, :4], ShapeError, r"Y must have shape \(1, 5\): 1 output and 5 examples as in X, got \(1, 4\)"),
    (SIGMOID, X, Y.T, ShapeError, r"Y must have shape \(1, 5\).*got \(5, 1\); examples are columns here, so pass Y.T"),
    (SOFTMAX, X, Y, ShapeError, r"Y must have shape \(3, 5\): 3 outputs and .*got \(1, 5\)"),
    (SIGMOID, X[None, None], Y, ShapeError, r"X must be a matrix .*got shape \(1, 1, 3, 5\)"),
    (SIGMOID, np.stack([X, X]), Y, ShapeError, r"X must have data for each of 1 replicas, got shape \(2, 3, 5\)"),
    (SIGMOID, X, np.stack([Y, Y]), ShapeError, r"the same number of replicas, got \(3, 5\) and \(2, 1, 5\)"),
    (SIGMOID, X, Y * 2, DataError, r"Y must contain only the labels 0 and 1, got 2 at \(0, 1\)"),
    (SIGMOID, X, Y - 0.5, DataError, r"Y must contain only the labels 0 and 1, got -0.5 at \(0, 0\)"),
    (SOFTMAX, X, ONE_HOT * 0, DataError, r"each column of Y must be one-hot, .* in column 0"),
    (SOFTMAX, X, np.ones((3, 5)), DataError, "each column of Y must be one-hot"),
    (PRICE, X, -Y, DataError, "Y must be at least 0 for a relu output, got -1"),
    (SIGMOID, with_value(X, np.nan), Y, DataError, r"X must be finite, got nan at \(2, 2\)"),
    (SIGMOID, with_value(X, -np.inf), Y, DataError, r"X must be finite, got -inf at \(2, 2\)"),
    (SIGMOID, X, with_value(Y, np.nan), DataError, r"Y must be finite, got nan at \(0, 2\)"),
    (SIGMOID, X[:, :0], Y[:, :0], DataError, r"at least one feature and one example, got shape \(3, 0\)"),
    (SIGMOID, X.astype(object), Y, DataError, "X must be an array of numbers, got dtype object"),
    (SIGMOID, X.astype(str), Y, DataError, "X must be an array of numbers, got dtype <U"),
    (SIGMOID, X + 1j, Y, DataError, "X must be an array of numbers, got dtype complex128"),
    (SIGMOID, X, Y.astype(object), DataError, "Y must be an array of numbers, got dtype object"),
]


@pytest.mark.parametrize(("architecture", "X_", "Y_", "error", "words"), CASES, ids=range(len(CASES)))
def test_train_says_what_is_wrong(architecture, X_, Y_, error, words):
    with pytest.raises(error, match=words) as raised:
        train(architecture, X_, Y_, learning_rate=0.1, iterations=1)
    assert isinstance(raised.value, ValueError)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("weight", "error", "words"),
    [
        (np.ones(4), ShapeError, r"sample_weight must have shape \(1, 5\), one weight per example, got \(4,\)"),
        (np.ones((5, 1)), ShapeError, r"sample_weight must have shape \(1, 5\)"),
        ([1, 1, -1, 1, 1], DataError, "at least 0 and not all 0, got a minimum of -1"),
        (np.zeros(5), DataError, "at least 0 and not all 0"),
        ([1, 1, np.inf, 1, 1], DataError, "sample_weight must be finite"),
    ],
)
def test_sample_weight(weight, error, words):
    with pytest.raises(error, match=words):
        train(SIGMOID, X, Y, learning_rate=0.1, iterations=1, sample_weight=weight)


def test_predict_and_cost_check_too():
    parameters = initialize(SIGMOID, 0)
    with pytest.raises(ShapeError, match=r"pass X\.T"):
        predict(SIGMOID, parameters, X.T)
    with pytest.raises(ShapeError, match="the parameters must have the layer sizes"):
        predict(SOFTMAX, parameters, X)
    with pytest.raises(ShapeError, match=r"Y must have shape \(1, 5\)"):
        cost(SIGMOID, parameters, X, Y.T)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dev": (X.T, Y)}, "X of dev must have shape"),
        ({"dev": (X, Y[:, :2])}, "Y of dev must have shape"),
        ({"patience": 3}, "patience requires dev data"),
        ({"seed": -1}, "a seed must be a whole number of at least 0 and below .*got -1"),
        ({"seed": 1.5}, "a seed must be a whole number of at least 0 and below .*got 1.5"),
        ({"initialization": "hee"}, "scheme must be one of"),
        ({"parameters": initialize(SOFTMAX, 0)}, "the parameters must have the layer sizes"),
    ],
)
def test_other_arguments_of_train(arguments, words):
    with pytest.raises(ValueError, match=words):
        train(SIGMOID, X, Y, **{"learning_rate": 0.1, "iterations": 1, **arguments})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seeds": []}, "must each have at least one value"),
        ({"learning_rate": [0.1, 0.2, 0.3]}, "2 seeds, 3 learning rates and 2 parameters"),
        ({"learning_rate": [0.1, -0.2]}, "learning_rate must be above 0, got -0.2"),
        ({"parameters": [initialize(SIGMOID, 0)]}, "2 seeds, 2 learning rates and 1 parameters"),
        ({"X": np.stack([X] * 3)}, r"X must have data for each of 2 replicas, got shape \(3, 3, 5\)"),
        ({"dev": (np.stack([X] * 3), Y)}, r"X of dev must have data for each of 2 replicas"),
    ],
)
def test_arguments_of_train_stack(arguments, words):
    call = {"X": X, "Y": Y, "learning_rate": 0.1, "iterations": 1, "seeds": [0, 1], **arguments}
    with pytest.raises(ValueError, match=words):
        train_stack(SIGMOID, call.pop("X"), call.pop("Y"), **call)


def test_advance_by_less_than_nothing():
    with pytest.raises(ValueError, match="iterations must be at least 0, got -1"):
        advance(start(SIGMOID, TrainingSettings(0.1, 5)), X, Y, iterations=-1)


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "u1", "?", ">f8", "f2"])
def test_every_type_of_number_is_welcome(kind):
    given_X = (np.abs(X) > 0.5).astype(kind)
    result = train(SIGMOID, given_X, Y.astype("?"), learning_rate=0.1, iterations=2)
    assert result.parameters.dtype == (np.float32 if kind == "f4" else np.float64)


def test_lists_are_welcome():
    assert train(SIGMOID, X.tolist(), Y.tolist(), learning_rate=0.1, iterations=2).iterations == 2


def test_finite_numbers_whose_sum_is_not_are_welcome():
    huge = np.full((3, 5), 3e38, np.float32)
    assert predict(SIGMOID, initialize(SIGMOID, 0, "zeros", dtype=np.float32), huge).shape == (1, 5)


def test_data_is_not_changed_and_may_be_read_only():
    X_, Y_ = X.copy(), Y.copy()
    X_.flags.writeable = Y_.flags.writeable = False
    for batch_size in (None, 2):
        train(SIGMOID, X_, Y_, learning_rate=0.1, iterations=5, batch_size=batch_size, dropout=0.2)
    np.testing.assert_array_equal(X_, X)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_balanced_weights_give_every_class_the_same_mass(labels):
    one_hot = np.eye(4)[labels].T
    weights = balanced_weights(one_hot)
    masses = [weights[0, np.array(labels) == k].sum() for k in set(labels)]
    assert weights.shape == (1, len(labels))
    np.testing.assert_allclose(masses, len(labels) / len(set(labels)))


def test_predictions_of_huge_parameters_warn_of_nothing():
    parameters = Parameters.from_arrays([np.full((2, 1), 1e300)], [np.zeros((2, 1))])
    predict(Architecture((1, 2), output_activation="softmax"), parameters, np.array([[1e300]]))
