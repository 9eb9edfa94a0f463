"""Compare the search quality of several systems in the same wall-clock time: one minute on two cores, with startup.

    python benchmarks/quality.py [--data digits …] [--systems study …] [--seeds 5] [--seconds 60] [--json FILE]

A quarter of the rows is the test set, drawn again for each seed. A system gets the other rows, and its accuracy on the
test set is measured once. `study` runs the spec that `study init` drafts with a timeout, then `study finalize`. Results
that are already in FILE are not measured again, so the whole benchmark (2 hours 40 minutes) can be run in parts. All
systems on one data set and seed, which are compared with each other, run one after another.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from machine import environment, keep
from rich.console import Console
from sklearn import datasets
from sklearn.model_selection import train_test_split

from study.ledger.versions import installed_versions

HERE = Path(__file__).resolve().parent
PACKAGES = ("mlflow", "optuna", "scikit-learn", "flaml", "lightgbm", "xgboost", "numpy")
OURS = "study"
PEERS = {
    "optuna + MLPClassifier": "optuna_mlp.py",
    "HalvingRandomSearchCV + MLPClassifier": "halving_mlp.py",
    "FLAML": "flaml_automl.py",
}
FINISH = 16.0  # seconds reserved for `study init` and `study finalize`
TEST = 0.25


def _shipped(load: Callable[..., Any]) -> Callable[[], tuple[Any, Any]]:
    return lambda: load(return_X_y=True)


DATA: dict[str, Callable[[], tuple[Any, Any]]] = {
    "digits": _shipped(datasets.load_digits),
    "breast_cancer": _shipped(datasets.load_breast_cancer),
    "wine": _shipped(datasets.load_wine),
    "iris": _shipped(datasets.load_iris),
    "moons": lambda: datasets.make_moons(2000, noise=0.3, random_state=0),
    "quantiles": lambda: datasets.make_gaussian_quantiles(n_samples=3000, n_features=8, n_classes=4, random_state=0),
    "hastie": lambda: datasets.make_hastie_10_2(4000, random_state=0),
    "classification": lambda: datasets.make_classification(
        5000, 30, n_informative=12, n_redundant=6, n_classes=4, n_clusters_per_class=3, flip_y=0.02, random_state=0
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA))
    parser.add_argument("--systems", nargs="*", choices=[OURS, *PEERS], default=[OURS, *PEERS])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    console = Console()
    kept: dict[str, Any] = json.loads(chosen.json.read_text()) if chosen.json and chosen.json.exists() else {}
    rows: list[dict[str, Any]] = kept.get("scores", [])
    done = {(row["data"], row["seed"], row["system"]) for row in rows}
    for seed in range(chosen.seeds):
        for data in chosen.data:
            for system in chosen.systems:
                if (data, seed, system) in done:
                    continue
                score, seconds = judge(system, data, seed, chosen.seconds)
                rows.append({"data": data, "seed": seed, "system": system, "score": score, "seconds": seconds})
                console.print(f"{data}, seed {seed}, {system}: {score:.4f} in {seconds:.1f} s")
                if chosen.json:
                    keep(chosen.json, installed_versions(PACKAGES), {"seconds": chosen.seconds, "scores": rows})


def judge(system: str, data: str, seed: int, seconds: float) -> tuple[float, float]:
    """Return (accuracy on test, seconds) of one system on one split."""
    X, y = DATA[data]()
    table = pd.DataFrame(X, columns=[f"x{column}" for column in range(X.shape[1])])
    table["target"] = [f"class {label:g}" for label in y]
    train, test = train_test_split(table, test_size=TEST, random_state=seed, stratify=table["target"])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        began = time.perf_counter()
        if system == OURS:
            score = ours(folder, seconds, seed)
        else:
            script = HERE / "searches" / PEERS[system]
            score = float(call([sys.executable, str(script), ".", str(seconds), str(seed)], folder).split()[-1])
        return score, time.perf_counter() - began


def ours(folder: Path, seconds: float, seed: int) -> float:
    """Return the accuracy on test of the study that `study init` drafts."""
    command = [sys.executable, "-m", "study.cli.main"]
    call([*command, "init", "train.csv"], folder)
    spec = (folder / "train.toml").read_text()
    spec = re.sub(r"(?m)^(source = .*)$", r'\1\ntest = "test.csv"', spec, count=1)
    spec = re.sub(r"(?m)^seed = \d+", f"seed = {seed}", spec)
    spec = re.sub(r"(?m)^trials = \d+", "trials = 100000", spec)
    (folder / "train.toml").write_text(spec)
    call([*command, "run", "train.toml", "--home", "kept", "--jobs", "2", "--timeout", str(seconds - FINISH)], folder)
    said = call([*command, "finalize", "train", "--home", "kept", "--json"], folder)
    return float(json.loads(said)["opening"]["metrics"]["accuracy"])


def call(command: list[str], folder: Path) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
