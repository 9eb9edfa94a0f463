"""Insert new runs of finished trials directly into the tables of MLflow's database, several in two transactions.

MLflow's client needs nine transactions and 25 ms of CPU time for one run with a hundred points, which is longer
than training on small data. The inserted rows are the same that the client would write; a test compares them. The
client is used in all other cases: for servers, for runs that already exist, and for databases with unknown tables.
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

LOCKED_WITHIN = 20_000  # milliseconds for which SQLite waits for another writer, as in MLflow
_TRIED = ("sqlite", "postgresql")


class RunTables:
    """The tables that contain the runs of one experiment, returned by `open_tables`.

    Args:
        uri: URI of the database.
        tables: MLflow's table definitions, by name.
        experiment_id: id of the experiment.
        location: folder of the experiment's artifacts.
        inputs: MLflow's dataset inputs, which are the same for every run.
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
        """Insert runs with status RUNNING and all their content except files; return their ids."""
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
        """Record the status and the end of runs."""
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
        """Add the rows of a run that `SqlAlchemyStore` creates in create_run and log_batch."""
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
        """Add the missing datasets and their links to the runs, as log_inputs does."""
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
    """Return the tables of an experiment; None if runs must be written by the client.

    Args:
        client: MLflow client for this store.
        uri: URI of the store.
        experiment_id: id of the experiment.
        inputs: MLflow's dataset inputs, which are the same for every run.
    """
    if database_kind(uri) not in _TRIED:
        return None
    location = str(client.get_experiment(experiment_id).artifact_location)
    where = urlsplit(location)
    if where.scheme != "file" or where.netloc or where.query:
        return None
    tables = mlflow_tables()
    return None if tables is None else RunTables(uri, tables, experiment_id, location, inputs)
