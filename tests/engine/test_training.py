"""Training one network: against the textbook, and against the simpler cases it must reduce to."""

import numpy as np
import pytest

from engine import ACTIVATIONS, Architecture, cost, initialize, predict, reference, train
from engine.batches import Batches, Examples, generator
from engine.outputs import OUTPUTS
from engine.parameters import Layout, NetworkStack
from engine.settings import TrainingSettings

RATES = {"cross_entropy": 0.3, "squared_error": 0.05}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("output", "kind"), OUTPUTS, ids=["-".join(pair) for pair in OUTPUTS])
def test_equals_the_textbook(activation, output, kind, problem):
    architecture = Architecture((3, 5, 4, 2), activation, output, kind)
    X, Y = problem(architecture)
    first = initialize(architecture, 1, "auto")
    network = reference.Network(first.W, first.b, activation, output, kind, l2=0.01)
    costs = network.train(X, Y, RATES[kind], 60)
    result = train(architecture, X, Y, learning_rate=RATES[kind], iterations=60, parameters=first, l2=0.01)
    np.testing.assert_allclose(result.costs, costs, rtol=1e-11)
    for got, expected in zip(result.parameters.W + result.parameters.b, network.W + network.b, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(predict(architecture, result.parameters, X), network.forward(X)[0], rtol=1e-10)
    penalty = 0.005 * sum((W**2).sum() for W in network.W)
    assert cost(architecture, result.parameters, X, Y) + penalty == pytest.approx(
        network.J(network.forward(X)[0], Y), rel=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "adam"])
def test_number_type_is_kept_and_float32_stays_near(dtype, optimizer, problem):
    architecture = Architecture((3, 5, 1), "tanh")
    X, Y = problem(architecture)
    settings = {"learning_rate": 0.05, "iterations": 50, "optimizer": optimizer, "l2": 0.01, "dropout": 0.0}
    result = train(architecture, X.astype(dtype), Y, **settings)
    assert result.parameters.dtype == dtype
    assert predict(architecture, result.parameters, X.astype(dtype)).dtype == dtype
    assert result.costs.dtype == np.float64
    np.testing.assert_allclose(result.costs, train(architecture, X, Y, **settings).costs, rtol=1e-5)


def test_a_given_start_is_not_changed_and_no_iteration_gives_it_back(problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture)
    first = initialize(architecture, 0)
    before = first.vector.copy()
    train(architecture, X, Y, learning_rate=0.1, iterations=5, parameters=first)
    np.testing.assert_array_equal(first.vector, before)
    nothing = train(architecture, X, Y, learning_rate=0.1, iterations=0, parameters=first)
    assert (nothing.status, nothing.iterations, nothing.costs.shape) == ("complete", 0, (0,))
    np.testing.assert_array_equal(nothing.parameters.vector, before)


def test_a_batch_of_everything_is_the_full_batch(problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture)
    whole = train(architecture, X, Y, learning_rate=0.1, iterations=20)
    for size in (40, 41, 1000):
        other = train(architecture, X, Y, learning_rate=0.1, iterations=20, batch_size=size)
        np.testing.assert_array_equal(other.parameters.vector, whole.parameters.vector)
        np.testing.assert_array_equal(other.costs, whole.costs)


@pytest.mark.parametrize("m", [40, 43, 41])
@pytest.mark.parametrize("weighted", [False, True])
def test_mini_batches_by_hand(m, weighted, problem):
    # The order of an epoch is a function of (seed, epoch); each step is then a full-batch step on those examples.
    architecture = Architecture((3, 5, 2), "tanh", "softmax")
    X, Y = problem(architecture, m)
    weight = np.random.default_rng(5).random(m) if weighted else np.ones(m)
    result = train(architecture, X, Y, learning_rate=0.2, iterations=17, batch_size=8, seed=3, sample_weight=weight)
    parameters = initialize(architecture, 3, "auto")
    per_epoch = -(-m // 8)
    for t in range(17):
        epoch, index = divmod(t, per_epoch)
        order = np.arange(m)
        generator(3, 1, epoch).shuffle(order)
        chosen = order[index * 8 : index * 8 + 8]
        w = weight[chosen] / weight.mean()
        step = train(
            architecture,
            X[:, chosen],
            Y[:, chosen],
            learning_rate=0.2 * w.mean(),
            iterations=1,
            parameters=parameters,
            sample_weight=w,
        )
        assert result.costs[t] == pytest.approx(step.costs[0] * w.mean(), rel=1e-12)
        parameters = step.parameters
    np.testing.assert_allclose(result.parameters.vector, parameters.vector, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_equal_seeds_are_equal_and_others_are_not(batch_size, problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture)
    settings = {"learning_rate": 0.1, "iterations": 20, "batch_size": batch_size, "dropout": 0.3}
    first, again, other = (train(architecture, X, Y, seed=seed, **settings) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.parameters.vector, again.parameters.vector)
    assert not np.array_equal(first.parameters.vector, other.parameters.vector)


def test_whole_weights_are_repetitions(problem):
    architecture = Architecture((3, 5, 1), "tanh")
    X, Y = problem(architecture)
    counts = np.random.default_rng(0).integers(0, 4, X.shape[1])
    weighted = train(architecture, X, Y, learning_rate=0.3, iterations=50, sample_weight=counts)
    repeated = train(architecture, X.repeat(counts, axis=1), Y.repeat(counts, axis=1), learning_rate=0.3, iterations=50)
    np.testing.assert_allclose(weighted.costs, repeated.costs, rtol=1e-12)
    np.testing.assert_allclose(weighted.parameters.vector, repeated.parameters.vector, rtol=1e-10)


def test_dropout_leaves_out_its_share_and_keeps_the_mean(problem):
    architecture = Architecture((3, 200, 100, 1))
    X, Y = problem(architecture)
    settings = TrainingSettings(0.1, 10, dropout=0.3)
    layout = Layout(architecture.layer_sizes)
    stack = NetworkStack(architecture, layout, np.zeros(layout.size), np.zeros(layout.size))
    batches = Batches(stack, settings, Examples(X, Y), seeds=[0])
    batches.load(0, 0, 40)
    hidden = batches.propagations[40].hidden
    for layer in hidden:
        assert set(np.unique(layer.D)) == {0.0, 1 / 0.7}
        assert np.mean(layer.D == 0) == pytest.approx(0.3, abs=0.03)
        assert layer.D.mean() == pytest.approx(1, abs=0.04)
    before = hidden[0].D.copy()
    batches.load(1, 0, 40)
    assert not np.array_equal(hidden[0].D, before)
    batches.load(0, 0, 40)
    np.testing.assert_array_equal(hidden[0].D, before)


def test_dropout_without_hidden_layers_changes_nothing(problem):
    architecture = Architecture((3, 1))
    X, Y = problem(architecture)
    plain, dropped = (train(architecture, X, Y, learning_rate=0.1, iterations=9, dropout=d) for d in (0.0, 0.5))
    np.testing.assert_array_equal(plain.costs, dropped.costs)


def test_sums_are_in_float64_where_they_are_returned(problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture, dtype=np.float32)
    result = train(architecture, X, Y, learning_rate=0.1, iterations=3, l2=0.1)
    first = initialize(architecture, 0, "auto", dtype=np.float32)
    penalty = 0.05 * sum((W**2).sum() for W in first.W)
    assert result.costs[0] == pytest.approx(cost(architecture, first, X, Y) + penalty, rel=1e-6)
