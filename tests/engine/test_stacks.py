"""A stack of replicas: each equals the same network trained alone, to rounding in float64."""

import numpy as np
import pytest
from support.combinations import combinations

from engine import Architecture, initialize, train, train_stack
from engine.optimizers import OPTIMIZERS
from engine.outputs import OUTPUTS

SEEDS = [3, 14, 15]
RATES = {"gradient_descent": 0.3, "momentum": 0.05, "nesterov": 0.05, "rmsprop": 0.01, "adam": 0.02, "adamw": 0.02}
SIZES = {"depth0": (3, 1), "depth1": (3, 5, 1), "depth2": (3, 6, 4, 1)}
VARIANTS = {
    "full": {},
    "mini_batches": {"batch_size": 7},
    "dropout": {"dropout": 0.3},
    "l2": {"l2": 0.05},
    "clipping": {"max_gradient_norm": 0.1},
    "cosine": {"schedule": "cosine"},
    "all": {"batch_size": 7, "dropout": 0.3, "l2": 0.05, "max_gradient_norm": 0.1, "schedule": "step"},
}


@pytest.fixture(params=[0, 10**12], ids=["merged", "apart"])
def merging(request, monkeypatch):
    """Both ways through the first layer of replicas that share X: one product, or one for each."""
    monkeypatch.setattr("engine.propagation.MERGED_FROM", request.param)


def assert_same(stacked, alone):
    assert stacked.status == alone.status
    assert stacked.iterations == alone.iterations
    np.testing.assert_allclose(stacked.costs, alone.costs, rtol=1e-9)
    np.testing.assert_allclose(stacked.dev_costs, alone.dev_costs, rtol=1e-9)
    np.testing.assert_allclose(stacked.parameters.vector, alone.parameters.vector, rtol=1e-8, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "variant", "depth"), combinations(list(OPTIMIZERS), list(VARIANTS), list(SIZES)))
def test_replica_equals_the_network_alone(optimizer, variant, depth, merging, problem):
    architecture = Architecture(SIZES[depth], "tanh")
    X, Y = problem(architecture, 40)
    settings = {"iterations": 25, "optimizer": optimizer, **VARIANTS[variant]}
    rate = RATES[optimizer]
    stack = train_stack(architecture, X, Y, learning_rate=rate, seeds=SEEDS, **settings)
    assert len(stack) == 3
    for seed, stacked in zip(SEEDS, stack, strict=True):
        assert_same(stacked, train(architecture, X, Y, learning_rate=rate, seed=seed, **settings))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "elu(0.5)", "gelu", "silu", "identity"])
@pytest.mark.parametrize(("output", "cost"), OUTPUTS, ids=["-".join(pair) for pair in OUTPUTS])
def test_every_activation_and_output(activation, output, cost, merging, problem):
    architecture = Architecture((3, 5, 4, 2), activation, output, cost)
    X, Y = problem(architecture)
    settings = {"learning_rate": 0.05, "iterations": 15, "dropout": 0.2}
    stack = train_stack(architecture, X, Y, seeds=SEEDS, **settings)
    for seed, stacked in zip(SEEDS, stack, strict=True):
        assert_same(stacked, train(architecture, X, Y, seed=seed, **settings))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", ["constant", "inverse_time"])
def test_a_learning_rate_for_each(optimizer, schedule, problem):
    architecture = Architecture((3, 5, 2), "relu", "softmax")
    X, Y = problem(architecture)
    rates = [RATES[optimizer] * factor for factor in (0.3, 1.0, 1.7)]
    settings = {"iterations": 25, "optimizer": optimizer, "schedule": schedule, "l2": 0.01}
    stack = train_stack(architecture, X, Y, learning_rate=rates, seeds=SEEDS, **settings)
    for seed, rate, stacked in zip(SEEDS, rates, stack, strict=True):
        assert_same(stacked, train(architecture, X, Y, learning_rate=rate, seed=seed, **settings))


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("sizes", [(3, 2), (3, 5, 2)])
@pytest.mark.parametrize("own_Y", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_data_for_each_replica(batch_size, sizes, own_Y, weighted, problem):
    architecture = Architecture(sizes, "tanh", "softmax")
    folds = [problem(architecture, 40, seed) for seed in SEEDS]
    X = np.stack([x for x, _ in folds])
    Y = np.stack([y for _, y in folds]) if own_Y else folds[0][1]
    weight = np.random.default_rng(1).random(40) if weighted else None
    settings = {"learning_rate": 0.3, "iterations": 25, "batch_size": batch_size, "sample_weight": weight}
    stack = train_stack(architecture, X, Y, seeds=SEEDS, **settings)
    for k, (seed, stacked) in enumerate(zip(SEEDS, stack, strict=True)):
        assert_same(stacked, train(architecture, X[k], Y[k] if own_Y else Y, seed=seed, **settings))


@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_stack_of_one_is_the_network_bit_for_bit(batch_size, problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture)
    settings = {"learning_rate": 0.1, "iterations": 20, "batch_size": batch_size, "dropout": 0.2}
    alone = train(architecture, X, Y, seed=5, **settings)
    for given_X, given_Y in ((X, Y), (X[None], Y), (X[None], Y[None])):
        (stacked,) = train_stack(architecture, given_X, given_Y, seeds=[5], **settings)
        np.testing.assert_array_equal(stacked.parameters.vector, alone.parameters.vector)
        np.testing.assert_array_equal(stacked.costs, alone.costs)


def test_given_starts(problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture)
    starts = [initialize(architecture, seed) for seed in (8, 9)]
    stack = train_stack(architecture, X, Y, learning_rate=0.1, iterations=9, seeds=[0, 1], parameters=starts)
    for first, stacked in zip(starts, stack, strict=True):
        assert_same(stacked, train(architecture, X, Y, learning_rate=0.1, iterations=9, parameters=first))


@pytest.mark.parametrize("own_dev", [False, True])
def test_early_stopping_of_each(own_dev, problem):
    architecture = Architecture((3, 8, 1), "tanh")
    X, Y = problem(architecture, 20)
    dev = problem(architecture, 15, 1)
    devs = [problem(architecture, 15, 1 + k * own_dev) for k in range(3)]
    if own_dev:
        dev = (np.stack([x for x, _ in devs]), np.stack([y for _, y in devs]))
    settings = {"iterations": 400, "patience": 2, "evaluate_every": 7}
    rates = [0.05, 3.0, 0.9]
    stack = train_stack(architecture, X, Y, learning_rate=rates, seeds=SEEDS, dev=dev, **settings)
    assert len({stacked.iterations for stacked in stack}) > 1
    for k, (seed, stacked) in enumerate(zip(SEEDS, stack, strict=True)):
        assert_same(stacked, train(architecture, X, Y, learning_rate=rates[k], seed=seed, dev=devs[k], **settings))


@pytest.mark.parametrize("batch_size", [None, 7])
def test_one_that_diverges_leaves_the_others_as_they_are(batch_size, problem):
    architecture = Architecture((3, 5, 1), "relu", "identity")
    X, Y = problem(architecture)
    dev = problem(architecture, 15, 1)
    rates, settings = [0.01, 1e4, 0.02], {"iterations": 60, "batch_size": batch_size, "dev": dev, "l2": 1e-3}
    stack = train_stack(architecture, X, Y, learning_rate=rates, seeds=SEEDS, **settings)
    assert [stacked.status for stacked in stack] == ["complete", "diverged", "complete"]
    for seed, rate, stacked in zip(SEEDS, rates, stack, strict=True):
        assert_same(stacked, train(architecture, X, Y, learning_rate=rate, seed=seed, **settings))


def test_stacks_in_float32_stay_float32(problem):
    architecture = Architecture((3, 5, 1))
    X, Y = problem(architecture, dtype=np.float32)
    stack = train_stack(architecture, X, Y, learning_rate=[0.1, 0.2], iterations=5, seeds=[0, 1], l2=0.1)
    assert all(stacked.parameters.dtype == np.float32 for stacked in stack)
