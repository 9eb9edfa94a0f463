"""Compare the engine with scikit-learn, PyTorch, its own bare matrix products, and loops, on one core in float32.

    python benchmarks/engine_speed.py [--repeats 7] [--seconds 0.4] [--json results.json]

Times are medians of interleaved repeats: every system runs once, then every system again, so a processor that slows
down affects all of them. Only the ratios within one run are meaningful. All systems record the cost at every iteration.
PyTorch is omitted if it is not installed.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from machine import processor
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from engine import Architecture, reference, train, train_stack
from study.ledger.versions import installed_versions

try:
    import torch
except ImportError:
    torch = None

RATE = 0.01
PACKAGES = ("numpy", "scikit-learn", "torch")
LEAST_ITERATIONS = 40  # enough to make checking and copying the data, once per training run, negligible
Timed = Callable[[int], None]  # runs this number of iterations


@dataclass(frozen=True)
class Row:
    """A network of the table, with its targets."""

    sizes: tuple[int, ...]
    m: int
    over_sklearn: float
    over_torch: float
    over_products: float
    adam_batch: int | None = None

    @property
    def label(self) -> str:
        text = f"{'-'.join(map(str, self.sizes))}, {self.m}"
        return f"{text}, softmax, Adam, batch {self.adam_batch}" if self.adam_batch else text

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.sizes, "relu", "softmax" if self.sizes[-1] > 1 else "sigmoid")

    @property
    def updates_an_epoch(self) -> int:
        return -(-self.m // (self.adam_batch or self.m))


ROWS = (
    Row((2, 4, 1), 400, 10, 10, 3.0),
    Row((30, 16, 8, 1), 455, 5, 3.5, 2.2),
    Row((64, 64, 32, 1), 1437, 2.2, 1.0, 1.5),
    Row((784, 256, 128, 1), 5000, 1.35, 0.9, 1.12),
    Row((64, 64, 32, 10), 1437, 3, 2, 3.0, adam_batch=64),
)
STACKS = (((2, 4, 1), 400, 16, 0.55), ((30, 16, 8, 1), 455, 16, 0.65), ((12288, 20, 7, 5, 1), 209, 8, 0.8))


def data(sizes: tuple[int, ...], m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (X, Y) in float32; labels depend on the features, so training behaves as on real data."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((sizes[0], m), dtype=np.float32)
    scores = rng.standard_normal((max(2, sizes[-1]), sizes[0]), dtype=np.float32) @ X
    labels = scores.argmax(axis=0)
    Y = labels.reshape(1, m) if sizes[-1] == 1 else np.eye(sizes[-1])[labels].T
    return X, np.ascontiguousarray(Y, np.float32)


# --- Systems ----------------------------------------------------------------------------------------------------------


def engine_run(row: Row) -> Timed:
    X, Y = data(row.sizes, row.m)
    settings = {"optimizer": "adam", "batch_size": row.adam_batch} if row.adam_batch else {}
    return lambda n: train(row.architecture, X, Y, learning_rate=RATE, iterations=n, **settings)


def sklearn_run(row: Row, *, shuffle: bool = True) -> Timed:
    """Return scikit-learn's run. By default, it shuffles the examples in every epoch, and a full batch is one epoch."""
    X, Y = data(row.sizes, row.m)
    X = np.ascontiguousarray(X.T)
    y = Y[0] if row.sizes[-1] == 1 else Y.argmax(axis=0)
    solver: dict[str, Any] = {"solver": "adam", "batch_size": row.adam_batch}
    if not row.adam_batch:
        solver = {"solver": "sgd", "momentum": 0, "nesterovs_momentum": False, "batch_size": row.m}

    def run(n: int) -> None:
        epochs = -(-n // row.updates_an_epoch)
        model = MLPClassifier(
            row.sizes[1:-1],
            alpha=0,
            learning_rate_init=RATE,
            max_iter=epochs,
            tol=0,
            n_iter_no_change=epochs + 1,
            shuffle=shuffle,
            **solver,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
        assert model.n_iter_ == epochs

    return run


def torch_run(row: Row) -> Timed:
    X, Y = data(row.sizes, row.m)
    X = torch.tensor(np.ascontiguousarray(X.T))
    softmax = row.sizes[-1] > 1
    Y = torch.tensor(Y.argmax(axis=0)) if softmax else torch.tensor(np.ascontiguousarray(Y.T))
    loss_of = torch.nn.CrossEntropyLoss() if softmax else torch.nn.BCEWithLogitsLoss()

    def run(n: int) -> None:
        layers: list[Any] = []
        for n_prev, units in pairwise(row.sizes):
            layers += [torch.nn.Linear(n_prev, units), torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers[:-1])
        optimizer = (torch.optim.Adam if row.adam_batch else torch.optim.SGD)(network.parameters(), lr=RATE)
        costs, order = [], None
        for t in range(n):
            x, y = X, Y
            if row.adam_batch:
                index = t % row.updates_an_epoch
                order = torch.randperm(row.m) if index == 0 else order
                chosen = order[index * row.adam_batch : (index + 1) * row.adam_batch]
                x, y = X[chosen], Y[chosen]
            optimizer.zero_grad()
            loss = loss_of(network(x), y)
            loss.backward()
            optimizer.step()
            costs.append(loss.item())

    return run


def products_run(row: Row) -> Timed:
    """Return a run of only the engine's matrix products, with its shapes and strides and with out=."""
    sizes = [row.m] if not row.adam_batch else [row.adam_batch] * (row.updates_an_epoch - 1)
    if row.adam_batch:
        sizes.append(row.m - sum(sizes))
    made = {m: products(row.sizes, m, rows=bool(row.adam_batch)) for m in set(sizes)}

    def run(n: int) -> None:
        for t in range(n):
            for A, B, out in made[sizes[t % len(sizes)]]:
                np.matmul(A, B, out=out)

    return run


def products(sizes: tuple[int, ...], m: int, *, rows: bool) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)

    def made(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    A = [made(m, sizes[0] + 1).T if rows else made(sizes[0] + 1, m)]  # mini-batches are gathered by rows
    A += [made(n + 1, m) for n in sizes[1:-1]]
    W = [made(n, n_prev + 1) for n_prev, n in pairwise(sizes)]
    dW = [np.empty_like(w) for w in W]
    Z = [*(a[:-1] for a in A[1:]), made(sizes[-1], m)]
    dZ = [made(n, m) for n in sizes[1:]]
    L = len(W)
    todo = [(W[l], A[l], Z[l]) for l in range(L)]  # noqa: E741 - the course's letter; Z[l] = [W b] [A; 1]
    for l in reversed(range(L)):  # noqa: E741 - the course's letter
        todo.append((dZ[l], A[l].T, dW[l]))  # [dW db] = dZ [A; 1]ᵀ
        if l > 0:
            todo.append((W[l][:, :-1].T, dZ[l], dZ[l - 1]))  # dA = Wᵀ dZ
    return todo


# --- Measuring --------------------------------------------------------------------------------------------------------


def seconds_of(run: Timed, n: int) -> float:
    started = time.perf_counter()
    run(n)
    return (time.perf_counter() - started) / n


def medians(
    runs: dict[str, tuple[Timed, int]], repeats: int, seconds: float, least: int = LEAST_ITERATIONS
) -> dict[str, float]:
    """Return seconds per iteration. Each run takes about `seconds`, rounded to whole epochs (its second entry)."""
    counts = {}
    for name, (run, epoch) in runs.items():
        seconds_of(run, epoch)  # warm-up
        once = seconds_of(run, epoch)
        counts[name] = max(least, epoch, round(seconds / once / epoch) * epoch)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, (run, _) in runs.items():
            times[name].append(seconds_of(run, counts[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def measure_rows(console: Console, repeats: int, seconds: float) -> list[dict[str, Any]]:
    table = Table(title="One iteration, with targets in parentheses", title_justify="left")
    for heading in ("network, examples", "bare products", "engine", "scikit-learn", "without shuffle", "PyTorch"):
        table.add_column(heading, justify="left" if heading.startswith("network") else "right")
    for heading in ("× scikit-learn", "× PyTorch", "over products"):
        table.add_column(heading, justify="right")
    results = []
    for row in ROWS:
        epoch = row.updates_an_epoch
        runs = {"products": products_run, "engine": engine_run, "sklearn": sklearn_run, "torch": torch_run}
        runs["sklearn_unshuffled"] = partial(sklearn_run, shuffle=False)
        if torch is None:
            del runs["torch"]
        times = medians({name: (make(row), epoch) for name, make in runs.items()}, repeats, seconds)
        engine = times["engine"]
        shown = ("products", "engine", "sklearn", "sklearn_unshuffled", "torch")
        ratios = {
            "over_sklearn": (times["sklearn"] / engine, row.over_sklearn, True),
            "over_torch": (times["torch"] / engine if torch else None, row.over_torch, True),
            "over_products": (engine / times["products"], row.over_products, False),
        }
        table.add_row(
            row.label,
            *(microseconds(times.get(name)) for name in shown),
            *(against(*ratio) for ratio in ratios.values()),
        )
        results.append(
            {
                "network": row.label,
                "seconds": times,
                **{name: {"measured": ratio, "target": target} for name, (ratio, target, _) in ratios.items()},
            }
        )
    console.print(table)
    return results


def measure_stacks(console: Console, repeats: int, seconds: float) -> list[dict[str, Any]]:
    table = Table(title="A stack of replicas, relative to the same number of single runs", title_justify="left")
    for heading in ("network, examples, replicas", "single", "stack", "share"):
        table.add_column(heading, justify="left" if heading.startswith("network") else "right")
    results = []
    for sizes, m, R, target in STACKS:
        architecture, (X, Y) = Architecture(sizes), data(sizes, m)

        def alone(n: int, architecture: Any = architecture, X: Any = X, Y: Any = Y, R: int = R) -> None:
            for seed in range(R):
                train(architecture, X, Y, learning_rate=RATE, iterations=n, seed=seed)

        def stacked(n: int, architecture: Any = architecture, X: Any = X, Y: Any = Y, R: int = R) -> None:
            train_stack(architecture, X, Y, learning_rate=RATE, iterations=n, seeds=range(R))

        # Long enough that copying X with its row of ones, once per training run, is negligible.
        times = medians({"single": (alone, 50), "stack": (stacked, 50)}, repeats, seconds)
        share = times["stack"] / times["single"]
        label = f"{'-'.join(map(str, sizes))}, {m}, {R}"
        table.add_row(
            label, microseconds(times["single"]), microseconds(times["stack"]), against(share, target, more=False)
        )
        results.append({"network": label, "seconds": times, "share": {"measured": share, "target": target}})
    console.print(table)
    return results


def measure_loops(console: Console, repeats: int, seconds: float) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    a, b = rng.random(1_000_000), rng.random(1_000_000)
    M, v = rng.random((10_000, 10_000), dtype=np.float32), rng.random(10_000, dtype=np.float32)
    X, Y = (array.astype(np.float64) for array in data((30, 1), 455))
    w = np.zeros((30, 1))

    def loop_dot(n: int) -> None:
        for _ in range(n):
            total = 0.0
            for i in range(100_000):
                total += a[i] * b[i]

    def loop_product(n: int) -> None:
        for _ in range(n):
            out = np.zeros(10)
            for i in range(10):
                for j in range(10_000):
                    out[i] += M[i, j] * v[j]

    def repeat(f: Callable[[], Any]) -> Timed:
        return lambda n: [f() for _ in range(n)] and None

    logistic = {
        "loops": repeat(lambda: reference.logistic_loops(w, 0.0, X, Y)),
        "one loop": repeat(lambda: reference.logistic_one_loop(w, 0.0, X, Y)),
        "none": repeat(lambda: reference.logistic_vectorized(w, 0.0, X, Y)),
        "engine": lambda n: train(Architecture((30, 1)), X, Y, learning_rate=RATE, iterations=n),
    }
    epochs = {"engine": 200}
    groups = {
        "dot product of a million (loop: a tenth of it, times 10)": (
            {"loops": (loop_dot, 10.0), "none": (repeat(lambda: a @ b), 1.0)}
        ),
        "10,000 × 10,000 by vector (loops: 10 rows, times 1,000)": (
            {"loops": (loop_product, 1000.0), "none": (repeat(lambda: M @ v), 1.0)}
        ),
        "logistic regression, 30 features, 455 examples: J, dw, db; the engine also updates": {
            name: (run, 1.0) for name, run in logistic.items()
        },
    }
    table = Table(
        title="Loops compared with vectorized code, float64 (the large matrix in float32)", title_justify="left"
    )
    for heading in ("what", "how", "time", "loops take"):
        table.add_column(heading, justify="left" if heading in ("what", "how") else "right")
    results = []
    for what, group in groups.items():
        times = medians({name: (run, epochs.get(name, 1)) for name, (run, _) in group.items()}, repeats, seconds, 1)
        times = {name: taken * group[name][1] for name, taken in times.items()}
        for name, taken in times.items():
            table.add_row(what if name == "loops" else "", name, microseconds(taken), f"{times['loops'] / taken:,.0f}×")
        results.append({"what": what, "seconds": times})
    console.print(table)
    return results


def microseconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1e6:,.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:,.1f} ms"


def against(measured: float | None, target: float, more: bool = True) -> str:
    if measured is None:
        return "–"
    met = measured >= target if more else measured <= target
    color = "green" if met else "red"
    return f"[{color}]{measured:.2f}[/{color}] ({'≥' if more else '≤'} {target:g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=7, help="number of interleaved repeats, of which the median is used"
    )
    parser.add_argument("--seconds", type=float, default=0.4, help="approximate seconds of each repeat of each system")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args()
    if torch is not None:
        torch.set_num_threads(1)
    console = Console(width=165)
    versions = installed_versions(PACKAGES)
    console.print(f"{processor()}, one core, float32. " + ", ".join(f"{k} {v}" for k, v in versions.items()))
    console.print(f"Medians of {arguments.repeats} interleaved repeats.\n")
    measured: dict[str, Any] = {"processor": processor(), "versions": versions, "repeats": arguments.repeats}
    with threadpool_limits(1):
        measured["networks"] = measure_rows(console, arguments.repeats, arguments.seconds)
        measured["stacks"] = measure_stacks(console, arguments.repeats, arguments.seconds)
        measured["loops"] = measure_loops(console, arguments.repeats, arguments.seconds)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2) + "\n")
        console.print(f"Written to {arguments.json}")


if __name__ == "__main__":
    main()
