"""MLflow as a projection of the ledger: one parent run a study, one run a trial, written by a thread.

Runs are found by the tag `study.trial_uid`, times are the trial's own, so writing a trial again changes nothing.
"""

import contextlib
import json
import logging
import os
import queue
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from engine.activations import Array
from engine.state import write_whole
from study.home import Home, StudyFolder
from study.ledger import RESULT, STATES, Ledger
from study.results import read_exports
from study.trial_file import read_result

POINTS = 40  # of a curve in MLflow's charts; the artifact has them all
PATIENCE = 0.5  # seconds that an interrupted run gives the thread to end
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


def tracking_uri(home: Home) -> str:
    """Return MLFLOW_TRACKING_URI, or the SQLite store of the home."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home.mlflow_database}"


def make_store(home: Home) -> None:
    """Make MLflow's default store where it is used and not there yet: whole, or not at all.

    MLflow's migrations cannot go on from where a process died, and two at once fail; so the schema is made under
    another name and linked to its own once it is complete. Who comes second takes what is there.
    """
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return
    if home.mlflow_database.exists():
        _check_database(home.mlflow_database)
        return
    import mlflow

    with tempfile.TemporaryDirectory(dir=home.path, prefix=".mlflow-") as folder:
        database = Path(folder) / "mlflow.db"
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments(max_results=1)
        with contextlib.suppress(FileExistsError):
            home.mlflow_database.hardlink_to(database)


def _check_database(path: Path) -> None:
    """Raise OSError where the file is no database: MLflow itself would try for two minutes."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.execute("PRAGMA schema_version")
    except sqlite3.DatabaseError as error:
        raise OSError(f"{path}: {error}") from error


class Exporter:
    """Writes trials to MLflow in the background; use as a context manager.

    Args:
        home: where the default store lives.
        folder, ledger: of the study.
        settings: fixed hyperparameters, which are no parameters of the trials.
    """

    def __init__(self, home: Home, folder: StudyFolder, ledger: Ledger, settings: dict[str, Any]) -> None:
        self.home, self.folder, self.ledger, self.settings = home, folder, ledger, settings
        self.uid = ledger.identify()
        self.errors: list[str] = []
        self._queue: queue.Queue[int | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="exporter", daemon=True)
        self._runs = read_exports(folder)
        self._hurry = False

    def __enter__(self) -> "Exporter":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Whoever interrupts does not wait for MLflow; what is missing there follows with the next run.
        self._hurry = kind is not None
        self._queue.put(None)
        self._thread.join(PATIENCE if self._hurry else None)

    def submit(self, number: int) -> None:
        """Have a finished trial written."""
        self._queue.put(number)

    def _work(self) -> None:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with quiet_mlflow():
                make_store(self.home)
                self._open()
                for trial in self.ledger.trials():
                    if trial.state.is_finished() and str(trial.number) not in self._runs and not self._hurry:
                        self._export(trial)
                while (number := self._queue.get()) is not None:
                    if str(number) not in self._runs and not self._hurry:
                        self._export(self.ledger.trials()[number])
                self._close()
        except (MlflowException, SQLAlchemyError, OSError) as error:
            self.errors.append(str(error).splitlines()[0])

    def _open(self) -> None:
        """Make or find the experiment and the parent run, and look which trials are there already."""
        import mlflow

        uri = tracking_uri(self.home)
        self.client = mlflow.MlflowClient(tracking_uri=uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or self.ledger.name
        experiment = self.client.get_experiment_by_name(name)
        if experiment is not None and experiment.lifecycle_stage == "deleted":
            self.client.restore_experiment(experiment.experiment_id)
        if experiment is None:
            own = uri.startswith("sqlite:///" + str(self.home.path))
            location = (self.home.artifacts / self.ledger.name).as_uri() if own else None
            self.experiment_id = self.client.create_experiment(name, artifact_location=location)
        else:
            self.experiment_id = experiment.experiment_id
        found = self._find()
        self._runs = {key: run.info.run_id for key, run in found.items() if run.info.status != "RUNNING"}
        self._half_written = {key: run.info.run_id for key, run in found.items() if run.info.status == "RUNNING"}
        self.parent = self._begin_parent(found)

    def _find(self) -> dict[str, Any]:
        """Return the runs of this study by trial number as text; the parent as "study"."""
        runs: dict[str, Any] = {}
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                f"tags.`study.uid` = '{self.uid}'",
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            for run in page:
                uid = run.data.tags.get("study.trial_uid")
                runs.setdefault("study" if uid is None else uid.rpartition("/")[2], run)
            token = page.token
            if not token:
                return runs

    def _begin_parent(self, found: dict[str, Any]) -> str:
        attributes = self.ledger.attributes
        if "study" in found:
            run_id = str(found["study"].info.run_id)
            self.client.update_run(run_id, status="RUNNING")
        else:
            tags = {
                "study.name": self.ledger.name,
                "study.uid": self.uid,
                "study.state": "running",
                "mlflow.runName": self.ledger.name,
                "mlflow.note.content": attributes.get("description", ""),
            }
            run = self.client.create_run(self.experiment_id, start_time=attributes["created"], tags=tags)
            run_id = str(run.info.run_id)
            self.client.log_text(run_id, attributes["spec"], "spec.toml")
        self._remember("study", run_id)
        return run_id

    def _export(self, trial: FrozenTrial) -> None:
        """Write one trial: run, tags, parameters, metrics, curve, status; safe to repeat."""
        from mlflow.entities import Metric, Param, RunTag

        state, result = STATES[trial.state], trial.user_attrs[RESULT]
        key = str(trial.number)
        started = _milliseconds(trial)
        tags = {
            "study.name": self.ledger.name,
            "study.uid": self.uid,
            "study.trial_uid": f"{self.uid}/{trial.number}",
            "study.state": state,
            "mlflow.parentRunId": self.parent,
            "mlflow.runName": f"trial {trial.number}",
        }
        if result["reason"]:
            tags["study.reason"] = result["reason"][:4000]
        if key in self._half_written:
            run_id = self._half_written[key]
        else:
            run_id = self.client.create_run(self.experiment_id, start_time=started, tags=tags).info.run_id
        ended = started + round(1000 * result["seconds"])
        params = {name: str(value) for name, value in {**self.settings, **trial.params}.items()}
        layers = [str(trial.params[f"units_{k}"]) for k in _layers(trial.params)]
        params["units"] = "-".join(layers) or params.get("units", "none")
        metrics = []
        if self.folder.result(trial.number).exists():
            file = read_result(self.folder.result(trial.number))
            metrics += [Metric("cost", float(file.costs[i]), ended, int(i)) for i in spread(len(file.costs))]
            for seen in file.evaluations:
                metrics += [
                    Metric(name, float(np.mean(values)), ended, seen["iteration"])
                    for name, values in seen.items()
                    if name != "iteration"
                ]
            self._log_curve(run_id, file.costs)
        final = {name: value for name, value in result["metrics"].items() if name not in {m.key for m in metrics}}
        final |= {"seconds": result["seconds"], "work": result["work"], "parameters": result["parameters"]}
        metrics += [Metric(name, float(value), ended, result["iterations"]) for name, value in final.items()]
        self.client.log_batch(
            run_id,
            [m for m in metrics if np.isfinite(m.value)],
            [Param(name, value) for name, value in params.items()],
            [RunTag(name, value) for name, value in tags.items()],
        )
        self.client.set_terminated(run_id, STATUS[state], ended)
        self._remember(key, run_id)

    def _log_curve(self, run_id: str, costs: Array) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cost.csv"
            lines = [f"{i},{cost!r}" for i, cost in enumerate(costs.tolist())]
            path.write_text("\n".join(["iteration,cost", *lines]) + "\n")
            self.client.log_artifact(run_id, str(path))

    def _remember(self, key: str, run_id: str) -> None:
        self._runs[key] = run_id
        content = json.dumps({"store": tracking_uri(self.home).rpartition("@")[2], "runs": self._runs})
        write_whole(self.folder.exports, content.encode())

    def _close(self) -> None:
        """Say on the parent how the study stands."""
        from mlflow.entities import Metric

        trials = [trial for trial in self.ledger.trials() if trial.state.is_finished()]
        sign = 1 if self.ledger.direction == "maximize" else -1
        best, metrics = None, []
        for trial in trials:
            if trial.values and STATES[trial.state] == "complete":
                best = trial.values[0] if best is None else sign * max(sign * best, sign * trial.values[0])
            if best is not None:
                metrics.append(Metric("best_so_far", best, _milliseconds(trial), trial.number))
        for first in range(0, len(metrics), 1000):
            self.client.log_batch(self.parent, metrics[first : first + 1000])
        complete = len(trials) >= self.ledger.attributes["trials"]
        self.client.set_tag(self.parent, "study.state", "complete" if complete else "interrupted")
        self.client.set_terminated(self.parent, "FINISHED" if complete else "KILLED")


def spread(n: int) -> list[int]:
    """Return at most POINTS places in a curve of n, first and last among them."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, POINTS))}) if n else []


def _layers(params: dict[str, Any]) -> list[int]:
    return sorted(int(name.removeprefix("units_")) for name in params if name.startswith("units_"))


def _milliseconds(trial: FrozenTrial) -> int:
    return int(trial.datetime_start.timestamp() * 1000) if trial.datetime_start else 0


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keep MLflow's and alembic's log lines out of the terminal, and telemetry off, while the block runs."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
