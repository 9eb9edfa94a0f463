"""The base class of `DNNClassifier` and `DNNRegressor`: parameters, scaling, `fit` and `partial_fit`.

Examples are rows here, as in all of scikit-learn, and are transposed to columns for the engine.
"""

import numbers
import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from engine.architecture import Architecture
from engine.arrays import Array, BoolArray, IntArray
from engine.parameters import Parameters
from engine.prediction import predict
from engine.settings import TrainingSettings
from engine.state import Status, TrainingState
from engine.training import advance, start
from engine.training_result import results

FULL_BATCH = 1000  # maximum number of examples in a full batch; with more, mini-batches learn faster
MINI_BATCH = 128
LEAST_ITERATIONS = 500
EPOCHS = 30


class _Fitted:
    """Attributes that training sets."""

    architecture_: Architecture
    parameters_: Parameters
    status_: Status
    loss_: float
    loss_curve_: list[float]
    validation_curve_: list[float]
    n_iter_: int
    mean_: Array
    scale_: Array
    _state: TrainingState


# Like other estimators, it is compared by identity and has scikit-learn's repr; the dataclass only generates __init__.
@dataclass(eq=False, repr=False)
class DenseNetworkEstimator(_Fitted, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """The parameters of a dense network and its training; subclasses define the targets.

    `DNNClassifier` describes each parameter.
    """

    hidden_layer_sizes: Sequence[int] = (64, 32)
    hidden_activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    learning_rate: float = 0.003
    iterations: int | None = None
    optimizer: str = "adam"
    batch_size: int | Literal["auto"] | None = "auto"
    schedule: str = "cosine"
    final_fraction: float = 0.01
    momentum: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    l2: float = 0.01
    dropout: float = 0.0
    max_gradient_norm: float | None = None
    initialization: str = "auto"
    standardize: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 10
    evaluate_every: int = 10
    warm_start: bool = False
    random_state: int | np.random.RandomState | None = None

    def _fit(self, X: Array, Y: Array, output: str, sample_weight: Array | None, stratify: Array | None) -> Self:
        """Train on rows X and Y to the end."""
        resumes = self.warm_start and hasattr(self, "_state")
        if not resumes:
            self._measure(X, Y, sample_weight)
        architecture = self._architecture(X, Y, output)
        seed = self._seed()
        inputs, targets, dev = self._scaled(X), self._scaled_targets(Y), None
        if self.early_stopping:
            kept, held_out = self._split(len(X), seed, stratify)
            dev = (inputs[:, held_out], targets[:, held_out])
            inputs, targets = inputs[:, kept], targets[:, kept]
            sample_weight = None if sample_weight is None else sample_weight[kept]
        m = inputs.shape[1]
        size = self._size(m)
        iterations = self.iterations
        if iterations is None:
            iterations = max(LEAST_ITERATIONS, EPOCHS * -(-m // size))
        state = start(
            architecture,
            self._settings(
                iterations=iterations, batch_size=size, patience=self.patience if self.early_stopping else None
            ),
            seeds=[seed],
            initialization=self.initialization,
            parameters=[self.parameters_] if resumes else None,
            dtype=inputs.dtype,
        )
        return self._finish(advance(state, inputs, targets, dev=dev, sample_weight=sample_weight))

    def _split(self, m: int, seed: int, stratify: Array | None) -> tuple[IntArray, IntArray]:
        """Return the indices of the training rows, and of the rows held out for early stopping."""
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be above 0 and below 1, got {self.validation_fraction}")
        if stratify is not None and np.unique(stratify, return_counts=True)[1].min() < 2:
            stratify = None
        kept, held_out = train_test_split(
            np.arange(m), test_size=self.validation_fraction, random_state=seed, stratify=stratify
        )
        return kept, held_out

    def _partial_fit(self, X: Array, Y: Array, output: str, sample_weight: Array | None) -> Self:
        """Train on rows X and Y for one epoch from the current state, keeping the optimizer vectors."""
        first = not hasattr(self, "_state")
        if first:
            self._measure(X, Y, sample_weight)
        inputs, targets = self._scaled(X), self._scaled_targets(Y)
        size = self._size(len(X))
        updates = -(-len(X) // size)
        if first:
            state = start(
                self._architecture(X, Y, output),
                self._settings(iterations=updates, batch_size=size, schedule="constant", patience=None),
                seeds=[self._seed()],
                initialization=self.initialization,
                dtype=inputs.dtype,
            )
            return self._finish(advance(state, inputs, targets, sample_weight=sample_weight))
        # The order of examples depends on the epoch, so move the iteration forward to the start of an epoch.
        begin = -(-self._state.iteration // updates) * updates
        settings = self._settings(iterations=begin + updates, batch_size=size, schedule="constant", patience=None)
        if self._state.settings.optimizer != settings.optimizer:
            raise ValueError(
                f"partial_fit cannot change the optimizer from {self._state.settings.optimizer!r} to "
                f"{settings.optimizer!r}; call fit to start again"
            )
        state = replace(
            self._state,
            settings=settings,
            learning_rates=(settings.learning_rate,),
            iteration=begin,
            parameters=self.parameters_.vector[None],
            costs=np.full((1, begin), np.nan),
            dev_costs=np.empty((1, 0)),
            status=("running",),
            ended=(-1,),
        )
        state = advance(state, inputs, targets, sample_weight=sample_weight)
        return self._finish(state, begin, self.loss_curve_)

    def _finish(self, state: TrainingState, begin: int = 0, earlier: Sequence[float] = ()) -> Self:
        """Set the fitted attributes from a state; `earlier` is the loss curve up to the iteration `begin`."""
        (result,) = results(state)
        self._state = state
        self.architecture_ = state.architecture
        self.parameters_ = result.parameters
        self.status_ = result.status
        self.loss_curve_ = [*earlier, *result.costs[begin:].tolist()]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else float("nan")
        self.validation_curve_ = result.dev_costs.tolist()
        self.n_iter_ = len(self.loss_curve_)
        if result.status == "diverged":
            warnings.warn(
                f"training diverged at iteration {self.n_iter_}; the last finite parameters are kept. Reduce "
                f"learning_rate (now {self.learning_rate}), or set max_gradient_norm",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

    def _settings(self, **chosen: int | str | None) -> TrainingSettings:
        """Return the training settings: the parameters of the same names, overridden by `chosen`."""
        own = {name: getattr(self, name) for name in _SETTINGS}
        return TrainingSettings(**(own | chosen))

    def _architecture(self, X: Array, Y: Array, output: str) -> Architecture:
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object)).tolist()
        return Architecture((X.shape[1], *hidden, Y.shape[1]), self.hidden_activation, output)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _size(self, m: int) -> int:
        size: object = self.batch_size
        if size is None or size == "auto":
            return m if size is None or m <= FULL_BATCH else MINI_BATCH
        if not isinstance(size, numbers.Integral) or int(size) < 1:
            raise ValueError(f'batch_size must be a whole number of at least 1, None or "auto", got {size!r}')
        return min(int(size), m)

    def _measure(self, X: Array, Y: Array, sample_weight: Array | None) -> None:  # noqa: ARG002 - for regression
        """Set the mean and the standard deviation of each feature, for training and prediction."""
        self.mean_, self.scale_ = mean_and_scale(X, sample_weight, self.standardize)

    def _scaled(self, X: Array) -> Array:
        """Return rows X as scaled columns."""
        return np.ascontiguousarray(((X - self.mean_) / self.scale_).T)

    def _scaled_targets(self, Y: Array) -> Array:
        return np.ascontiguousarray(Y.T)

    def _predict(self, X: ArrayLike) -> Array:
        """Return A[L] with examples as rows."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return predict(self.architecture_, self.parameters_, self._scaled(rows)).T


def mean_and_scale(rows: Array, sample_weight: Array | None, standardize: bool) -> tuple[Array, Array]:
    """Return the weighted mean and standard deviation of each column; 0 and 1 for columns that are not scaled."""
    mean, scale = np.zeros(rows.shape[1], rows.dtype), np.ones(rows.shape[1], rows.dtype)
    if standardize:
        mean[...] = np.average(rows, axis=0, weights=sample_weight)
        deviation = np.sqrt(np.average(np.square(rows - mean), axis=0, weights=sample_weight))
        # The deviation of a constant column is only rounding error.
        constant = deviation <= 10 * np.finfo(rows.dtype).eps * np.abs(mean)
        scale[...] = np.where(constant, 1, deviation)
    return mean, scale


def rows_that_count(X: Array, sample_weight: ArrayLike | None) -> tuple[slice | BoolArray, Array | None]:
    """Return an index of the rows with positive weight, and their weights."""
    if sample_weight is None:
        return slice(None), None
    weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight must be above 0 for at least one example, got only zeros")
    return kept, weight[kept]


# The training settings that are parameters of the estimators.
_SETTINGS = tuple(
    {field.name for field in fields(TrainingSettings)} & {field.name for field in fields(DenseNetworkEstimator)}
)
