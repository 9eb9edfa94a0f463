"""Make the runs in MLflow match the ledger: find existing runs, write missing ones, and delete duplicates.

Only one process at a time projects a study; it holds the lock of the study's projection.
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial

from engine import DataError, TrainingState
from engine.state import write_whole
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import RESULT, STATES, Ledger
from study.ledger.results import read_exports
from study.ledger.trial_artifact import find_result
from study.spec import parse_spec
from study.text.redaction import redact_address
from study.tracking.baseline_run import PARENT, describe_baselines, run_key
from study.tracking.bulk_insert import RunTables, open_tables
from study.tracking.datasets import dataset_inputs
from study.tracking.experiment import find_experiment
from study.tracking.store import is_database, make_store, tracking_uri
from study.tracking.study_run import ParentContent, describe_parent, identity_tags
from study.tracking.trial_run import STATUS, RunContent, TrialDescriber, milliseconds
from study.tracking.views import missing_tags, view_tags

if TYPE_CHECKING:
    from mlflow.entities import Run

BATCH = 1000  # maximum number of metrics in one request to MLflow
REMEMBER_EVERY = 2.0  # seconds between two writes of the run ids, which are also in the store
AT_ONCE = 16  # number of trials that are written together


class Projection:
    """One study in MLflow. Hold `hold_projection` while you use it.

    Args:
        home: home of the default store.
        folder, ledger: folder and ledger of the study.
    """

    def __init__(self, home: Home, folder: StudyFolder, ledger: Ledger) -> None:
        import mlflow

        self.home, self.folder, self.ledger = home, folder, ledger
        self.uri = tracking_uri(home)
        make_store(home)
        self.client = mlflow.MlflowClient(self.uri, self.uri)
        attributes = ledger.attributes
        self.uid = str(attributes["uid"])
        spec = parse_spec(attributes["spec"], "the ledger's spec", recorded=True)
        self.describer = TrialDescriber(ledger.name, self.uid, spec, attributes["metric"])
        self.inputs = dataset_inputs(ledger.name, attributes)
        active = attributes.get("mlflow")
        self.experiment_id = find_experiment(self.client, self.uri, home, ledger.name, active)
        self._is_guest = active is not None and active["experiment"] == self.experiment_id
        self.tables = open_tables(self.client, self.uri, self.experiment_id, self.inputs)
        if not self._is_guest:  # an experiment that the user created keeps its view
            self._show_view(view_tags(spec, self.uid, attributes["objectives"], ledger.directions))
        self.runs: dict[str, str] = {}  # complete runs by trial number as text; the parent run as "study"
        self._unfinished: dict[str, str] = {}  # runs of open trials, and incomplete runs of finished trials
        self._remembered = 0.0
        self.parent = read_exports(folder).get(PARENT, "")
        self._find()

    @property
    def missing(self) -> list[FrozenTrial]:
        """Finished trials without a complete run."""
        return [t for t in self.ledger.trials() if t.state.is_finished() and str(t.number) not in self.runs]

    def write(self, trials: Sequence[FrozenTrial]) -> None:
        """Write the runs of finished trials. This is safe to repeat."""
        self._write_contents({str(trial.number): self._describe(trial) for trial in trials})

    def write_baselines(self) -> None:
        """Write the runs of the baselines that have none. This is safe to repeat."""
        contents = describe_baselines(self.ledger, self.uid)
        missing = {key: self._below_parent(content) for key, content in contents.items() if key not in self.runs}
        if missing:
            self._write_contents(missing)

    def _write_contents(self, contents: dict[str, RunContent]) -> None:
        if self.tables is not None:
            new = {key: contents.pop(key) for key in list(contents) if key not in self._unfinished}
            self._insert(self.tables, new)
        for key, content in contents.items():
            self._write(key, content)
        self._remember()

    def grow(self, trial: FrozenTrial) -> None:
        """Write the run of an open trial up to its last checkpoint, if it has one."""
        with contextlib.suppress(FileNotFoundError, DataError):
            state = TrainingState.load(self.folder.checkpoint(trial.number))
            self._write(str(trial.number), self._below_parent(self.describer.open(trial, state)))

    def say_running(self) -> None:
        """Mark the parent run as running."""
        self.client.set_tag(self.parent, "study.state", "running")
        self.client.update_run(self.parent, status="RUNNING")

    def close(self) -> None:
        """Write the state of the study to the parent run, and mark the runs of open trials as interrupted."""
        for key, run_id in self._unfinished.items():
            self.client.set_tag(run_id, "study.state", "interrupted")
            if key.isdecimal():
                self.client.set_terminated(run_id, "KILLED", milliseconds(self.ledger.trials()[int(key)]))
        if not is_database(self.uri):
            # After a lost reply, MLflow's client repeats the request, which creates a second run.
            self._find()
        self._remember(now=True)
        self._write_parent(describe_parent(self.ledger, self.folder, self.experiment_id))
        if self.ledger.attributes.get("finalized"):
            self._register_model()

    def _register_model(self) -> None:
        from study.tracking.models import register_model

        register_model(
            self.client,
            self.uri,
            self.experiment_id,
            self.parent,
            self.ledger.name,
            self.folder,
            self.ledger.attributes,
        )

    def stop(self) -> None:
        """Mark the parent run as interrupted. Missing runs are written when the study is resumed or synced."""
        self._remember(now=True)
        self.client.set_tag(self.parent, "study.state", "interrupted")
        self.client.set_terminated(self.parent, "KILLED")

    def _show_view(self, wanted: Mapping[str, str]) -> None:
        there = self.client.get_experiment(self.experiment_id).tags
        for name, value in missing_tags(wanted, there).items():
            self.client.set_experiment_tag(self.experiment_id, name, value)

    def _find(self) -> None:
        """Find the existing runs of this study. If a trial has several runs, keep one and delete the others."""
        states = {str(trial.number): STATES[trial.state] for trial in self.ledger.trials()}
        baselines = describe_baselines(self.ledger, self.uid)
        states |= {key: content.tags["study.state"] for key, content in baselines.items()}
        self.runs, self._unfinished = {}, {}
        parents: dict[str, str] = {}  # the parent in the tags of each run
        for run in sorted(self._search(), key=lambda run: run.info.run_id != self.parent):
            key, run_id = run_key(run.data.tags), str(run.info.run_id)
            parents[run_id] = run.data.tags.get("mlflow.parentRunId", "")
            state = states.get(key)
            if key in self.runs or (state is None and key != PARENT):
                self.client.delete_run(run_id)
            elif state is None or (state != "running" and _is_whole(run, state)):
                self.runs[key] = run_id
                if key in self._unfinished:
                    self.client.delete_run(self._unfinished.pop(key))
            elif key in self._unfinished:
                self.client.delete_run(run_id)
            else:
                self._unfinished[key] = run_id
        self.parent = self.runs.get(PARENT) or self._begin_parent()
        for key, run_id in self.runs.items():
            if key != PARENT and parents[run_id] != self.parent:
                self.client.set_tag(run_id, "mlflow.parentRunId", self.parent)

    def _search(self) -> "Iterator[Run]":
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                f"tags.`study.uid` = '{self.uid}'",
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _begin_parent(self) -> str:
        tags = identity_tags(self.ledger.name, self.uid) | {"study.state": "running"}
        attributes = self.ledger.attributes
        active = attributes.get("mlflow")
        if self._is_guest and active is not None and "parent" in active:
            tags["mlflow.parentRunId"] = active["parent"]
        run = self.client.create_run(self.experiment_id, start_time=attributes["created"], tags=tags)
        self.runs[PARENT] = str(run.info.run_id)
        return self.runs[PARENT]

    def _describe(self, trial: FrozenTrial) -> RunContent:
        file = find_result(self.folder.result(trial.number), trial.user_attrs[RESULT].get("fingerprint"))
        return self._below_parent(self.describer.finished(trial, file))

    def _below_parent(self, content: RunContent) -> RunContent:
        return replace(content, tags=content.tags | {"mlflow.parentRunId": self.parent})

    def _insert(self, tables: RunTables, contents: Mapping[str, RunContent]) -> None:
        """Write new runs. If the process dies here, `_write` completes their runs later."""
        if not contents:
            return
        ids = tables.begin(list(contents.values()))
        begun = dict(zip(contents, ids, strict=True))
        self._unfinished |= begun
        for key, content in contents.items():
            _write_files(tables.place(begun[key]), content.files)
        tables.end(ids, list(contents.values()))
        for key in contents:
            self.runs[key] = self._unfinished.pop(key)

    def _write(self, key: str, content: RunContent) -> None:
        from mlflow.entities import Metric, Param, RunTag

        tags = content.tags
        if key not in self._unfinished:
            run = self.client.create_run(self.experiment_id, start_time=content.started, tags=tags)
            self._unfinished[key] = str(run.info.run_id)
            new = True
        else:
            new = False
        run_id = self._unfinished[key]
        points = [Metric(name, value, content.started, step) for name, value, step in content.points]
        params = [Param(name, value) for name, value in content.params.items()]
        kept = [] if new else [RunTag(name, value) for name, value in tags.items()]
        for first in range(0, max(1, len(points)), BATCH):
            self.client.log_batch(run_id, points[first : first + BATCH], params, kept)
        if new or content.ended is not None:
            self.client.log_inputs(run_id, self.inputs)
        self._put(run_id, content.files)
        if content.ended is not None:
            self.client.set_terminated(run_id, content.status, content.ended)
            self.runs[key] = self._unfinished.pop(key)
        elif not new:
            self.client.update_run(run_id, status=content.status)

    def _write_parent(self, content: ParentContent) -> None:
        from mlflow.entities import Metric, RunTag

        run = self.client.get_run(self.parent)
        tags = [RunTag(name, value) for name, value in content.tags.items()]
        if {**run.data.tags, **content.tags} != run.data.tags:
            points = [Metric(name, value, at, step) for name, value, at, step in content.points]
            for first in range(0, max(1, len(points)), BATCH):
                self.client.log_batch(self.parent, points[first : first + BATCH], tags=tags)
            self._put(self.parent, content.files())
        if run.info.status != content.status:
            self.client.set_terminated(self.parent, content.status, content.ended)

    def _put(self, run_id: str, files: dict[str, bytes]) -> None:
        if not files:
            return
        with tempfile.TemporaryDirectory() as folder:
            _write_files(Path(folder), files)
            self.client.log_artifacts(run_id, folder)

    def _remember(self, *, now: bool = False) -> None:
        """Write the ids of the runs to the study's folder, at intervals and at the end."""
        if not now and time.monotonic() - self._remembered < REMEMBER_EVERY:
            return
        content = {"store": redact_address(self.uri), "experiment": self.experiment_id, "runs": self.runs}
        text = json.dumps(content).encode()
        if not self.folder.exports.exists() or self.folder.exports.read_bytes() != text:
            write_whole(self.folder.exports, text)
        self._remembered = time.monotonic()


def catch_up(projection: Projection, written: Callable[[FrozenTrial], None], stop: Callable[[], bool]) -> None:
    """Write the missing runs of baselines and of all finished trials, until `stop` returns True."""
    projection.write_baselines()
    missing = projection.missing
    for first in range(0, len(missing), AT_ONCE):
        if stop():
            return
        trials = missing[first : first + AT_ONCE]
        projection.write(trials)
        for trial in trials:
            written(trial)


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _is_whole(run: "Run", state: str) -> bool:
    """Return True if a run is complete: its status and its state tag both match this state."""
    return bool(run.info.status == STATUS[state] and run.data.tags.get("study.state") == state)
