"""Buffers are made once: nothing that grows with the examples is allocated in the loop."""

import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest

from engine import ACTIVATIONS, Architecture
from engine.batches import Examples
from engine.loop import Trainer
from engine.optimizers import OPTIMIZERS
from engine.outputs import OUTPUTS
from engine.settings import TrainingSettings
from engine.training import start

FEW, MANY = 2_000, 40_000


def peak_of_the_loop(architecture, settings, X, Y, seeds=(0,), weight=None):
    """Return the bytes that 8 iterations take beyond the buffers, which a first one has made."""
    trainer = Trainer(start(architecture, settings, seeds=seeds, dtype=X.dtype), Examples(X, Y, weight), None)
    with np.errstate(all="ignore"):
        trainer.run_until(2)
        tracemalloc.start()
        try:
            trainer.run_until(10)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def assert_no_growth(architecture, problem, seeds=(0,), weighted=False, **settings):
    peaks = []
    for m in (FEW, MANY):
        X, Y = problem(architecture, m, dtype=np.float32)
        weight = np.linspace(0.5, 1.5, m).reshape(1, -1) if weighted else None
        peaks.append(peak_of_the_loop(architecture, TrainingSettings(0.01, 10, **settings), X, Y, seeds, weight))
    # One row of float32 more would be 152,000 bytes; what differs is how many costs are kept together.
    assert peaks[1] < peaks[0] + 20_000, peaks


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "elu(0.5)", "leaky_relu(0.3)"])
def test_full_batch_for_every_activation(activation, problem):
    assert_no_growth(Architecture((3, 6, 4, 1), activation), problem)


@pytest.mark.parametrize(("output", "cost"), OUTPUTS, ids=["-".join(pair) for pair in OUTPUTS])
def test_full_batch_for_every_output(output, cost, problem):
    assert_no_growth(Architecture((3, 6, 3), "relu", output, cost), problem)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_everything(optimizer, problem):
    architecture = Architecture((3, 6, 1), "tanh")
    assert_no_growth(
        architecture, problem, weighted=True, optimizer=optimizer, l2=0.1, dropout=0.3, max_gradient_norm=1.0
    )


@pytest.mark.parametrize("batch_size", [None, 64])
@pytest.mark.parametrize("merged_from", [0, 10**12], ids=["merged", "apart"])
def test_stacks_and_mini_batches(batch_size, merged_from, problem, monkeypatch):
    monkeypatch.setattr("engine.propagation.MERGED_FROM", merged_from)
    architecture = Architecture((3, 6, 3), "relu", "softmax")
    assert_no_growth(architecture, problem, seeds=(0, 1, 2), weighted=True, batch_size=batch_size)


@pytest.mark.slow
def test_a_large_table_stays_under_a_gigabyte():
    script = """
        import resource
        import numpy as np
        from engine import Architecture, train

        rng = np.random.default_rng(0)
        X = rng.standard_normal((784, 50_000), dtype=np.float32)
        Y = np.zeros((10, 50_000), np.float32)
        Y[rng.integers(0, 10, 50_000), np.arange(50_000)] = 1
        result = train(Architecture((784, 256, 128, 10), "relu", "softmax"), X, Y, learning_rate=0.1, iterations=3)
        assert result.status == "complete", result
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=300
    )
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 1_000_000, f"{kilobytes} kB"
