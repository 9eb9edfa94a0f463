"""The model of work: memory as measured, units that grow with every argument."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from engine import ACTIVATIONS, Architecture, TrainingSettings, advance, start
from engine.optimizers import OPTIMIZERS
from engine.outputs import DEFAULT_COSTS
from engine.prediction import cost
from engine.work import count_work, evaluation_memory

NETWORK = Architecture((20, 32, 16, 1), "relu")


def measured_peak(architecture, X, Y, seeds, **settings):
    """Return the bytes that a start and two iterations take at the peak, X and Y among them."""
    chosen = TrainingSettings(1e-3, 2, **settings)
    tracemalloc.start()
    try:
        X, Y = X.copy(), Y.copy()
        with np.errstate(all="ignore"):
            advance(start(architecture, chosen, seeds=seeds, dtype=X.dtype), X, Y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("sizes", "activation", "m", "replicas", "settings"),
    [
        ((20, 32, 16, 1), "relu", 20_000, 1, {}),
        ((20, 1), "relu", 20_000, 1, {}),
        ((64, 16, 10), "tanh", 5_000, 4, {}),
        ((20, 32, 16, 1), "gelu", 20_000, 1, {"dropout": 0.2}),
        ((20, 32, 16, 1), "relu", 20_000, 1, {"batch_size": 32, "optimizer": "adam"}),
        ((64, 16, 10), "relu", 5_000, 4, {"batch_size": 512}),
        ((200, 300, 300, 10), "relu", 200, 1, {"optimizer": "adam"}),
        ((200, 300, 300, 10), "sigmoid", 200, 3, {"optimizer": "momentum", "batch_size": 20}),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_is_what_training_takes(sizes, activation, m, replicas, settings, dtype, problem):
    architecture = Architecture(sizes, activation, "softmax" if sizes[-1] > 1 else "sigmoid")
    X, Y = problem(architecture, m, dtype=dtype)
    peak = measured_peak(architecture, X, Y, tuple(range(replicas)), **settings)
    work = count_work(
        architecture,
        m,
        batch_size=settings.get("batch_size"),
        optimizer=settings.get("optimizer", "gradient_descent"),
        replicas=replicas,
        itemsize=dtype().itemsize,
        dropout="dropout" in settings,
    )
    assert 0.8 < work.memory / peak < 1.25, (work.memory, peak)


@pytest.mark.parametrize("sizes", [(20, 1), (20, 64, 1), (20, 8, 64, 8, 10)])
def test_memory_of_an_evaluation(sizes, problem):
    architecture = Architecture(sizes, "relu", "softmax" if sizes[-1] > 1 else "sigmoid")
    X, Y = problem(architecture, 20_000, dtype=np.float32)
    parameters = start(architecture, TrainingSettings(0.1, 1), dtype=np.float32).replica()
    tracemalloc.start()
    cost(architecture, parameters, X, Y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.7 < evaluation_memory(architecture, 20_000) / peak < 1.4


def grows(*works):
    return all(before.units < after.units for before, after in pairwise(works))


@pytest.mark.parametrize("output", sorted(DEFAULT_COSTS))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_work_grows_with_every_size(activation, output):
    def count(n_x=20, hidden=(16, 16), n_y=3, m=1000):
        return count_work(Architecture((n_x, *hidden, n_y), activation, output), m)

    assert grows(*(count(n_x=n) for n in (2, 3, 30, 300)))
    assert grows(*(count(hidden=(n,)) for n in (1, 2, 16, 17, 500)))
    assert grows(*(count(hidden=(16,) * depth) for depth in range(5)))
    assert grows(*(count(n_y=n) for n in (2, 3, 10, 100)))
    assert grows(*(count(m=m) for m in (10, 11, 100, 10_000, 1_000_000)))


def test_work_grows_with_every_option():
    assert grows(*(count_work(NETWORK, 1024, batch_size=b) for b in (1, 8, 32, 128, 512)))
    assert grows(*(count_work(NETWORK, 1024, replicas=r) for r in (1, 2, 3, 10)))
    assert grows(*(count_work(NETWORK, 1024, dropout=d) for d in (False, True)))
    assert grows(*(count_work(NETWORK, 1024, l2=on) for on in (False, True)))
    assert count_work(NETWORK, 1024, itemsize=8).memory == 2 * count_work(NETWORK, 1024).memory
    assert count_work(NETWORK, 1024, batch_size=5000) == count_work(NETWORK, 1024)
    by_optimizer = {name: count_work(NETWORK, 1024, optimizer=name) for name in OPTIMIZERS}
    assert grows(*(by_optimizer[name] for name in ("gradient_descent", "momentum", "nesterov", "rmsprop", "adam")))
    assert by_optimizer["adamw"] == by_optimizer["adam"]


def test_one_unit_is_the_sum_of_its_parts():
    work = count_work(NETWORK, 1024)
    assert work.units == pytest.approx(work.flops / 60e9 + work.elements / 2e9 + work.steps / 1e6)
