"""The final model: a scikit-learn pipeline of preprocessing and network, from a table of raw cells to predictions.

It is saved with skops, whose files contain only plain data and names of classes, and no code.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline

from engine import Architecture, predict
from engine.activations import Array
from engine.parameters import Parameters
from engine.state import write_whole
from study.data import Dataset, TargetScale
from study.data.features import to_matrix
from study.errors import UserError
from study.model.model_types import trusted_types
from study.text.shell import next_command

_WHOLE_NUMBER = re.compile("0|-?[1-9][0-9]{0,17}")  # "007" is text


class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A trained network as the last step of a pipeline, with examples as rows.

    Args:
        layer_sizes: (n[0], …, n[L]).
        hidden_activation, output_activation: names of activations.
        vector: all parameters, in the order of `engine.Parameters`.
    """

    def __init__(
        self, layer_sizes: tuple[int, ...], hidden_activation: str, output_activation: str, vector: Array
    ) -> None:
        self.layer_sizes = layer_sizes
        self.hidden_activation = hidden_activation
        self.output_activation = output_activation
        self.vector = vector

    def fit(self, _X: object, _y: object = None) -> Self:
        """Do nothing, since the network is already trained."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _outputs(self, X: pd.DataFrame | Array) -> Array:
        """Return A[L], (n_y, m), for rows X, (m, n_x). The outputs of a row do not depend on the other rows.

        In float32, the last digits would depend on them, since the order in which BLAS sums depends on the number of
        columns.
        """
        sizes = tuple(int(n) for n in self.layer_sizes)
        architecture = Architecture(sizes, self.hidden_activation, self.output_activation)
        columns = np.ascontiguousarray(np.asarray(X).T, dtype=np.float32).astype(np.float64)
        return predict(architecture, Parameters(sizes, self.vector.astype(np.float64)), columns)


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A trained network that predicts classes.

    Args:
        layer_sizes, hidden_activation, output_activation, vector: see the base class.
        classes: labels in the order of the network's outputs.
    """

    def __init__(
        self,
        layer_sizes: tuple[int, ...],
        hidden_activation: str,
        output_activation: str,
        vector: Array,
        classes: list[str],
    ) -> None:
        super().__init__(layer_sizes, hidden_activation, output_activation, vector)
        self.classes = classes

    @property
    def classes_(self) -> Array:
        """Labels in the order of the columns of `predict_proba`, as integers or Booleans if all labels are such."""
        if set(self.classes) == {"False", "True"}:
            return np.array([label == "True" for label in self.classes])
        if all(_WHOLE_NUMBER.fullmatch(label) for label in self.classes):
            return np.array([int(label) for label in self.classes], dtype=np.int64)
        return np.array(self.classes, dtype=object)

    def predict(self, X: pd.DataFrame | Array) -> Array:
        """Return the most probable label of each row, (m,)."""
        A = self._outputs(X)
        chosen = (A[0] > 0.5).astype(np.intp) if len(A) == 1 else A.argmax(axis=0)
        labels: Array = self.classes_[chosen]
        return labels

    def predict_proba(self, X: pd.DataFrame | Array) -> Array:
        """Return the probability of each class, (m, classes)."""
        A = self._outputs(X)
        return (np.vstack([1 - A, A]) if len(A) == 1 else A).T


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A trained network that predicts numbers, in the unit of the target.

    Args:
        layer_sizes, hidden_activation, output_activation, vector: see the base class.
        mean, scale, log1p: the transformation of the target in training.
    """

    def __init__(
        self,
        layer_sizes: tuple[int, ...],
        hidden_activation: str,
        output_activation: str,
        vector: Array,
        mean: float,
        scale: float,
        log1p: bool,
    ) -> None:
        super().__init__(layer_sizes, hidden_activation, output_activation, vector)
        self.mean, self.scale, self.log1p = mean, scale, log1p

    def predict(self, X: pd.DataFrame | Array) -> Array:
        """Return a float64 number for each row, (m,)."""
        return TargetScale(self.mean, self.scale, self.log1p).to_units(self._outputs(X)[0])


def build_model(dataset: Dataset, architecture: Architecture, parameters: Parameters) -> Pipeline:
    """Return the pipeline of a dataset's fitted preprocessing and a trained network."""
    hidden = architecture.hidden_activation
    parts: dict[str, Any] = {
        "layer_sizes": list(architecture.layer_sizes),
        "hidden_activation": hidden if isinstance(hidden, str) else list(hidden),
        "output_activation": architecture.output_activation,
        "vector": parameters.vector.copy(),
    }
    scale = dataset.target_scale
    if scale is None:
        network: _Network = NetworkClassifier(**parts, classes=[str(label) for label in dataset.classes])
    else:
        network = NetworkRegressor(**parts, mean=float(scale.mean), scale=float(scale.scale), log1p=scale.log1p)
    return Pipeline([*dataset.preprocessing.steps, ("network", network)])


def predictions(model: Pipeline, typed: pd.DataFrame) -> pd.DataFrame:
    """Return predictions for rows that the cell reader has read.

    The columns are "prediction" and, for a classifier, "probability_<class>" for each class.
    """
    network = model.named_steps["network"]
    X = to_matrix(model, typed)
    out = pd.DataFrame({"prediction": network.predict(X)})
    if isinstance(network, NetworkClassifier):
        shares = network.predict_proba(X)
        for k, label in enumerate(network.classes):
            out[f"probability_{label}"] = shares[:, k]
    return out


@dataclass(frozen=True)
class FinalFiles:
    """The files of the final model of one test evaluation.

    The name of a file contains its digest, which is recorded with the evaluation in the ledger. The files therefore
    always match the record, and the previous model stays current until the new record is written.

    Attributes:
        model: the model file.
        example: the file with raw cells of a few rows of train, as an example of the input.
        digests: SHA-256 of both files, by name; empty for models saved before digests were introduced. "transform" is
            the name of the study's transform, if it has one.
    """

    model: Path
    example: Path
    digests: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path, digests: Mapping[str, str]) -> "FinalFiles":
        """Return the files with these digests in the folder of final models; the first versions had no digests."""
        if not digests:
            return cls(folder / "model.skops", folder / "example.parquet", {})
        return cls(
            folder / f"model-{digests['model'][:16]}.skops",
            folder / f"example-{digests['example'][:16]}.parquet",
            digests,
        )

    def load_model(self) -> Pipeline:
        """Return the model.

        Raises:
            UserError: the file is missing, or has changed; or it contains types of a transform that is not registered.
        """
        content = self._read(self.model, "model")
        try:
            trusted = trusted_types(content, self.digests, str(self.model))
            return skops.io.loads(content, trusted=trusted)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001 - a modified file can make skops raise anything
            raise self._refuse(self.model, f"not a valid model file ({type(error).__name__})") from None

    def load_example(self) -> pd.DataFrame:
        """Return the example rows; raises the same errors as `load_model`."""
        return pd.read_parquet(io.BytesIO(self._read(self.example, "example")))

    def _read(self, path: Path, name: str) -> bytes:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise self._refuse(path, "file not found") from None
        if self.digests and hashlib.sha256(content).hexdigest() != self.digests[name]:
            raise self._refuse(path, "the file has changed since it was saved")
        return content

    @staticmethod
    def _refuse(path: Path, why: str) -> UserError:
        again = next_command("finalize", "NAME", "--again")
        return UserError(f"{path}: {why}; restore it from a backup, or retrain the model: {again}")


def keep_model(model: Pipeline, example: pd.DataFrame, folder: Path, transform: str | None = None) -> dict[str, str]:
    """Write a model and its example rows atomically; return what `FinalFiles.of` needs.

    Args:
        model: the model.
        example: raw cells of a few rows of train.
        folder: the folder of final models.
        transform: the name of the study's transform, if it has one.
    """
    rows = io.BytesIO()
    example.astype(object).to_parquet(rows)
    contents = {"model": skops.io.dumps(model), "example": rows.getvalue()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    files = FinalFiles.of(folder, digests)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(files.model, contents["model"])
    write_whole(files.example, contents["example"])
    return digests if transform is None else digests | {"transform": transform}


def forget_models(folder: Path, kept: FinalFiles) -> None:
    """Delete the final models of earlier test evaluations, and of those that were interrupted."""
    for path in folder.iterdir():
        if path not in (kept.model, kept.example):
            path.unlink()
