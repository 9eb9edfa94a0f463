"""Balanced class weights: against the reference on repeated examples, scikit-learn's formula, stacks and pieces."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from engine import Architecture, TrainingSettings, advance, balanced_weights, initialize, start, train, train_stack
from engine.reference import Network
from engine.state import TrainingState

BINARY = Architecture((3, 4, 1), "tanh")
SOFTMAX = Architecture((3, 4, 3), "tanh", "softmax")
LABELS = np.array([0] * 12 + [1] * 4 + [2] * 3)


def rare(architecture, labels=LABELS, seed=0):
    """Examples with a rare class, in an order in which classes are mixed."""
    labels = np.random.default_rng(seed).permutation(labels)
    X = np.random.default_rng(seed + 1).standard_normal((3, len(labels))) + labels
    Y = np.eye(3)[labels].T if architecture.n_y == 3 else (labels > 0).astype(float)[None]
    return X, np.ascontiguousarray(Y)


@pytest.mark.parametrize(("architecture", "copies"), [(BINARY, (7, 12, 12)), (SOFTMAX, (1, 3, 4))])
def test_equals_the_reference_on_repeated_examples(architecture, copies):
    X, Y = rare(architecture)
    labels = Y.argmax(axis=0) if architecture.n_y == 3 else Y[0].astype(int)
    # 12 zeros and 7 ones, or 12, 4 and 3 examples: repeated until every class has equally many.
    each = np.repeat(np.arange(len(labels)), np.array(copies)[labels])
    first = initialize(architecture, seed=1)
    result = train(architecture, X, Y, learning_rate=0.3, iterations=20, parameters=first, class_weight="balanced")
    reference = Network(first.W, first.b, "tanh", architecture.output_activation, "cross_entropy")
    costs = reference.train(X[:, each], Y[:, each], 0.3, 20)
    np.testing.assert_allclose(result.costs, costs, rtol=1e-12)
    for ours, theirs in zip(result.parameters.W, reference.W, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@pytest.mark.parametrize("architecture", [BINARY, SOFTMAX])
@pytest.mark.parametrize("batch_size", [None, 5])
def test_multiplies_sample_weights(architecture, batch_size):
    X, Y = rare(architecture)
    own = np.linspace(0.1, 2, Y.shape[1])
    labels = Y.argmax(axis=0) if architecture.n_y == 3 else Y[0]
    settings = {"learning_rate": 0.3, "iterations": 25, "batch_size": batch_size}
    for given, weight in ((None, compute_sample_weight("balanced", labels)), (own, balanced_weights(Y, own[None])[0])):
        balanced = train(architecture, X, Y, class_weight="balanced", sample_weight=given, **settings)
        by_hand = train(architecture, X, Y, sample_weight=weight, **settings)
        np.testing.assert_allclose(balanced.parameters.vector, by_hand.parameters.vector, rtol=1e-12)
    masses = [balanced_weights(Y, own[None])[0, labels == label].sum() for label in set(labels)]
    np.testing.assert_allclose(masses, own.sum() / len(masses))


def test_examples_of_weight_0_do_not_count():
    X, Y = rare(SOFTMAX)
    weight = np.ones((1, Y.shape[1]))
    padded = np.concatenate([weight, np.zeros((1, 6))], axis=1)
    more_X, more_Y = np.concatenate([X, X[:, :6]], axis=1), np.concatenate([Y, Y[:, :6]], axis=1)
    settings = {"learning_rate": 0.3, "iterations": 10, "class_weight": "balanced"}
    one = train(SOFTMAX, X, Y, **settings)
    other = train(SOFTMAX, more_X, more_Y, sample_weight=padded, **settings)
    np.testing.assert_allclose(one.parameters.vector, other.parameters.vector, rtol=1e-12)


@pytest.mark.parametrize("batch_size", [None, 5])
def test_a_stack_of_folds_equals_each_fold(batch_size):
    folds = [rare(BINARY, seed=seed) for seed in (0, 1)]
    folds[1] = (folds[1][0], 1 - folds[1][1])  # with other class sizes
    X, Y = (np.stack(arrays) for arrays in zip(*folds, strict=True))
    settings = {"learning_rate": 0.3, "iterations": 25, "batch_size": batch_size, "class_weight": "balanced"}
    together = train_stack(BINARY, X, Y, seeds=[3, 4], **settings)
    shared = train_stack(BINARY, *folds[0], seeds=[3, 4], **settings)
    for k, seed in enumerate((3, 4)):
        for stack, fold in ((together, folds[k]), (shared, folds[0])):
            apart = train(BINARY, *fold, seed=seed, **settings)
            np.testing.assert_allclose(stack[k].parameters.vector, apart.parameters.vector, rtol=1e-10)


@pytest.mark.parametrize("batch_size", [None, 5])
def test_in_pieces_through_a_file(batch_size, tmp_path):
    X, Y = rare(BINARY)
    chosen = TrainingSettings(0.3, 30, "adam", batch_size, class_weight="balanced")
    begun = start(BINARY, chosen, seeds=[1, 2])
    whole = advance(begun, X, Y)
    advance(begun, X, Y, iterations=13).save(tmp_path / "state.npz")
    resumed = advance(TrainingState.load(tmp_path / "state.npz"), X, Y)
    np.testing.assert_array_equal(whole.parameters, resumed.parameters)
    np.testing.assert_array_equal(whole.costs, resumed.costs)


def test_refusals():
    X, Y = rare(BINARY)
    with pytest.raises(ValueError, match=r'class_weight must be one of "balanced", None, got \'equal\''):
        train(BINARY, X, Y, learning_rate=0.1, iterations=1, class_weight="equal")
    for sizes, output in (((3, 1), "identity"), ((3, 2), "sigmoid")):
        wrong = Architecture(sizes, output_activation=output)
        with pytest.raises(ValueError, match=f"class_weight requires .* got {sizes[1]} {output}"):
            train(wrong, X, np.repeat(Y, sizes[1], axis=0), learning_rate=0.1, iterations=1, class_weight="balanced")
