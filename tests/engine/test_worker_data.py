"""Folds as one stack: filling up changes nothing."""

from pathlib import Path

import numpy as np
import pytest

from engine import Architecture, train, train_stack
from engine.worker_data import Fold, Unit, read_data, stack_folds, widen, write_data


def fold(seed: int, n_x: int, m: int) -> Fold:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_x, m + 20))
    Y = (X[:1] + 0.1 * rng.standard_normal((1, m + 20)) > 0).astype(float)
    return Fold(X[:, :m], Y[:, :m], X[:, m:], Y[:, m:])


@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_shorter_fold_in_a_stack_trains_as_it_does_alone(batch_size: int | None) -> None:
    folds = [fold(0, 3, 60), fold(1, 3, 57)]
    data = stack_folds(folds)
    network = Architecture((3, 4, 1), "tanh")
    settings = {"learning_rate": 0.5, "iterations": 40, "batch_size": batch_size}
    stack = train_stack(network, data.X, data.Y, seeds=[5, 6], sample_weight=data.weight, **settings)
    alone = train(network, folds[0].train_X, folds[0].train_Y, seed=5, **settings)
    np.testing.assert_allclose(stack[0].parameters.vector, alone.parameters.vector, rtol=1e-10)
    if batch_size is None:
        alone = train(network, folds[1].train_X, folds[1].train_Y, seed=6, **settings)
        np.testing.assert_allclose(stack[1].parameters.vector, alone.parameters.vector, rtol=1e-10)
        np.testing.assert_allclose(stack[1].costs, alone.costs, rtol=1e-10)


def test_folds_of_one_size_need_no_weights() -> None:
    data = stack_folds([fold(0, 3, 60), fold(1, 3, 60)])
    assert data.weight is None
    assert data.X.shape == (2, 3, 60)


def test_a_narrower_fold_gets_features_of_0() -> None:
    data = stack_folds([fold(0, 3, 60), fold(1, 2, 60)])
    assert (data.X[1, 2] == 0).all()
    assert widen(np.ones((2, 5)), 3).sum() == 10


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folds = [fold(0, 3, 60), fold(1, 3, 60)]
    write_data(tmp_path / "one", folds[:1])
    one = read_data(str(tmp_path / "one"))
    np.testing.assert_array_equal(one.X, folds[0].train_X)
    assert one.fold(7) is one.folds[0]
    write_data(tmp_path / "two", folds)
    two = read_data(str(tmp_path / "two"))
    np.testing.assert_array_equal(two.X[1], folds[1].train_X)
    np.testing.assert_array_equal(two.fold(1).dev_Y, folds[1].dev_Y)


def test_data_written_anew_are_read_anew_and_what_was_mapped_before_stays(tmp_path: Path) -> None:
    first, second = fold(0, 3, 60), fold(1, 4, 50)
    write_data(tmp_path, [first])
    before = read_data(str(tmp_path))
    write_data(tmp_path, [second])
    np.testing.assert_array_equal(read_data(str(tmp_path)).X, second.train_X)
    np.testing.assert_array_equal(before.X, first.train_X)


def test_units_are_restored() -> None:
    y = np.array([[0.0, 1.0]])
    assert Unit().restore(y) is y
    np.testing.assert_allclose(Unit(3.0, 2.0).restore(y), [[3, 5]])
    np.testing.assert_allclose(Unit(0.0, 1.0, log1p=True).restore(y), np.expm1(y))
