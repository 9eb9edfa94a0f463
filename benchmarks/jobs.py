"""Compare end-to-end runs of several systems: the same 64 configurations on the same data, from start to results.

    python benchmarks/jobs.py [--data digits …] [--peers NAME …] [--settings 64] [--json results/jobs.json]

Half of the configurations use gradient descent on the full batch, half Adam with mini-batches of 64. They are drawn
once, and every system trains them with two workers. The cost of every epoch is stored and, except by
RandomizedSearchCV, logged to MLflow in the usual way for the system. `study` reads and prepares the data itself; the
other systems receive it prepared. A job lasts until its process has ended, with everything in MLflow. In the comparison
with RandomizedSearchCV, which does not use MLflow, it lasts until the best value is printed. Ray Tune, which takes 70
ms per report, gets the first 16 configurations. `study` and another system run in turn, short jobs several times, and
the result is the ratio of their medians. It is only meaningful if nothing else runs on the machine.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from machine import environment, keep
from page import OURS
from rich.console import Console
from rich.table import Table
from sklearn.datasets import make_classification

from study.data import Dataset, load
from study.ledger.home import Home
from study.ledger.results import summarize
from study.ledger.versions import installed_versions
from study.spec import parse_spec

HERE = Path(__file__).resolve().parent
PACKAGES = ("mlflow", "optuna", "scikit-learn", "torch", "ray", "numpy", "joblib")
SETTINGS = 64
BATCH = 64
SAMPLE_EVERY = 0.5  # seconds between two measurements of memory
SHORT = 20.0  # seconds; a shorter job is repeated OFTEN times
OFTEN = 3
LIMIT = 3600.0  # maximum seconds of a job of another system
DATA = {
    "digits": 'source = "sklearn:digits"',
    "breast_cancer": 'source = "sklearn:breast_cancer"',
    "planar_flower": 'source = "synthetic:planar_flower"',
    "table": 'source = "table.npz"',
}
UNTRACKED = "RandomizedSearchCV, untracked"
PEERS = {
    "optuna + MLPClassifier, log_metric per step": ("optuna_sklearn.py", "step"),
    "optuna + MLPClassifier, log_batch per trial": ("optuna_sklearn.py", "batch"),
    "optuna + PyTorch, processes": ("optuna_torch.py",),
    UNTRACKED: ("random_search.py",),
    "Ray Tune + PyTorch, first 16 only": ("ray_torch.py",),
}
FEWER = {"Ray Tune + PyTorch, first 16 only": 16}  # number of configurations; `study` gets the same ones
TARGETS = dict(zip(PEERS, (12.0, 4.0, 2.5, 3.0, 5.0), strict=True))
SPEC = """
name = "peer"
[data]
{data}
split = [0.6, 0.2, 0.2]
[space]
learning_rate = {{ low = 1e-4, high = 1.0, log = true }}
iterations = {{ low = 1, high = {most} }}
depth = {{ low = 1, high = 3 }}
units = {{ low = 16, high = 64 }}
activation = ["relu", "tanh"]
optimizer = ["gradient_descent", "adam"]
batch_size = ["full", {batch}]
[search]
trials = {trials}
sampler = "random"
pruner = "none"
metric = "accuracy"
enqueue = [
{settings}
]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--settings", type=int, default=SETTINGS)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    console = Console()
    settings = draw_settings(chosen.settings)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:  # a run without measurement, which compiles changed modules
        run(OURS, chosen.data[0], settings[:2], Path(place))
    for data in chosen.data:
        found[data], ours = {OURS: {}}, list[dict[str, Any]]()
        for system in chosen.peers:
            peer, beside = race(system, data, settings[: FEWER.get(system)])
            if system not in FEWER:
                ours += beside
            found[data][OURS], found[data][system] = median_run(ours or beside), peer
            console.print(f"{data}, {system}: {peer}")
            if chosen.json:
                keep(chosen.json, installed_versions(PACKAGES), {"settings": chosen.settings, "jobs": found})
    show(console, found)


def draw_settings(count: int = SETTINGS) -> list[dict[str, Any]]:
    """Draw configurations, the same ones each time, alternating between gradient descent and Adam."""
    chance = np.random.default_rng(20)
    settings = []
    for index in range(count):
        adam = index % 2 == 1
        depth = int(chance.integers(1, 4))
        settings.append(
            {
                "optimizer": "adam" if adam else "gradient_descent",
                "learning_rate": float(10 ** chance.uniform(*((-3, -2) if adam else (-2, 0)))),
                "epochs": int(chance.integers(10, 51) if adam else chance.integers(200, 1001)),
                "batch_size": BATCH if adam else None,
                "units": [int(units) for units in chance.integers(16, 65, depth)],
                "activation": str(chance.choice(["relu", "tanh"])),
            }
        )
    return settings


def race(system: str, data: str, settings: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run `study` and another system in turn, and repeat short jobs several times.

    Returns:
        The result of `run` for the other system's run with the median time, with "times_ours", and the runs of `study`.
    """
    ours, theirs = list[dict[str, Any]](), list[dict[str, Any]]()
    while waiting := [(name, runs) for name, runs in ((OURS, ours), (system, theirs)) if not often_enough(runs)]:
        for name, runs in waiting:
            with tempfile.TemporaryDirectory() as place:
                runs.append(run(name, data, settings, Path(place)))
    by = "printed" if system == UNTRACKED else "seconds"
    ratio = statistics.median(each[by] for each in theirs) / statistics.median(each[by] for each in ours)
    return median_run(theirs) | {"times_ours": ratio}, ours


def often_enough(runs: Sequence[dict[str, Any]]) -> bool:
    """Return whether there are enough runs for a median that is robust to other work on the machine."""
    return len(runs) >= OFTEN or (len(runs) > 0 and runs[0]["seconds"] >= SHORT)


def median_run(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the run with the median time."""
    return sorted(runs, key=lambda found: found["seconds"])[len(runs) // 2]


def run(system: str, data: str, settings: Sequence[dict[str, Any]], place: Path) -> dict[str, Any]:
    """Run one system in an empty folder; return its results for the page.

    "seconds" is the time until the process ends, "printed" the time until the best value is printed, "memory" the peak
    memory in bytes, "bytes" the disk space, and "dev_accuracy" the best accuracy.
    """
    prepared = write_data(data, place)
    if system == OURS:
        write_spec(data, settings, place)
        command = [sys.executable, "-m", "study.cli.main", "run", "spec.toml", "--home", "kept", "--jobs", "2"]
    else:
        parts = {"train": prepared.train, "dev": prepared.dev}
        arrays: dict[str, Any] = {f"X_{name}": part.X.T.astype(np.float64) for name, part in parts.items()}
        arrays |= {f"y_{name}": classes(part.Y) for name, part in parts.items()}
        (place / "kept").mkdir()
        np.savez(place / "kept/data.npz", **arrays)
        (place / "kept/settings.json").write_text(json.dumps(settings))
        script, *more = PEERS[system]
        command = [sys.executable, str(HERE / "peers" / script), "kept", *more]
    before = size_of(place)
    measured, lines = watch(command, place)
    if system == OURS:
        best = summarize(Home(place / "kept"), "peer").best
        value = best.value if best is not None and best.value is not None else 0.0
        shown = next(seconds for seconds, line in lines if "log J" in line)  # the heading of the table
    else:
        shown, line = lines[-1]
        value = float(line)
    return measured | {"printed": shown, "bytes": size_of(place) - before, "dev_accuracy": value}


def write_data(data: str, place: Path) -> Dataset:
    """Write the generated table if it is the data; return the data as `study` reads and prepares it."""
    if data == "table":
        X, y = make_classification(20_000, 50, n_informative=20, n_classes=4, random_state=0)
        np.savez(place / "table.npz", X=X, y=y)
    text = SPEC.format(data=DATA[data], trials=1, batch=BATCH, most=1, settings="")
    return load(parse_spec(text, "spec").data, place)


def write_spec(data: str, settings: Sequence[dict[str, Any]], place: Path) -> None:
    """Write the `spec.toml` of a study that tries these configurations, and the data that it needs."""
    m = write_data(data, place).train.m
    rows = [enqueued(setting, m) for setting in settings]
    most = max(row["iterations"] for row in rows)
    lines = ",\n".join(
        "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in row.items()) + " }" for row in rows
    )
    spec = SPEC.format(data=DATA[data], trials=len(rows), batch=BATCH, most=most, settings=lines)
    (place / "spec.toml").write_text(spec)


def enqueued(setting: dict[str, Any], m: int) -> dict[str, Any]:
    """Return a configuration in the form of `[search] enqueue`, where an iteration is an update."""
    size = setting["batch_size"] or m
    units = {f"units_{layer}": units for layer, units in enumerate(setting["units"], 1)}
    return {
        "learning_rate": setting["learning_rate"],
        "iterations": setting["epochs"] * -(-m // size),
        "depth": len(setting["units"]),
        **units,
        "activation": setting["activation"],
        "optimizer": setting["optimizer"],
        "batch_size": setting["batch_size"] or "full",
    }


def classes(Y: Any) -> Any:
    """Return the class of each column of Y, of shape (1, m) or (classes, m)."""
    return (Y[0] > 0.5).astype(np.int64) if len(Y) == 1 else Y.argmax(0)


def watch(command: Sequence[str], place: Path) -> tuple[dict[str, float], list[tuple[float, str]]]:
    """Run a command in a folder; return its time and peak memory, and the lines that it printed, with their times."""
    lines: list[tuple[float, str]] = []
    with (place / "errors").open("w+") as errors:
        began = time.perf_counter()
        process = psutil.Popen(
            command, cwd=place, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
        )

        def listen() -> None:
            lines.extend((time.perf_counter() - began, line) for line in process.stdout)

        listener = threading.Thread(target=listen)
        listener.start()
        most = 0
        while process.poll() is None:
            most = max(most, memory_of(process))
            if time.perf_counter() - began > LIMIT:
                process.kill()
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(SAMPLE_EVERY)
        seconds = time.perf_counter() - began
        listener.join()
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{errors.read()[-3000:]}")
        return {"seconds": seconds, "memory": most}, lines


def memory_of(process: Any) -> int:
    """Return the memory of a process and its descendants in bytes, with a proportional share of shared memory."""
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            total += each.memory_full_info().pss
    except psutil.Error:  # a process has just ended
        return 0
    return total


def size_of(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file() and not path.is_symlink())


def show(console: Console, found: dict[str, dict[str, Any]]) -> None:
    """Print the seconds of each system, and their ratios to those of `study`."""
    table = Table(title="Seconds of a whole job, and ratio to study", title_justify="left")
    for heading in ("system", *found, "geometric mean", "target"):
        table.add_column(heading, justify="left" if heading == "system" else "right")
    table.add_row(OURS, *(f"{systems[OURS]['seconds']:.1f}" for systems in found.values()))
    for system in [name for name in next(iter(found.values())) if name != OURS]:
        rows = [systems[system] for systems in found.values()]
        cells = [f"{row['seconds']:.1f} ({row['times_ours']:.1f}×)" for row in rows]
        mean = statistics.geometric_mean(row["times_ours"] for row in rows)
        table.add_row(system, *cells, f"{mean:.1f}×", f"{TARGETS[system]:g}×")
    console.print(table)


if __name__ == "__main__":
    main()
