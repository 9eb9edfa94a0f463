"""The final model in MLflow: logged once an opening of the test set, registered under the study's name as champion."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import pandas as pd

from study.home import StudyFolder
from study.model import TRUSTED, FinalFiles, predictions

ALIAS = "champion"
_OPENING = "study.opening"
_MOST_COLUMNS = 1000  # of a signature; images have more, and are described by their number
_FLUENT = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID")
_PACKAGES = ("dnn-study", "scikit-learn", "skops", "numpy", "pandas", "pyarrow")


def register_model(
    client: Any,
    uri: str,
    experiment_id: str,
    run_id: str,
    name: str,
    folder: StudyFolder,
    attributes: Mapping[str, Any],
) -> None:
    """Log and register the model of the last opening of the test set, unless that is there already.

    Args:
        client: MLflow's.
        uri: of the store.
        experiment_id, run_id: where the model belongs: the study's parent run.
        name: of the study, and of the registered model.
        folder: of the study.
        attributes: of the ledger.
    """
    openings = attributes.get("finalized", [])
    if not openings:
        return
    files = FinalFiles.of(folder.final, openings[-1])
    if not files.model.exists():
        return
    key = f"{attributes['uid']}/{len(openings)}"
    for known in _versions(client, name):
        if known.tags.get(_OPENING) == key:
            return
    opening = openings[-1]
    tags = {"study.name": name, "study.trial": str(opening["trial"]), _OPENING: key}
    with _store(uri):
        info = _log(experiment_id, run_id, files, tags)
        client.set_logged_model_tags(info.model_id, tags)
        made = _register(client, name, info, run_id, tags, _describe(opening))
    client.set_registered_model_alias(name, ALIAS, made.version)


def _log(experiment_id: str, run_id: str, files: FinalFiles, tags: Mapping[str, str]) -> Any:
    import mlflow
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature

    model = files.load_model()
    example = _readable(files.load_example(), model)
    signature = None
    if len(example.columns) <= _MOST_COLUMNS:
        typed, _ = model.named_steps["cells"].read(example)
        outputs = predictions(model, typed)["prediction"]
        signature = ModelSignature(_schema(example, model), mlflow.models.infer_signature(outputs).inputs)
    mlflow.set_experiment(experiment_id=experiment_id)
    return Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.sklearn,
        run_id=run_id,
        tags=dict(tags),
        sk_model=model,
        signature=signature,
        input_example=example if signature is not None else None,
        pip_requirements=[f"{package}=={version(package)}" for package in _PACKAGES],
        serialization_format="skops",
        skops_trusted_types=list(TRUSTED),
    )


def _register(client: Any, name: str, info: Any, run_id: str, tags: Mapping[str, str], description: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, tags={"study.name": name})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name, info.model_uri, run_id, tags=dict(tags), description=description, model_id=info.model_id
    )


def _versions(client: Any, name: str) -> list[Any]:
    return list(client.search_model_versions(f"name = '{name}'"))


def _readable(example: pd.DataFrame, model: Any) -> pd.DataFrame:
    """Return the columns that the model reads, numbers as float64 and all else as text."""
    typed = model.named_steps["cells"].transform(example)
    kinds = {name: kind for name, kind, _ in model.named_steps["cells"].columns}
    columns = {
        name: typed[name].astype("float64") if kind == "numeric" else _texts(example[name])
        for name, kind in kinds.items()
    }
    return pd.DataFrame(columns)


def _texts(column: pd.Series) -> pd.Series:
    return column.astype(object).map(lambda cell: None if pd.isna(cell) else str(cell))


def _schema(example: pd.DataFrame, model: Any) -> Any:
    """Return the inputs: numbers as double; what else a column holds may come as text, number or truth value."""
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    kinds = {name: kind for name, kind, _ in model.named_steps["cells"].columns}
    anything = AnyType()  # type: ignore[no-untyped-call]
    types = [DataType.double if kinds[name] == "numeric" else anything for name in example.columns]
    return Schema([ColSpec(each, name, False) for each, name in zip(types, example.columns, strict=True)])


def _describe(opening: Mapping[str, Any]) -> str:
    part = "train and dev" if opening["with_dev"] else "train"
    value, low, high = (opening[key] for key in ("value", "low", "high"))
    score = "undefined" if value is None else f"{value:.4g}"
    within = "" if low is None or high is None else f" ({low:.4g} to {high:.4g}, 95 %)"
    return (
        f"Trial {opening['trial']}, trained on {part}: test {opening['metric']} {score}{within} "
        f"on {opening['m']} examples, {opening['at']}."
    )


@contextmanager
def _store(uri: str) -> Iterator[None]:
    """Have MLflow's fluent functions, by which models are logged, use this store while the block runs."""
    import mlflow

    # What was set by a function is in the environment too, so that this has all that there is to put back.
    before = {name: os.environ.get(name) for name in _FLUENT}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before["MLFLOW_TRACKING_URI"])  # type: ignore[arg-type]  # None is nothing, as at first
        mlflow.set_registry_uri(before["MLFLOW_REGISTRY_URI"])  # type: ignore[arg-type]
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
