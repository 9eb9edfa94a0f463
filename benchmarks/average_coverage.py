"""Coverage of the interval for the average of networks, on real networks of one configuration.

    python benchmarks/average_coverage.py [--networks 200] [--draws 1000] [--json FILE]

Half of the rows of each data set of scikit-learn train networks with different seeds; the other half is the population
of examples. A draw takes S of the networks, and m examples with replacement, as `study confirm` has them, and computes
the interval for the average of S networks. The truth is the metric of the average on the whole population, in the mean
over many sets of S networks. The same is done for the gain over a single network.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn import datasets
from threadpoolctl import threadpool_limits

from engine import Architecture, TrainingSettings, advance, start
from engine.activations import Array
from engine.metrics import METRICS
from engine.prediction import predict
from engine.worker_data import Fold
from study.evaluation.averaging import average_of
from study.evaluation.influence import largest_weight, score_table

CASES = (  # data set, hidden layers, learning rate, iterations, metrics, examples of a draw
    ("breast_cancer", (16,), 0.01, 400, ("accuracy", "log_loss"), 114),
    ("digits", (32,), 0.01, 150, ("accuracy", "log_loss"), 200),
    ("diabetes", (32, 32), 0.005, 400, ("rmse", "mae"), 114),
)
SEEDS = (3, 5, 10)
SETS = 300  # sets of networks by which the truth is computed


def main() -> None:
    """Measure all cases, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = []
    for case in CASES:
        with threadpool_limits(1):
            Y, predictions = population(*case[:4], networks=given.networks)
        for metric in case[4]:
            for seeds in SEEDS:
                line = {"data": case[0], "metric": metric, "seeds": seeds, "examples": case[5]}
                line |= measure(metric, Y, predictions, seeds, case[5], given.draws)
                print(json.dumps(line), flush=True)
                found.append(line)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def population(name: str, hidden: Sequence[int], rate: float, iterations: int, *, networks: int) -> tuple[Array, Array]:
    """Return the targets of the population, (n_y, M), and what each network predicts, (networks, n_y, M)."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    half = len(X) // 2
    X = ((X - X[:half].mean(axis=0)) / (X[:half].std(axis=0) + 1e-9)).T.astype(np.float32)
    if name == "diabetes":
        Y = ((y - y[:half].mean()) / y[:half].std())[None].astype(np.float32)
    else:
        Y = (y[None] if y.max() == 1 else np.eye(y.max() + 1)[y].T).astype(np.float32)
    output = "identity" if name == "diabetes" else "sigmoid" if len(Y) == 1 else "softmax"
    architecture = Architecture((len(X), *hidden, len(Y)), "relu", output)
    settings = TrainingSettings(learning_rate=rate, iterations=iterations, optimizer="adam", batch_size=64)
    state = start(architecture, settings, seeds=range(networks))
    state = advance(state, X[:, :half], Y[:, :half])
    return Y[:, half:], np.stack([predict(architecture, state.replica(k), X[:, half:]) for k in range(networks)])


def measure(metric: str, Y: Array, predictions: Array, seeds: int, m: int, draws: int) -> dict[str, float]:
    """Return the shares of intervals, for the average and for the gain, that contain the truth."""
    rng, networks = np.random.default_rng(seeds), len(predictions)
    compute = METRICS[metric].compute
    sets = [rng.choice(networks, seeds, replace=False) for _ in range(SETS)]
    value = float(np.mean([compute(Y, predictions[chosen].mean(axis=0)) for chosen in sets]))
    single = float(np.mean([compute(Y, A) for A in predictions]))
    gain = value - single if METRICS[metric].direction == "maximize" else single - value
    covered = covered_gain = 0
    widths = []
    for _ in range(draws):
        some, examples = rng.choice(networks, seeds, replace=False), rng.integers(0, Y.shape[1], m)
        A, truth = predictions[some][:, :, examples], Y[:, examples]
        folds = [Fold(np.empty((1, 0)), np.empty((1, 0)), np.empty((1, m)), truth)]
        found = average_of(metric, folds, "dev", A, score_table(metric, folds, "dev", A), largest_weight(metric, truth))
        covered += found.low <= value <= found.high
        covered_gain += found.gain_low <= gain <= found.gain_high
        widths.append(found.high - found.low)
    return {
        "value": round(value, 4),
        "gain": round(gain, 4),
        "covered": covered / draws,
        "covered_gain": covered_gain / draws,
        "width": round(float(np.mean(widths)), 4),
    }


if __name__ == "__main__":
    main()
