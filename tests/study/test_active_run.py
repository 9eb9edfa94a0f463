"""A study from Python, where MLflow has an address, an experiment or a run of the program's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from support.stores import give_store

from study import Study
from study.ledger.home import Home
from study.tracking.experiment import find_active

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Iterator[str]:
    """A store of the program's own, whose address and experiment are set, as a notebook does it."""
    give_store(empty_store, tmp_path / "own")
    address = f"sqlite:///{tmp_path / 'own' / 'mlflow.db'}"
    before = mlflow.get_tracking_uri() if os.environ.get("MLFLOW_TRACKING_URI") else None
    mlflow.set_tracking_uri(address)
    mlflow.create_experiment("mine", artifact_location=(tmp_path / "own").as_uri())
    mlflow.set_experiment("mine")
    yield address
    mlflow.set_tracking_uri(before)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(name, None)
    mlflow.tracking.fluent._active_experiment_id = None


def known() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}


def test_a_study_is_a_child_of_the_active_run_which_nothing_changes(store: str, spec: Path, tmp_path: Path) -> None:
    before = known()
    with mlflow.start_run() as active:
        study = Study.from_toml(spec, tmp_path / "home").run(n_trials=2, n_jobs=1, show_progress=False)
        current = mlflow.active_run()
        assert current is not None
        assert current.info.run_id == active.info.run_id
    assert known() == before
    assert mlflow.get_tracking_uri() == store
    trials = study.runs()
    assert [run.info.experiment_id for run in trials] == [active.info.experiment_id] * 2
    client = mlflow.MlflowClient()
    (parent,) = {run.data.tags["mlflow.parentRunId"] for run in trials}
    assert client.get_run(parent).data.tags["mlflow.parentRunId"] == active.info.run_id
    assert client.get_experiment(active.info.experiment_id).tags == {}
    assert client.get_experiment_by_name("small") is None


def test_a_run_in_another_store_is_left_alone_and_named(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow.start_run():
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        found, note = find_active(Home(tmp_path / "home"))
    assert found is None
    assert f"the active MLflow run is in {store}" in note
    assert "call mlflow.set_tracking_uri first" in note
