"""New runs of finished trials, straight into the tables of MLflow's database: several at once, in two transactions.

MLflow's client takes nine transactions and 25 ms of a core for one run of a hundred points, longer than training takes
on small data. What is inserted is what the client would write, row by row; a test compares the two. Anything else goes
by the client: servers, runs that are begun already, databases with tables that are not the ones known here.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from study._compat import mlflow_tables
from study.tracking.store import database_kind
from study.tracking.trial_run import RunContent

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput
    from sqlalchemy import Connection, Table

_Rows = dict[str, list[dict[str, object]]]  # by table

LOCKED_WITHIN = 20_000  # milliseconds that SQLite waits for another writer, as MLflow has it
_TRIED = ("sqlite", "postgresql")


class RunTables:
    """The tables that hold the runs of one experiment; made by `open_tables`.

    Args:
        uri: of the database.
        tables: MLflow's own definitions, by name.
        experiment_id: of the experiment.
        location: folder of its artifacts.
        inputs: MLflow's dataset inputs, the same for every run.
    """

    def __init__(
        self,
        uri: str,
        tables: "Mapping[str, Table]",
        experiment_id: str,
        location: str,
        inputs: "Sequence[DatasetInput]",
    ) -> None:
        from sqlalchemy import NullPool, create_engine

        self._engine = create_engine(uri, poolclass=NullPool)
        self._tables, self._experiment_id, self._inputs = tables, int(experiment_id), inputs
        self._location = location.rstrip("/")

    def begin(self, contents: Sequence[RunContent]) -> list[str]:
        """Insert runs with all that they hold but files and an end; return their ids."""
        rows: _Rows = defaultdict(list)
        ids = [uuid.uuid4().hex for _ in contents]
        for run_id, content in zip(ids, contents, strict=True):
            self._add(rows, run_id, content)
        with self._engine.begin() as connection:
            self._be_patient(connection)
            self._add_inputs(rows, ids, connection)
            for name in self._tables:
                if rows[name]:
                    connection.execute(self._tables[name].insert(), rows[name])
        return ids

    def place(self, run_id: str) -> Path:
        """Return the folder of a run's artifacts."""
        return Path(url2pathname(urlsplit(self._artifacts(run_id)).path))

    def end(self, ids: Sequence[str], contents: Sequence[RunContent]) -> None:
        """Say that runs have ended, and how."""
        from sqlalchemy import bindparam

        runs = self._tables["runs"]
        ended = runs.update().where(runs.c.run_uuid == bindparam("run"))
        ended = ended.values(status=bindparam("how"), end_time=bindparam("when"))
        rows = [{"run": run_id, "how": c.status, "when": c.ended} for run_id, c in zip(ids, contents, strict=True)]
        with self._engine.begin() as connection:
            self._be_patient(connection)
            connection.execute(ended, rows)

    def _be_patient(self, connection: "Connection") -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {LOCKED_WITHIN}")

    def _artifacts(self, run_id: str) -> str:
        return f"{self._location}/{run_id}/artifacts"

    def _add(self, rows: _Rows, run_id: str, content: RunContent) -> None:
        """Add the rows of a run, as `SqlAlchemyStore` makes them in create_run and log_batch."""
        rows["runs"].append(
            {
                "run_uuid": run_id,
                "name": content.tags["mlflow.runName"],
                "source_type": "UNKNOWN",
                "source_name": "",
                "entry_point_name": "",
                "user_id": "unknown",
                "status": "RUNNING",
                "start_time": content.started,
                "source_version": "",
                "lifecycle_stage": "active",
                "artifact_uri": self._artifacts(run_id),
                "experiment_id": self._experiment_id,
            }
        )
        for name, pairs in (("tags", content.tags), ("params", content.params)):
            rows[name] += [{"key": key, "value": value, "run_uuid": run_id} for key, value in pairs.items()]
        latest: dict[str, tuple[tuple[int, float], dict[str, object]]] = {}
        for name, value, step in dict.fromkeys(content.points):
            at = {"timestamp": content.started, "step": step, "is_nan": False}
            row = {"key": name, "value": value, **at, "run_uuid": run_id}
            rows["metrics"].append(row)
            if name not in latest or (step, value) > latest[name][0]:
                latest[name] = (step, value), row
        rows["latest_metrics"] += [row for _, row in latest.values()]

    def _add_inputs(self, rows: _Rows, ids: Sequence[str], connection: "Connection") -> None:
        """Add the datasets that are not there yet, and what ties them to runs, as log_inputs does."""
        datasets = self._tables["datasets"]
        for given in self._inputs:
            dataset = given.dataset
            known = datasets.select().where(
                datasets.c.experiment_id == self._experiment_id,
                datasets.c.name == dataset.name,
                datasets.c.digest == dataset.digest,
            )
            found = connection.execute(known).first()
            dataset_id = uuid.uuid4().hex if found is None else found.dataset_uuid
            if found is None:
                rows["datasets"].append(
                    {
                        "dataset_uuid": dataset_id,
                        "experiment_id": self._experiment_id,
                        "name": dataset.name,
                        "digest": dataset.digest,
                        "dataset_source_type": dataset.source_type,
                        "dataset_source": dataset.source,
                        "dataset_schema": dataset.schema,
                        "dataset_profile": dataset.profile,
                    }
                )
            for run_id in ids:
                input_id = uuid.uuid4().hex
                ties = {"source_type": "DATASET", "source_id": dataset_id, "destination_type": "RUN"}
                rows["inputs"].append({"input_uuid": input_id, **ties, "destination_id": run_id})
                rows["input_tags"] += [
                    {"input_uuid": input_id, "name": tag.key, "value": tag.value} for tag in given.tags
                ]


def open_tables(
    client: "MlflowClient", uri: str, experiment_id: str, inputs: "Sequence[DatasetInput]"
) -> RunTables | None:
    """Return the tables of an experiment, None where runs have to be written by the client.

    Args:
        client: of MLflow, for this store.
        uri: of the store.
        experiment_id: of the experiment.
        inputs: MLflow's dataset inputs of every run.
    """
    if database_kind(uri) not in _TRIED:
        return None
    location = str(client.get_experiment(experiment_id).artifact_location)
    where = urlsplit(location)
    if where.scheme != "file" or where.netloc or where.query:
        return None
    tables = mlflow_tables()
    return None if tables is None else RunTables(uri, tables, experiment_id, location, inputs)
