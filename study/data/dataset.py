"""Frozen records for prepared data: one split, the scale of a target, and a whole dataset."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from study.spec.encoding import STANDARD, Encoding
from study.text.records import Json

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from study.data.misfits import Misfits

Task = Literal["binary", "multiclass", "regression"]
OutputActivation = Literal["sigmoid", "softmax", "identity"]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Part:
    """One split of a dataset. Columns are examples.

    Attributes:
        X: Features, (n_x, m), float32, C-contiguous.
        Y: Outputs, (n_y, m), float32: 0 or 1 in (1, m) for two classes, one-hot in (K, m) for more classes, and
            standardized in (1, m) for regression.
        rows: Row numbers of the examples in the source, (m,), int64, starting at 0.
        misfits: Cells that do not match the type of their column.
        weight: Relative weights of the training examples, (1, m), with mean 1, or None if all are equal. Parts that are
            not trained on have none.
    """

    X: FloatArray
    Y: FloatArray
    rows: npt.NDArray[np.int64]
    misfits: "tuple[Misfits, ...]" = ()
    weight: FloatArray | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the cells that do not match the type of their column."""
        return tuple(each.note for each in self.misfits)

    @property
    def m(self) -> int:
        """Number of examples."""
        return int(self.X.shape[1])


@dataclass(frozen=True)
class TargetScale:
    """The standardization of a regression target, used to convert results back to original units.

    Attributes:
        mean: Mean of train, after log(1 + y) if log1p is set.
        scale: Standard deviation of train, after log(1 + y) if log1p is set.
        log1p: Whether the network learns log(1 + y).
    """

    mean: float
    scale: float
    log1p: bool

    def from_units(self, y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Convert targets of any shape from original units to the standardized values that the network learns."""
        raw = np.log1p(y) if self.log1p else y
        return (raw - self.mean) / self.scale

    def to_units(self, Y: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Convert standardized targets or predictions of any shape to original units, as float64."""
        raw = np.asarray(Y, dtype=np.float64) * self.scale + self.mean
        return np.expm1(raw) if self.log1p else raw


@dataclass(frozen=True)
class Finding:
    """Something detected or decided while the data was read.

    Attributes:
        about: The subject. "left_out" is about rows that are not used.
        text: One line for the user.
    """

    about: Literal["file", "target", "left_out", "task", "sizes", "data"]
    text: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Prepared train and dev, and everything needed to prepare more rows. It never contains test rows.

    Attributes:
        source: The source, as written in the spec.
        task: The type of prediction.
        train: Training examples.
        dev: Examples on which trials are compared.
        confirm: Examples set aside for `study confirm`, if any.
        classes: Labels in the order of the rows of Y (the order 0, 1 for two classes); () for regression.
        feature_names: Names of the rows of X, after preprocessing.
        column_names: Names of the columns that are used, before preprocessing.
        target_name: Name of the target column.
        target_scale: Standardization of a regression target, otherwise None.
        default_metric: accuracy, balanced_accuracy if the rarest class has less than 10% of the rows, or rmse.
        fingerprint: Hexadecimal SHA-256 of the column names and the values as read.
        part_fingerprints: The same for train, dev, test and confirm.
        preprocessing: The fitted scikit-learn transformer from a DataFrame of raw cells to an (m, n_x) matrix.
        dialect: The keys of `[data]` that describe the format of a text file; {} for other sources.
        findings: What was detected and decided, in processing order.
        metric_reason: Why the default metric is not the usual one for the task, or "".
        encoding: How its numbers are encoded.
        others: The same data with its numbers in other encodings.
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
    encoding: Encoding = STANDARD
    others: "tuple[Dataset, ...]" = ()

    def encoded(self, encoding: Encoding) -> "Dataset":
        """Return the same data in an encoding that it was loaded with."""
        return next(each for each in (self, *self.others) if each.encoding == encoding)

    @property
    def notes(self) -> tuple[str, ...]:
        """The texts of all findings."""
        return tuple(finding.text for finding in self.findings)

    @property
    def has_test_set(self) -> bool:
        """Whether rows are set aside for a test set."""
        return "test" in self.part_fingerprints

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
        """The activation of the output layer for this task."""
        if self.task == "binary":
            return "sigmoid"
        return "softmax" if self.task == "multiclass" else "identity"
