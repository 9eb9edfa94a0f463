"""The records that the data stage hands on: a part, the scale of a target, a whole dataset.

Made by `study.data.loading`; read by the search, the ledger and the report. Frozen: nobody changes them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from study.text.records import Json

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from study.data.misfits import Misfits

Task = Literal["binary", "multiclass", "regression"]
OutputActivation = Literal["sigmoid", "softmax", "identity"]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a dataset; columns are examples.

    X: (n_x, m), float32, C-contiguous. Y: (n_y, m), float32: 0 or 1 in (1, m) for two classes, one-hot
    in (K, m) for several, standardized in (1, m) for regression. rows: (m,), int64, the examples' row
    numbers in the source, counted from 0. misfits: cells that do not fit their column. weight: (1, m), what each
    training example counts for, with mean 1; None where all count the same, and in parts that are not trained on.
    """

    X: FloatArray
    Y: FloatArray
    rows: npt.NDArray[np.int64]
    misfits: "tuple[Misfits, ...]" = ()
    weight: FloatArray | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be decided to read these rows."""
        return tuple(each.note for each in self.misfits)

    @property
    def m(self) -> int:
        """Number of examples."""
        return int(self.X.shape[1])


@dataclass(frozen=True)
class TargetScale:
    """How a regression target was brought to mean 0 and deviation 1, so that results get their unit back.

    mean and scale are those of train, after log(1 + y) where log1p is set.
    """

    mean: float
    scale: float
    log1p: bool

    def from_units(self, y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return targets in their own unit, any shape, as the network learns them."""
        raw = np.log1p(y) if self.log1p else y
        return (raw - self.mean) / self.scale

    def to_units(self, Y: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Return standardized targets or predictions, any shape, in the target's own unit (float64)."""
        raw = np.asarray(Y, dtype=np.float64) * self.scale + self.mean
        return np.expm1(raw) if self.log1p else raw


@dataclass(frozen=True)
class Finding:
    """What was found out or decided while data were read. about: what it concerns; text: one line."""

    about: Literal["file", "target", "task", "sizes", "data"]
    text: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train and dev, prepared, and all that is needed to prepare more rows; never a row of the test set.

    classes: labels in the order of Y's rows (for two classes: of 0 and 1), () for regression.
    column_names and feature_names: before and after preprocessing. default_metric: accuracy,
    balanced_accuracy where the rarest class has under 10% of the rows, or rmse. fingerprint: SHA-256
    (hex) over column names and values as read; part_fingerprints: the same for train, dev, test and confirm.
    preprocessing: the fitted scikit-learn transformer from a DataFrame of raw cells (columns by name) to an
    (m, n_x) matrix. dialect: the keys of `[data]` that say how the text file is written, {} of other sources.
    findings: what was found out and decided, in the order of the work.
    """

    source: str
    task: Task
    train: Part
    dev: Part
    confirm: Part | None
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    column_names: tuple[str, ...]
    target_name: str
    target_scale: TargetScale | None
    default_metric: str
    fingerprint: str
    part_fingerprints: dict[str, str]
    preprocessing: "Pipeline"
    dialect: dict[str, Json]
    findings: tuple[Finding, ...]
    metric_reason: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """The texts of all findings."""
        return tuple(finding.text for finding in self.findings)

    @property
    def n_x(self) -> int:
        """Number of features, rows of X."""
        return int(self.train.X.shape[0])

    @property
    def n_y(self) -> int:
        """Number of outputs, rows of Y."""
        return int(self.train.Y.shape[0])

    @property
    def output_activation(self) -> OutputActivation:
        """The activation of the last layer that serves the task."""
        if self.task == "binary":
            return "sigmoid"
        return "softmax" if self.task == "multiclass" else "identity"
