"""The MLflow experiment of a study: the one with its name, or the one that was active when it started."""

import os
import sys
from typing import TYPE_CHECKING

from study.ledger.attributes import ActiveMlflow
from study.ledger.home import Home
from study.text.redaction import redact_address
from study.tracking.store import is_database, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient


def find_active(home: Home) -> tuple[ActiveMlflow | None, str]:
    """Return the experiment and the run that are active in this thread, and a line if the study cannot use them.

    This does not change MLflow's state, and does not import MLflow if the program has not done so.
    """
    if "mlflow" not in sys.modules:
        return None, ""
    import mlflow

    run, store = mlflow.active_run(), tracking_uri(home)
    experiment = run.info.experiment_id if run is not None else os.environ.get("MLFLOW_EXPERIMENT_ID")
    if experiment is None:
        return None, ""
    there = str(mlflow.get_tracking_uri())
    if there != store:
        if run is None:
            return None, ""
        note = (
            f"the active MLflow run is in {redact_address(there)}, but the runs of the study are written to "
            f"{redact_address(store)}; to use one store for both, call mlflow.set_tracking_uri first"
        )
        return None, note
    active = ActiveMlflow(store=redact_address(store), experiment=str(experiment))
    if run is not None:
        active["parent"] = str(run.info.run_id)
    return active, ""


def find_experiment(client: "MlflowClient", uri: str, home: Home, name: str, active: ActiveMlflow | None) -> str:
    """Return the id of the experiment for a study, which is created if it does not exist.

    Args:
        client, uri: MLflow client and URI of the store.
        home: home in which artifacts of a new experiment are stored.
        name: name of the study.
        active: the experiment that was active when the study started, which is used if this store contains it.
    """
    from mlflow.exceptions import MlflowException

    if active is not None and active["store"] == redact_address(uri):
        try:
            if client.get_experiment(active["experiment"]).lifecycle_stage == "active":
                return active["experiment"]
        except MlflowException:  # the experiment no longer exists
            active = None
    title = os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
    experiment = client.get_experiment_by_name(title)
    if experiment is None:
        location = (home.artifacts / name).as_uri() if is_database(uri) else None
        try:
            return str(client.create_experiment(title, artifact_location=location))
        except MlflowException:  # another study has created it, or an earlier request whose reply was lost
            experiment = client.get_experiment_by_name(title)
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
