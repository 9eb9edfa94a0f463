"""The train and dev sets as dataset inputs of a run.

They have a digest of all values, since MLflow's own digest only covers 10,000.
"""

import json
from typing import TYPE_CHECKING

from study.ledger.attributes import StudyAttributes

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

DIGEST = 36  # maximum number of characters of a digest in a store
_CONTEXTS = {"train": "training", "dev": "validation"}


def dataset_inputs(name: str, attributes: StudyAttributes) -> "list[DatasetInput]":
    """Return MLflow's dataset inputs for train and dev.

    Args:
        name: name of the study.
        attributes: attributes of the ledger, of which "parts" (SHA-256 by split) and "data" (a description) are used.
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
