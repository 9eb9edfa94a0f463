"""The final model: a scikit-learn pipeline of preprocessing and networks, from a table of raw cells to predictions.

It is saved with skops, whose files contain only plain data and names of classes, and no code.
"""

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline

from engine import Architecture
from engine.arrays import Array, IntArray
from engine.prediction import predict_each
from engine.state import write_whole
from study.data import Dataset, TargetScale
from study.data.features import to_matrix
from study.errors import UserError
from study.evaluation.calibration import adjust
from study.evaluation.decision import decide
from study.model.model_types import trusted_types
from study.text.shell import next_command

_WHOLE_NUMBER = re.compile("0|-?[1-9][0-9]{0,17}")  # "007" is text


class _Networks(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Trained networks as the last step of a pipeline, with examples as rows. What they predict is averaged.

    Args:
        networks: dicts of plain data, one for each configuration, with "layer_sizes" (n[0], …, n[L]),
            "hidden_activation" and "output_activation", names, and "vectors", (R, P), the parameters of a network in
            each row, in the order of `engine.Parameters`.
    """

    def __init__(self, networks: Sequence[Mapping[str, Any]]) -> None:
        self.networks = networks

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Set the attributes; versions up to 0.2 saved those of a single network."""
        known = dict(state)
        if "vector" in known:
            only = {key: known.pop(key) for key in ("layer_sizes", "hidden_activation", "output_activation")}
            known["networks"] = [{**only, "vectors": known.pop("vector")[None]}]
        super().__setstate__(known)

    def fit(self, _X: object, _y: object = None) -> Self:
        """Do nothing, since the networks are already trained."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _average(self, X: pd.DataFrame | Array) -> Array:
        """Return the mean of the networks' predictions for rows X, (m, n_x): (n_y, m), in the unit of the target.

        The predictions for a row do not depend on the other rows; see `predict_each`.
        """
        columns = np.ascontiguousarray(np.asarray(X).T, dtype=np.float32)
        total, count = np.zeros(1), 0
        for group in self.networks:
            sizes = tuple(int(n) for n in group["layer_sizes"])
            architecture = Architecture(sizes, group["hidden_activation"], group["output_activation"])
            for A in predict_each(architecture, group["vectors"], columns):
                total = total + self._in_units(A)
                count += 1
        return total / count

    def _in_units(self, A: Array) -> Array:
        """Return outputs in the unit of the target; probabilities have none."""
        return A


class NetworkClassifier(ClassifierMixin, _Networks):  # type: ignore[misc]
    """Trained networks that predict classes. Their probabilities are averaged.

    Args:
        networks: see the base class.
        classes: labels in the order of the networks' outputs.
        temperature: temperature of the averaged probabilities.
        priors: shares of the classes, if the networks were trained with balanced class weights; see
            `study.evaluation.calibration.undo_balance`.
        costs: costs of errors, a list of rows; see `study.evaluation.decision`. None predicts the most probable class.
    """

    # Models saved by earlier versions do not have these attributes.
    temperature: float = 1.0
    costs: list[list[float]] | None = None
    priors: list[float] | None = None

    def __init__(
        self,
        networks: Sequence[Mapping[str, Any]],
        classes: list[str],
        temperature: float = 1.0,
        costs: list[list[float]] | None = None,
        priors: list[float] | None = None,
    ) -> None:
        super().__init__(networks)
        self.classes = classes
        self.temperature = temperature
        self.costs = costs
        self.priors = priors

    @property
    def classes_(self) -> Array:
        """Labels in the order of the columns of `predict_proba`, as integers or Booleans if all labels are such."""
        if set(self.classes) == {"False", "True"}:
            return np.array([label == "True" for label in self.classes])
        if all(_WHOLE_NUMBER.fullmatch(label) for label in self.classes):
            return np.array([int(label) for label in self.classes], dtype=np.int64)
        return np.array(self.classes, dtype=object)

    def predict(self, X: pd.DataFrame | Array) -> Array:
        """Return the label of each row, (m,): the most probable one, or that with the lowest expected cost."""
        labels: Array = self.classes_[self.choose(self.predict_proba(X))]
        return labels

    def choose(self, shares: Array) -> IntArray:
        """Return the predicted class of each row of probabilities, (m, classes), as numbers (m,)."""
        return decide(shares.T, None if self.costs is None else np.array(self.costs))

    def predict_proba(self, X: pd.DataFrame | Array) -> Array:
        """Return the probability of each class, (m, classes)."""
        A = self._average(X)
        P = np.vstack([1 - A, A]) if len(A) == 1 else A
        return adjust(P, None if self.priors is None else np.array(self.priors), self.temperature).T


class NetworkRegressor(RegressorMixin, _Networks):  # type: ignore[misc]
    """Trained networks that predict numbers. Their predictions are averaged in the unit of the target.

    Args:
        networks: see the base class.
        mean, scale, log1p: the transformation of the target in training.
    """

    def __init__(self, networks: Sequence[Mapping[str, Any]], mean: float, scale: float, log1p: bool) -> None:
        super().__init__(networks)
        self.mean, self.scale, self.log1p = mean, scale, log1p

    def predict(self, X: pd.DataFrame | Array) -> Array:
        """Return a float64 number for each row, (m,)."""
        numbers: Array = self._average(X)[0]
        return numbers

    def _in_units(self, A: Array) -> Array:
        return TargetScale(self.mean, self.scale, self.log1p).to_units(A)


def build_model(
    dataset: Dataset,
    networks: Sequence[tuple[Architecture, Array]],
    temperature: float = 1.0,
    costs: Array | None = None,
    priors: Array | None = None,
) -> Pipeline:
    """Return the pipeline of a dataset's fitted preprocessing and trained networks.

    Args:
        dataset: the dataset that the networks were trained on.
        networks: architecture and parameters (R, P) of the networks of each configuration.
        temperature, costs, priors: see `study.model.adjustment.Adjustment`.
    """
    groups = [_group(architecture, vectors) for architecture, vectors in networks]
    scale = dataset.target_scale
    if scale is None:
        classes = [str(label) for label in dataset.classes]
        rule, shares = (None if each is None else each.tolist() for each in (costs, priors))
        last: _Networks = NetworkClassifier(groups, classes, temperature, rule, shares)
    else:
        last = NetworkRegressor(groups, mean=float(scale.mean), scale=float(scale.scale), log1p=scale.log1p)
    return Pipeline([*dataset.preprocessing.steps, ("network", last)])


def _group(architecture: Architecture, vectors: Array) -> dict[str, Any]:
    hidden = architecture.hidden_activation
    return {
        "layer_sizes": list(architecture.layer_sizes),
        "hidden_activation": hidden if isinstance(hidden, str) else list(hidden),
        "output_activation": architecture.output_activation,
        "vectors": vectors.copy(),
    }


def predictions(model: Pipeline, typed: pd.DataFrame) -> pd.DataFrame:
    """Return predictions for rows that the cell reader has read.

    The columns are "prediction" and, for a classifier, "probability_<class>" for each class.
    """
    network = model.named_steps["network"]
    X = to_matrix(model, typed)
    if not isinstance(network, NetworkClassifier):
        return pd.DataFrame({"prediction": network.predict(X)})
    shares = network.predict_proba(X)
    out = pd.DataFrame({"prediction": network.classes_[network.choose(shares)]})
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
