"""Train and dev as dataset inputs of a run, with our own fingerprint: MLflow's digest sees 10,000 values alone."""

import json
from typing import TYPE_CHECKING

from study.ledger.attributes import StudyAttributes

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

DIGEST = 36  # characters of a digest that a store keeps
_CONTEXTS = {"train": "training", "dev": "validation"}


def dataset_inputs(name: str, attributes: StudyAttributes) -> "list[DatasetInput]":
    """Return MLflow's dataset inputs for train and dev.

    Args:
        name: of the study.
        attributes: of the ledger: "parts" (SHA-256 by part) and "data" (what `study.run` says of the data).
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = attributes.get("data", {})
    inputs = []
    for part, context in _CONTEXTS.items():
        sha256 = attributes.get("parts", {}).get(part)
        if sha256 is None:
            continue
        profile = {"num_rows": data.get("rows", {}).get(part), "num_features": data.get("n_x"), "sha256": sha256}
        dataset = Dataset(
            name=f"{name} {part}",
            digest=sha256[:DIGEST],
            source_type="study",
            source=json.dumps({"source": data.get("source"), "target": data.get("target"), "part": part}),
            profile=json.dumps(profile),
        )
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", context)]))
    return inputs
