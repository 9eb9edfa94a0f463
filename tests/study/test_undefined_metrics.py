"""Metrics that single folds or parts leave without a value: pooled over folds, refused on dev, null on the test set."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.command import Completed, run_study
from support.confirmed_study import confirmed
from support.in_process import run_local

from engine.metrics import METRICS
from study.errors import UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.trial_artifact import read_result
from study.search.session import load_all
from study.spec import parse_spec

SPEC = """
name = "rare"
baselines.enabled = false
[data]
source = "rare.csv"
target = "kind"
[space]
learning_rate = [0.001, 0.5]
iterations = 40
depth = 0
[search]
trials = 2
in_flight = 2
sampler = "grid"
pruner = "none"
"""


def write_frauds(folder: Path, frauds: int = 2, rows: int = 100) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((rows, 2)).round(3), columns=["a", "b"])
    frame["kind"] = ["fraud"] * frauds + ["fine"] * (rows - frauds)
    frame.to_csv(folder / "rare.csv", index=False)


def with_data(lines: str, text: str = SPEC) -> str:
    return text.replace("[space]", f"{lines}\n[space]")


def test_folds_without_a_class_do_not_count_as_perfect(tmp_path: Path) -> None:
    write_frauds(tmp_path)
    text = with_data("folds = 5")
    summary = run_local(text, tmp_path)
    assert summary.metric == "balanced_accuracy"
    datasets = load_all(parse_spec(text, "").data, tmp_path)
    Y = np.concatenate([dataset.dev.Y for dataset in datasets], axis=1)
    for row in summary.trials:
        A = np.concatenate(read_result(Home(tmp_path).folder("rare").result(row.number)).dev_predictions, axis=1)
        assert row.value == METRICS["balanced_accuracy"].compute(Y, A)
        assert row.metrics["dev_auc"] == METRICS["auc"].compute(Y, A)
    assert summary.trials[1].value == 0.5  # that network calls everything fine


def test_confirm_pools_folds_too(tmp_path: Path) -> None:
    write_frauds(tmp_path)
    text = with_data("folds = 5")
    outcome = confirmed(text, tmp_path, top=1, seeds=2)
    datasets = load_all(parse_spec(text, "").data, tmp_path)
    Y = np.concatenate([dataset.dev.Y for dataset in datasets], axis=1)
    (candidate,) = outcome.candidates
    with np.load(tmp_path / f"studies/rare/confirm/trial-{candidate.trial}.npz") as file:
        values = [METRICS["balanced_accuracy"].compute(Y, A) for A in file["predictions"]]
    assert candidate.by_seed == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize(("metric", "refused"), [("balanced_accuracy", True), ("auc", True), ("accuracy", False)])
def test_a_metric_that_dev_leaves_undefined_is_refused_before_the_search(
    tmp_path: Path, metric: str, refused: bool
) -> None:
    write_frauds(tmp_path, frauds=10)
    frame = pd.read_csv(tmp_path / "rare.csv").assign(day=range(100))  # in time, frauds are all in train
    frame.to_csv(tmp_path / "rare.csv", index=False)
    text = with_data('time = "day"').replace("[search]", f'[search]\nmetric = "{metric}"')
    if not refused:
        (row, _) = run_local(text, tmp_path).trials
        assert "dev_auc" not in row.metrics
        return
    with pytest.raises(UserError, match=rf"\[search\] metric: {metric} is undefined on dev, which has one class of"):
        run_local(text, tmp_path)


def answers(folder: Path, spec: str) -> dict[str, Completed]:
    (folder / "rare.toml").write_text(spec)
    at = ("--home", folder / "home")
    done = {"run": run_study("run", folder / "rare.toml", "--no-tracking", "--jobs", 1, *at)}
    done["finalize"] = run_study("finalize", "rare", "--json", *at)
    done["show"] = run_study("show", "rare", "--json", *at)
    done["report"] = run_study("report", "rare", *at)
    for name, each in done.items():
        assert each.returncode == 0, (name, each.stderr)
    return done


@pytest.mark.slow
def test_a_test_set_of_one_class_gives_null_and_the_reason(tmp_path: Path) -> None:
    write_frauds(tmp_path)
    done = answers(tmp_path, with_data("folds = 2"))
    assert (
        "test has no rows of class 'fraud', so balanced accuracy, F1 and AUC on test are undefined"
        in done["run"].stdout
    )
    opening = json.loads(done["finalize"].stdout)["opening"]
    assert (opening["value"], opening["low"], opening["high"]) == (None, None, None)
    assert opening["undefined"] == {"balanced_accuracy": "one class", "f1": "one class", "auc": "one class"}
    assert 0 <= opening["metrics"]["accuracy"] <= 1
    assert json.loads(done["show"].stdout)["finalized"] == [opening]
    again = run_study("finalize", "rare", "--again", "--home", tmp_path / "home")
    assert "balanced accuracy on test: undefined, one class in the test set (accuracy " in again.stdout


@pytest.mark.slow
def test_one_test_row_gives_null_for_r2_and_no_interval(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.standard_normal(40)})
    frame.assign(kind=frame["a"] + 0.1).to_csv(tmp_path / "rare.csv", index=False)
    frame[:1].assign(kind=1.5).to_csv(tmp_path / "test.csv", index=False)
    done = answers(tmp_path, with_data('test = "test.csv"\nsplit = [0.7, 0.3]'))
    opening = json.loads(done["finalize"].stdout)["opening"]
    assert (opening["metrics"]["r2"], opening["undefined"]) == (None, {"r2": "one value"})
    assert opening["value"] == opening["metrics"]["rmse"] >= 0
    assert (opening["low"], opening["high"]) == (None, None)


def test_what_a_ledger_holds_is_json(tmp_path: Path) -> None:
    write_frauds(tmp_path, frauds=30)
    run_local(SPEC, tmp_path)
    folder = Home(tmp_path).folder("rare")
    ledger = Ledger(folder, "rare")
    ledger.set(finalized=[{"value": float("nan"), "metrics": {"r2": float("inf"), "mae": 1.0}}])
    assert Ledger(folder, "rare").attributes["finalized"] == [{"value": None, "metrics": {"r2": None, "mae": 1.0}}]
    assert "NaN" not in folder.ledger.read_text()
