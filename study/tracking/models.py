"""The final model in MLflow: logged once per test evaluation, and registered under the study's name as champion."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.pipeline import Pipeline

from study.data.preprocessing import first_lost
from study.ledger.attributes import KeptOpening, StudyAttributes
from study.ledger.home import StudyFolder
from study.ledger.test_evaluation import describe_training, read_test_evaluations
from study.model.model_types import trusted_types
from study.model.pipeline import FinalFiles, predictions
from study.spec.plugins import find_package
from study.text.formatting import counted
from study.tracking.network_tags import network_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models.model import ModelInfo
    from mlflow.types import Schema

ALIAS = "champion"
_OPENING = "study.opening"
_MOST_COLUMNS = 1000  # maximum number of columns of an example; images have more
_FLUENT = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID")
_PACKAGES = ("dnn-study", "scikit-learn", "skops", "numpy", "pandas", "pyarrow")


def register_model(
    client: "MlflowClient",
    uri: str,
    experiment_id: str,
    run_id: str,
    name: str,
    folder: StudyFolder,
    attributes: StudyAttributes,
) -> None:
    """Log and register the model of the latest test evaluation, unless it is already registered.

    Args:
        client: MLflow client.
        uri: URI of the store.
        experiment_id, run_id: experiment and parent run of the study, to which the model belongs.
        name: name of the study and of the registered model.
        folder: folder of the study.
        attributes: attributes of the ledger.
    """
    openings = attributes.get("finalized", [])
    if not openings:
        return
    files = FinalFiles.of(folder.final, openings[-1].get("files", {}))
    if not files.model.exists():
        return
    key = f"{attributes['uid']}/{len(openings)}"
    for known in _versions(client, name):
        if known.tags.get(_OPENING) == key:
            return
    opening = openings[-1]
    (evaluation,) = read_test_evaluations([opening])
    tags = {"study.name": name, "study.trial": str(evaluation.trial), _OPENING: key, **network_tags(evaluation)}
    with _store(uri):
        info = _log(experiment_id, run_id, files, tags)
        client.set_logged_model_tags(info.model_id, tags)
        made = _register(client, name, info, run_id, tags, _describe(opening))
    client.set_registered_model_alias(name, ALIAS, made.version)


def _log(experiment_id: str, run_id: str, files: FinalFiles, tags: Mapping[str, str]) -> "ModelInfo":
    import mlflow
    from mlflow.models import Model, ModelSignature, infer_signature

    model, transform = files.load_model(), files.digests.get("transform")
    package = None if transform is None else find_package("transform", transform)
    example, inputs = _inputs(files.load_example(), model)
    typed, _ = model.named_steps["cells"].read(example)
    outputs = predictions(model, typed)["prediction"]
    mlflow.set_experiment(experiment_id=experiment_id)
    info: ModelInfo = Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.sklearn,
        run_id=run_id,
        tags=dict(tags),
        sk_model=model,
        signature=ModelSignature(inputs, infer_signature(outputs).inputs),
        input_example=example if len(example.columns) <= _MOST_COLUMNS else None,
        pip_requirements=[
            *(f"{package}=={version(package)}" for package in _PACKAGES),
            *(("==".join(package.split()),) if package is not None and len(package.split()) == 2 else ()),
        ],
        serialization_format="skops",
        skops_trusted_types=trusted_types(files.model.read_bytes(), files.digests, str(files.model)),
    )
    return info


def _register(
    client: "MlflowClient", name: str, info: "ModelInfo", run_id: str, tags: Mapping[str, str], description: str
) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, tags={"study.name": name})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name, info.model_uri, run_id, tags=dict(tags), description=description, model_id=info.model_id
    )


def _versions(client: "MlflowClient", name: str) -> "list[ModelVersion]":
    return list(client.search_model_versions(f"name = '{name}'"))


def _inputs(example: pd.DataFrame, model: Pipeline) -> "tuple[pd.DataFrame, Schema | None]":
    """Return the columns that the model reads, and the schema of the inputs: None, or text for every column.

    The model reads cells of any type, but no type of MLflow accepts all of them: a floating-point type rejects integers
    of a frame, the string type rejects every number, and MLflow cannot read CSV with a type that accepts anything.
    Therefore there is no schema, unless MLflow would read a category as a number and change it (012); in this case,
    every column is text.
    """
    reader, example = model.named_steps["cells"], example.reset_index(drop=True)  # typed rows have a plain index
    if any(first_lost(known, reader.decimal) for known in reader.categories_.values()):
        return _text_inputs(example, [name for name, _, _ in reader.columns])
    typed, _ = reader.read(example)
    columns = {name: typed[name] if kind == "numeric" else _texts(example[name]) for name, kind, _ in reader.columns}
    return pd.DataFrame(columns), None


def _text_inputs(example: pd.DataFrame, names: list[str]) -> "tuple[pd.DataFrame, Schema]":
    from mlflow.types import ColSpec, DataType, Schema

    return pd.DataFrame({name: _texts(example[name]) for name in names}), Schema(
        [ColSpec(DataType.string, name, required=False) for name in names]
    )


def _texts(column: pd.Series) -> pd.Series:
    return column.astype(object).map(lambda cell: None if pd.isna(cell) else str(cell))


def _describe(opening: KeptOpening) -> str:
    trials = [member["trial"] for member in opening.get("members", [])]
    described = describe_training(opening.get("networks", 1), trials, with_dev=opening["with_dev"])
    value, low, high = (opening[key] for key in ("value", "low", "high"))
    score = "undefined" if value is None else f"{value:.4g}"
    within = "" if low is None or high is None else f" ({low:.4g} to {high:.4g}, 95%)"
    return (
        f"Trial {opening['trial']}, {described}: test {opening['metric']} {score}{within} "
        f"on {counted(opening['m'], 'example')}, {opening['at']}."
    )


@contextmanager
def _store(uri: str) -> Iterator[None]:
    """Make MLflow's fluent functions, which log models, use this store while the block runs."""
    import mlflow

    # The fluent functions also store their settings in the environment, so these variables are all there is to restore.
    before = {name: os.environ.get(name) for name in _FLUENT}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before["MLFLOW_TRACKING_URI"])  # type: ignore[arg-type]  # None unsets it
        mlflow.set_registry_uri(before["MLFLOW_REGISTRY_URI"])  # type: ignore[arg-type]
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
