"""What MLflow holds after a study: each trial once, with its curve, its parameters and its status."""

import contextlib
import io
import json
import shutil
import sqlite3
from pathlib import Path
from queue import Queue
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run
from support.command import run_study
from support.exporter import impatient_exporter
from support.mlflow_server import assert_whole
from support.small_study import show

from study.ledger.home import Home
from study.tracking import exporter_process
from study.tracking.trial_run import STATUS, spread


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


@pytest.mark.slow
def test_a_run_that_was_exported_is_not_exported_again(finished: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    before = snapshot(home)
    (home / "studies/small/exports.json").unlink()  # the store itself knows what it has
    done = run_study("run", finished.parent / "small.toml", "--home", home, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert snapshot(home) == before


@pytest.mark.slow
def test_a_deleted_store_is_written_anew(finished: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    (home / "mlflow.db").unlink()
    done = run_study("run", finished.parent / "small.toml", "--home", home, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    runs = runs_of(mlflow.MlflowClient(f"sqlite:///{home}/mlflow.db"))
    assert len(runs) == 13
    assert all(run.info.status != "RUNNING" for run in runs)


@pytest.mark.slow
def test_a_store_that_does_not_answer_costs_no_trial(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "mlflow.db").mkdir(parents=True)
    done = run_study("run", spec, "--home", home, "--jobs", 1, env=impatient_exporter(tmp_path / "exporter"))
    assert done.returncode == 0, done.stderr
    assert "does not respond" in done.stdout
    assert "12 trials are not in MLflow yet" in done.stdout
    assert "`study sync small --home" in done.stdout
    assert len(show(home)["trials"]) == 12
    refused = run_study("sync", "small", "--home", home)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"study: MLflow at sqlite:///{home}/mlflow.db does not respond (")
    (home / "mlflow.db").rmdir()
    done = run_study("sync", "small", "--home", home, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"trials": 12, "written": 12, "store": f"sqlite:///{home}/mlflow.db"}


@pytest.mark.slow
def test_copied_home_writes_into_itself_and_a_moved_one_does_not_make_the_old_place_again(
    finalized: Path, tmp_path: Path
) -> None:
    def files(folder: Path) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    shutil.copytree(finalized, tmp_path / "first")
    spec, original = tmp_path / "first/table.toml", tmp_path / "first/home"
    assert run_study("finalize", "table", "--again", "--home", original).returncode == 0  # `finalized` is one moved
    before = files(original)
    for name, change in (("copy", shutil.copytree), ("moved", shutil.move)):
        home = tmp_path / name
        change(original if name == "copy" else tmp_path / "copy", home)
        done = run_study("run", spec, "--home", home, "--trials", 5 + len(name) % 4, "--jobs", 1)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{home} was moved or copied; the paths of its artifacts in MLflow were updated" in done.stdout
        again = run_study("finalize", "table", "--again", "--home", home)
        assert (again.returncode, again.stderr) == (0, "")
        assert_whole(home, name="table")
        assert mlflow.sklearn.load_model(_model_of(home)) is not None
    assert files(original) == before
    assert not (tmp_path / "copy").exists()


def _model_of(home: Path) -> str:
    store = f"sqlite:///{home}/mlflow.db"
    version = mlflow.MlflowClient(store, store).get_model_version_by_alias("table", "champion")
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as database:
        query = "SELECT storage_location FROM model_versions WHERE version = ?"
        (location,) = database.execute(query, [version.version]).fetchone()
    assert location.startswith(f"file://{home}/")
    return str(location)


@pytest.mark.slow
def test_home_may_have_spaces_and_signs_in_its_name(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "place/år & a;b+c=d"
    done = run_study("run", spec, "--home", home, "--jobs", 1, "--trials", 2)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "not in MLflow" not in done.stdout
    assert_whole(home)
    assert [path.name for path in home.parent.iterdir()] == [home.name]


@pytest.mark.parametrize("name", ["what?x=1", "per%41cent", "hash#tag"])
def test_home_that_no_address_can_hold_is_refused_in_a_line(name: str, spec: Path, tmp_path: Path) -> None:
    for command in (("run", spec), ("list",), ("sync", "small")):
        done = run_study(*command, "--home", tmp_path / "place" / name)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"--home {tmp_path}/place/{name}: contains " in done.stderr
    assert not (tmp_path / "place").exists()


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


class Slow(Queue[str]):
    """Says "close" once somebody waits for it."""

    def get(self, block: bool = True, timeout: float | None = None) -> str:
        if self.empty() and block and timeout:
            self.put("close")
        return super().get(block, timeout)


# How many trials go into one transaction shows nowhere but in the time that it takes, so what is private is asked.
def test_trials_that_finish_soon_after_each_other_are_written_together(tmp_path: Path) -> None:
    queue = Slow()
    queue.put("look")
    answers = exporter_process.Answers(io.StringIO())
    writer = exporter_process.Follower(Home.at(tmp_path), None, queue, answers)  # type: ignore[arg-type]  # no ledger is looked at
    assert writer._next() == "close"
