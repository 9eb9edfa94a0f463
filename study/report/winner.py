"""The predictions of the best trial on dev: confusion matrix, predicted against true values, decision boundary.

They are computed from the trial's file and from train and dev. The test rows are not converted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine import Parameters, predict
from engine.arrays import Array, IntArray
from engine.metrics import labels
from study.data import Dataset
from study.data.overview import dataset_columns
from study.ledger.home import StudyFolder
from study.ledger.results import TrialRow
from study.ledger.trial_artifact import TrialFile, find_result
from study.search.search_space import architecture_of, complete, encoding_of, encodings_of
from study.spec import Spec
from study.spec.encoding import STANDARD

SHOWN = 1500  # maximum number of examples in a chart
COLUMNS, ROWS = 160, 120  # size of the grid on which a decision boundary is computed
LEVELS = 7  # number of levels into which predicted numbers are divided

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plane:
    """The predictions of a network over the plane of two features.

    Attributes:
        names: names of the features on the x and y axes, both in the units of the table.
        low, high: lower left and upper right corner.
        levels: predicted class, or level of the predicted number, of shape (ROWS, COLUMNS); row 0 has the lowest y.
        edges: values between the levels of a number.
        x, y, group: some of the dev examples; group is the true class, or the level of the true number.
        wrong: True for examples that are misclassified.
    """

    names: tuple[str, str]
    low: tuple[float, float]
    high: tuple[float, float]
    levels: Whole
    edges: tuple[float, ...]
    x: Floats
    y: Floats
    group: Whole
    wrong: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Winner:
    """The predictions of the best trial on dev.

    Attributes:
        number: number of the trial.
        layer_sizes: (n[0], …, n[L]).
        networks: number of networks of the trial; one per fold or seed.
        classes: names of the classes; () for regression.
        confusion: numbers of dev examples summed over networks, of shape (K, K), by true class (rows) and predicted
            class (columns); None for regression.
        truth, prediction: values of some dev examples, in units of the target; empty for classification.
        examples: number of dev predictions of all networks; for regression, of the first network or of all folds.
        plane: predictions over the plane; None unless there are exactly two numeric features.
    """

    number: int
    layer_sizes: tuple[int, ...]
    networks: int
    classes: tuple[str, ...]
    confusion: Whole | None
    truth: Floats
    prediction: Floats
    examples: int
    plane: Plane | None


@dataclass(frozen=True, kw_only=True)
class WinnerAnswer:
    """The predictions of the best trial on dev for JSON, without the plane. Attributes are as in `Winner`."""

    number: int
    layer_sizes: tuple[int, ...]
    networks: int
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    truth: tuple[float, ...]
    prediction: tuple[float, ...]
    examples: int


def describe_winner(winner: Winner) -> WinnerAnswer:
    """Return the predictions of the best trial as the record that is printed as JSON."""
    confusion = None if winner.confusion is None else tuple(map(tuple, winner.confusion.tolist()))
    return WinnerAnswer(
        number=winner.number,
        layer_sizes=winner.layer_sizes,
        networks=winner.networks,
        classes=winner.classes,
        confusion=confusion,
        truth=tuple(winner.truth.tolist()),
        prediction=tuple(winner.prediction.tolist()),
        examples=winner.examples,
    )


def look_at_winner(spec: Spec, datasets: Sequence[Dataset], row: TrialRow, folder: StudyFolder) -> Winner | None:
    """Return the predictions of a complete trial on dev; None if its file is missing or belongs to other data."""
    file = find_result(folder.result(row.number), row.fingerprint)
    if file is None:
        return None
    of_network = list(datasets) if len(datasets) > 1 else [datasets[0]] * len(file.dev_predictions)
    pairs = list(zip(of_network, file.dev_predictions, strict=False))
    if not pairs or any(A.shape != dataset.dev.Y.shape for dataset, A in pairs):
        return None
    first = datasets[0]
    confusion = None
    truth = prediction = np.empty(0)
    if first.task == "regression":
        used = pairs if len(datasets) > 1 else pairs[:1]
        truth = np.concatenate([_in_units(dataset, dataset.dev.Y) for dataset, _ in used])
        prediction = np.concatenate([_in_units(dataset, A) for dataset, A in used])
        examples = len(truth)
        kept = _some(len(truth))
        truth, prediction = truth[kept], prediction[kept]
    else:
        confusion = sum((_confusion(dataset, A) for dataset, A in pairs), np.zeros(1, dtype=np.int64))
        examples = int(confusion.sum())
    return Winner(
        number=row.number,
        layer_sizes=file.layer_sizes,
        networks=len(pairs),
        classes=first.classes,
        confusion=confusion,
        truth=truth,
        prediction=prediction,
        examples=examples,
        plane=_plane(spec, first, file, row),
    )


def _confusion(dataset: Dataset, A: Array) -> Whole:
    K = len(dataset.classes)
    cells = labels(dataset.dev.Y).astype(np.int64) * K + labels(A).astype(np.int64)
    return np.bincount(cells, minlength=K * K).reshape(K, K).astype(np.int64)


def _in_units(dataset: Dataset, Y: Array) -> Floats:
    scale = dataset.target_scale
    return Y[0].astype(np.float64) if scale is None else scale.to_units(Y[0])


def _some(n: int) -> Whole:
    """Return at most SHOWN evenly spaced indices below n."""
    return np.arange(n) if n <= SHOWN else np.linspace(0, n - 1, SHOWN).astype(np.int64)


def _plane(spec: Spec, dataset: Dataset, file: TrialFile, row: TrialRow) -> Plane | None:
    names = dataset.column_names
    kinds = [column.kind for column in dataset_columns(dataset)]
    configuration = complete(spec.space, row.params)
    encoded = dataset.encoded(encoding_of(configuration))
    if STANDARD not in encodings_of(spec.space):
        return None
    dataset = dataset.encoded(STANDARD)
    if dataset.n_x != 2 or len(names) != 2 or not set(kinds) <= {"numeric", "boolean"} or spec.data.transform:
        return None
    # Each feature is a linear function of its column, so transforming two cells determines it and its inverse.
    cells = pd.DataFrame({name: [0.0, 1.0] for name in names})
    at = np.asarray(dataset.preprocessing.transform(cells), dtype=np.float64)
    origin, slope = at[0], at[1] - at[0]
    if not slope.all():
        return None
    dev = (dataset.dev.X.astype(np.float64).T - origin) / slope
    low, high = dev.min(axis=0), dev.max(axis=0)
    margin = np.where(high > low, 0.06 * (high - low), 1.0)
    low, high = low - margin, high + margin
    xs, ys = (low[k] + (np.arange(n) + 0.5) / n * (high[k] - low[k]) for k, n in ((0, COLUMNS), (1, ROWS)))
    grid = np.stack([np.tile(xs, ROWS), np.repeat(ys, COLUMNS)])
    architecture = architecture_of(configuration, encoded.n_x, dataset.n_y, dataset.output_activation)
    if architecture.layer_sizes != file.layer_sizes:
        return None
    parameters = Parameters(file.layer_sizes, file.parameters[0])
    X = grid * slope[:, None] + origin[:, None]
    if encoded.encoding != STANDARD:
        X = np.asarray(encoded.preprocessing.transform(pd.DataFrame(dict(zip(names, grid, strict=True))))).T
    A = predict(architecture, parameters, np.ascontiguousarray(X, dtype=np.float32))
    kept = _some(dataset.dev.m)
    edges: tuple[float, ...] = ()
    levels: IntArray
    group: IntArray
    if dataset.task == "regression":
        truth = _in_units(dataset, dataset.dev.Y)
        inner = np.quantile(truth, np.linspace(0, 1, LEVELS + 1)[1:-1])
        edges = tuple(float(edge) for edge in inner)
        levels, group = np.digitize(_in_units(dataset, A), inner), np.digitize(truth, inner)
        wrong = np.zeros(len(group), dtype=bool)
    else:
        levels, group = labels(A), labels(dataset.dev.Y)
        wrong = labels(file.dev_predictions[0]) != group
    return Plane(
        names=(names[0], names[1]),
        low=(float(low[0]), float(low[1])),
        high=(float(high[0]), float(high[1])),
        levels=levels.astype(np.int64).reshape(ROWS, COLUMNS),
        edges=edges,
        x=dev[kept, 0],
        y=dev[kept, 1],
        group=group[kept].astype(np.int64),
        wrong=wrong[kept],
    )
