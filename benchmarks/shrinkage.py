"""Measure how well the best dev value of a search and the confirmed value predict the test value of the selected trial.

    python benchmarks/shrinkage.py [--repeats 20] [--trials 12] [--seeds 5] [--only digits]

Each repeat splits the data differently and runs a small study, without MLflow or the command line. The confirmed trial
is then evaluated on the test rows by the mean of fresh networks, which are not used for anything else. For each data
set, this prints the mean of the value minus the test value (bias) and their mean distance (error), for both values. A
data set takes one or two minutes.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np

from engine import Architecture, Parameters, predict
from engine.metrics import METRICS
from study.data import open_test
from study.evaluation.confirm import confirm_with
from study.execution import Workers
from study.ledger.home import Home
from study.ledger.ledger import quiet_optuna
from study.search import Listener, Search
from study.search.objective import Objective
from study.search.search_space import complete
from study.search.session import StudySession
from study.search.stopping import Budget
from study.spec import DeclaredSpec

DATA = {
    "breast_cancer": 'source = "sklearn:breast_cancer"',
    "digits": 'source = "sklearn:digits"',
    # A substitute for penguins: three overlapping classes, 344 rows.
    "blobs": 'source = "synthetic:blobs"\nexamples = 344\nnoise = 3.0',
}
SPEC = """
name = "shrinkage"
[data]
{data}
seed = {seed}
confirm = {confirm}
[space]
learning_rate = {{ low = 1e-2, high = 1.0, log = true }}
iterations    = {{ low = 50, high = 200, step = 50 }}
depth         = {{ low = 0, high = 2 }}
units         = {{ low = 4, high = 32, log = true }}
activation    = ["relu", "tanh"]
[search]
trials = {trials}
seed = {seed}
metric = "accuracy"
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, usual in (("repeats", 20), ("trials", 12), ("seeds", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--confirm", type=float, default=0.0)
    parser.add_argument("--only", choices=list(DATA), action="append")
    parser.add_argument("--table", help="your own file, such as penguins.csv, instead of these data sets")
    parser.add_argument("--target", help="the column to predict in this file")
    given = parser.parse_args()
    if given.table:
        DATA[Path(given.table).stem] = f'source = "{Path(given.table).absolute()}"\ntarget = "{given.target}"'
        given.only = [Path(given.table).stem]
    print(f"{'data':<14}{'search − test':>16}{'error':>8}{'confirmed − test':>19}{'error':>8}")
    for name in given.only or DATA:
        gaps = np.array([one(DATA[name], seed, given) for seed in range(given.repeats)])
        (search, confirmed), (far, near) = gaps.mean(axis=0), np.abs(gaps).mean(axis=0)
        print(f"{name:<14}{search:>+16.4f}{far:>8.4f}{confirmed:>+19.4f}{near:>8.4f}", flush=True)


def one(data: str, seed: int, given: argparse.Namespace) -> tuple[float, float]:
    """Return the search's best value and the confirmed value of the same trial, minus its value on test."""
    text = SPEC.format(data=data, seed=seed, trials=given.trials, confirm=given.confirm)
    with tempfile.TemporaryDirectory() as place, quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        declared = DeclaredSpec.parse(text, Path(place), "shrinkage.toml")
        spec = declared.spec
        session = StudySession(Home(Path(place)).folder(spec.name), declared)
        objective = session.objective
        objective.write_data()
        with session.writing(), Workers(1) as workers:
            ledger = session.ledger
            ledger.set(trials=given.trials, metric=objective.metric, objectives=list(objective.objectives))
            Search(objective, ledger, Budget(given.trials, None, None, maximize=True), [], Listener()).run(workers)
            (best,) = confirm_with(session, workers, lambda _: None, top=1, seeds=given.seeds).candidates
        network = objective.architecture(complete(spec.space, ledger.trials()[best.trial].params))
        with np.load(session.folder.confirm / f"trial-{best.trial}.npz") as file:
            tested = on_test(objective, network, file["parameters"])
    return best.search_value - tested, best.value - tested


def on_test(objective: Objective, network: Architecture, rows: np.ndarray) -> float:
    """Return the mean test value of networks, which are given as rows of parameters."""
    test = open_test(objective.spec.data, Path())
    outputs = [predict(network, Parameters(network.layer_sizes, row), test.X) for row in rows]
    return float(np.mean([METRICS[objective.metric].compute(test.Y, A) for A in outputs]))


if __name__ == "__main__":
    main()
