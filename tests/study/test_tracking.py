"""What MLflow holds after a study: each trial once, with its curve, its parameters and its status."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run
from small_study import run_study, show

from study.tracking.content import STATUS, spread


@pytest.fixture(scope="module")
def client(finished: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{finished}/mlflow.db")


def runs_of(client: mlflow.MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name("small")
    return list(client.search_runs([experiment.experiment_id]))


def split(runs: list[Run]) -> tuple[list[Run], list[Run]]:
    children = [run for run in runs if "study.trial_uid" in run.data.tags]
    return [run for run in runs if run not in children], children


def test_one_parent_and_one_child_a_trial(client: mlflow.MlflowClient, finished: Path) -> None:
    (parent,), children = split(runs_of(client))
    assert parent.data.tags["study.name"] == "small"
    assert parent.data.tags["study.state"] == "complete"
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    trials = {trial["run_id"]: trial for trial in show(finished)["trials"]}
    assert set(trials) == {run.info.run_id for run in children}
    for run in children:
        trial = trials[run.info.run_id]
        assert run.info.status == STATUS[trial["state"]]
        assert run.data.tags["study.state"] == trial["state"]
        assert float(run.data.params["learning_rate"]) == trial["params"]["learning_rate"]
        assert run.data.params["depth"] == str(trial["params"]["depth"])
        assert run.data.params["optimizer"] == "gradient_descent"
        if trial["state"] == "complete":
            assert run.data.metrics["dev_accuracy"] == pytest.approx(trial["value"])
            assert 0 <= run.data.metrics["train_accuracy"] <= 1
        assert (run.info.end_time - run.info.start_time) / 1000 == pytest.approx(trial["seconds"], abs=0.002)


def test_the_curve_is_a_chart_and_a_whole_file(client: mlflow.MlflowClient, finished: Path, tmp_path: Path) -> None:
    for trial in show(finished)["trials"]:
        points = client.get_metric_history(trial["run_id"], "cost")
        assert 20 <= len(points) <= 50
        lines = Path(client.download_artifacts(trial["run_id"], "cost.csv", tmp_path)).read_text().splitlines()
        assert lines[0] == "iteration,cost"
        assert len(lines) == 1 + trial["iterations"]
        assert points[0].step == 0
        assert points[-1].step == trial["iterations"] - 1
        assert points[-1].value == pytest.approx(float(lines[-1].split(",")[1]))


def test_the_parent_keeps_the_spec_and_the_best_so_far(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    (parent,), _ = split(runs_of(client))
    assert 'name = "small"' in Path(client.download_artifacts(parent.info.run_id, "spec.toml", tmp_path)).read_text()
    values = [point.value for point in client.get_metric_history(parent.info.run_id, "best_so_far")]
    assert values == sorted(values)


def test_a_run_that_was_exported_is_not_exported_again(finished: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    before = snapshot(home)
    (home / "studies/small/exports.json").unlink()  # the store itself knows what it has
    done = run_study("run", finished.parent / "small.toml", "--home", home)
    assert done.returncode == 0, done.stderr
    assert snapshot(home) == before


def test_a_deleted_store_is_written_anew(finished: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    (home / "mlflow.db").unlink()
    done = run_study("run", finished.parent / "small.toml", "--home", home)
    assert done.returncode == 0, done.stderr
    runs = runs_of(mlflow.MlflowClient(f"sqlite:///{home}/mlflow.db"))
    assert len(runs) == 13
    assert all(run.info.status != "RUNNING" for run in runs)


def test_a_store_that_does_not_answer_costs_no_trial(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "mlflow.db").mkdir(parents=True)
    done = run_study("run", spec, "--home", home, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert "does not answer" in done.stdout
    assert "12 trials are not in MLflow yet" in done.stdout
    assert "`study sync small --home" in done.stdout
    assert len(show(home)["trials"]) == 12
    refused = run_study("sync", "small", "--home", home)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"study: MLflow at sqlite:///{home}/mlflow.db does not answer (")
    (home / "mlflow.db").rmdir()
    done = run_study("sync", "small", "--home", home, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"trials": 12, "written": 12, "store": f"sqlite:///{home}/mlflow.db"}


def test_points_are_spread_over_the_whole_curve() -> None:
    assert spread(0) == []
    assert spread(3) == [0, 1, 2]
    assert len(spread(1000)) == 40
    assert (spread(1000)[0], spread(1000)[-1]) == (0, 999)


def snapshot(home: Path) -> list[Any]:
    client = mlflow.MlflowClient(f"sqlite:///{home}/mlflow.db")
    _, children = split(runs_of(client))
    return sorted(
        (run.info.run_id, run.info.status, run.info.start_time, run.info.end_time, sorted(run.data.metrics.items()))
        for run in children
    )
