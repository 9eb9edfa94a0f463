"""Full batches of many examples go through the network in tiles: the same gradient and cost, alone and in a stack."""

import numpy as np
import pytest

from engine import Architecture, DataError, TrainingSettings, advance, start, train, train_stack
from engine.tiles import TILE, TILED_FROM, cut_tiles

M = 50


@pytest.fixture
def tiles_of_8(monkeypatch):
    monkeypatch.setattr("engine.tiles.TILE", 8)
    monkeypatch.setattr("engine.tiles.TILED_FROM", 16)


@pytest.mark.parametrize("m", [1, TILE, TILED_FROM - 1, TILED_FROM, TILED_FROM + 1, 12_000, 99_991])
def test_tiles_cover_all_examples_once_in_two_sizes_at_most(m):
    cuts = cut_tiles(m)
    np.testing.assert_array_equal(np.concatenate([np.arange(m)[cut] for cut in cuts]), np.arange(m))
    sizes = {len(range(m)[cut]) for cut in cuts}
    assert len(sizes) <= 2
    assert max(sizes) <= (TILE if m >= TILED_FROM else m)


@pytest.mark.parametrize("sizes", [(3, 1), (3, 5, 1), (3, 5, 4, 3)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("slots", [64, 2])
def test_tiles_train_as_one_piece(sizes, activation, weighted, slots, problem, monkeypatch):
    architecture = Architecture(sizes, activation, "softmax" if sizes[-1] > 1 else "sigmoid")
    X, Y = problem(architecture, M)
    weight = np.random.default_rng(0).uniform(0.1, 2, M) if weighted else None
    settings = {"learning_rate": 0.1, "iterations": 30, "l2": 0.01, "sample_weight": weight}
    whole = train(architecture, X, Y, **settings)
    monkeypatch.setattr("engine.tiles.TILE", 8)
    monkeypatch.setattr("engine.tiles.TILED_FROM", 16)
    monkeypatch.setattr("engine.propagation.COST_BUFFER", slots * 8 * sizes[-1])
    tiled = train(architecture, X, Y, **settings)
    np.testing.assert_allclose(tiled.costs, whole.costs, rtol=1e-12)
    np.testing.assert_allclose(tiled.parameters.vector, whole.parameters.vector, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("tiles_of_8")
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("merged_from", [0, 10**9])
def test_a_replica_trains_as_it_does_alone(shared, merged_from, problem, monkeypatch):
    monkeypatch.setattr("engine.propagation.MERGED_FROM", merged_from)
    architecture = Architecture((3, 5, 4, 1), "tanh")
    X, Y = problem(architecture, M)
    seeds = [1, 2, 3]
    given = (X, Y) if shared else (np.stack([X, -X, 2 * X]), np.stack([Y, 1 - Y, Y]))
    stack = train_stack(architecture, *given, learning_rate=0.1, iterations=20, seeds=seeds)
    for k, seed in enumerate(seeds):
        own = given if shared else (given[0][k], given[1][k])
        alone = train(architecture, *own, learning_rate=0.1, iterations=20, seed=seed)
        np.testing.assert_allclose(stack[k].parameters.vector, alone.parameters.vector, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(stack[k].costs, alone.costs, rtol=1e-12)


@pytest.mark.usefixtures("tiles_of_8")
def test_in_pieces_bit_for_bit(problem):
    architecture = Architecture((3, 5, 1), "relu")
    X, Y = problem(architecture, M, dtype=np.float32)
    begun = start(architecture, TrainingSettings(0.3, 100, optimizer="adam"), seeds=(4,))
    whole, state = advance(begun, X, Y), begun
    for piece in (1, 70, 3, 26):
        state = advance(state, X, Y, iterations=piece)
    np.testing.assert_array_equal(state.parameters, whole.parameters)
    np.testing.assert_array_equal(state.costs, whole.costs)


@pytest.mark.usefixtures("tiles_of_8")
def test_divergence_is_found_in_the_same_iteration(problem, monkeypatch):
    architecture = Architecture((3, 5, 1), "relu", "identity")
    X, Y = problem(architecture, M)
    tiled = train(architecture, X, Y, learning_rate=1e3, iterations=200)
    monkeypatch.setattr("engine.tiles.TILED_FROM", 10**9)
    whole = train(architecture, X, Y, learning_rate=1e3, iterations=200)
    assert tiled.status == whole.status == "diverged"
    assert tiled.iterations == whole.iterations


def test_dropout_goes_untiled(problem, monkeypatch):
    architecture = Architecture((3, 5, 1), "relu")
    X, Y = problem(architecture, M)
    settings = {"learning_rate": 0.1, "iterations": 10, "dropout": 0.5}
    whole = train(architecture, X, Y, **settings)
    monkeypatch.setattr("engine.tiles.TILED_FROM", 16)
    np.testing.assert_array_equal(train(architecture, X, Y, **settings).costs, whole.costs)


@pytest.mark.usefixtures("tiles_of_8")
def test_data_are_checked_before_they_are_cut(problem):
    architecture = Architecture((3, 1))
    X, Y = problem(architecture, M)
    X[1, 40] = np.nan
    with pytest.raises(DataError, match=r"got nan at \(1, 40\)"):
        train(architecture, X, Y, learning_rate=0.1, iterations=1)
