"""What `DNNClassifier` and `DNNRegressor` share: settings, scaling, training in one piece or by `partial_fit`.

Examples are rows here, as everywhere in scikit-learn, and are turned into columns for the engine.
"""

import numbers
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from engine.architecture import Architecture
from engine.arrays import Array
from engine.parameters import Parameters
from engine.prediction import predict
from engine.settings import TrainingSettings
from engine.state import TrainingState
from engine.training import advance, results, start

FULL_BATCH = 1000  # up to so many examples an epoch is one update; beyond, mini-batches learn faster
MINI_BATCH = 128
LEAST_ITERATIONS = 500
EPOCHS = 30


class DenseNetworkEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """The settings of a dense network and its training; the subclasses say what targets are."""

    architecture_: Architecture
    parameters_: Parameters
    status_: str
    loss_: float
    loss_curve_: list[float]
    validation_curve_: list[float]
    n_iter_: int
    mean_: Array
    scale_: Array
    _state: TrainingState

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (64, 32),
        hidden_activation: str | Sequence[str] = "relu",
        *,
        learning_rate: float = 0.003,
        iterations: int | None = None,
        optimizer: str = "adam",
        batch_size: int | Literal["auto"] | None = "auto",
        schedule: str = "cosine",
        final_fraction: float = 0.01,
        momentum: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        l2: float = 0.01,
        dropout: float = 0.0,
        max_gradient_norm: float | None = None,
        initialization: str = "auto",
        standardize: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        evaluate_every: int = 10,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.hidden_activation = hidden_activation
        self.learning_rate = learning_rate
        self.iterations = iterations
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.schedule = schedule
        self.final_fraction = final_fraction
        self.momentum = momentum
        self.beta2 = beta2
        self.epsilon = epsilon
        self.l2 = l2
        self.dropout = dropout
        self.max_gradient_norm = max_gradient_norm
        self.initialization = initialization
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.evaluate_every = evaluate_every
        self.warm_start = warm_start
        self.random_state = random_state

    def _fit(self, X: Array, Y: Array, output: str, sample_weight: Array | None, stratify: Array | None) -> Self:
        """Train on rows X and Y, in one piece."""
        goes_on = self.warm_start and hasattr(self, "_state")
        if not goes_on:
            self._measure(X, Y, sample_weight)
        architecture = self._architecture(X, Y, output)
        seed = self._seed()
        inputs, targets, dev = self._scaled(X), self._scaled_targets(Y), None
        if self.early_stopping:
            if not 0 < self.validation_fraction < 1:
                raise ValueError(f"validation_fraction must be above 0 and below 1, got {self.validation_fraction}")
            if stratify is not None and np.unique(stratify, return_counts=True)[1].min() < 2:
                stratify = None
            kept, held = train_test_split(
                np.arange(len(X)), test_size=self.validation_fraction, random_state=seed, stratify=stratify
            )
            dev = (inputs[:, held], targets[:, held])
            inputs, targets = inputs[:, kept], targets[:, kept]
            sample_weight = None if sample_weight is None else sample_weight[kept]
        m = inputs.shape[1]
        size = self._size(m)
        iterations = self.iterations
        if iterations is None:
            iterations = max(LEAST_ITERATIONS, EPOCHS * -(-m // size))
        settings = self._settings(iterations, size, self.schedule, self.patience if self.early_stopping else None)
        state = start(
            architecture,
            settings,
            seeds=[seed],
            initialization=self.initialization,
            parameters=[self.parameters_] if goes_on else None,
            dtype=inputs.dtype,
        )
        return self._finish(advance(state, inputs, targets, dev=dev, sample_weight=sample_weight))

    def _partial_fit(self, X: Array, Y: Array, output: str, sample_weight: Array | None) -> Self:
        """Go through rows X and Y once, from where training stands; optimizer vectors are kept."""
        first = not hasattr(self, "_state")
        if first:
            self._measure(X, Y, sample_weight)
        inputs, targets = self._scaled(X), self._scaled_targets(Y)
        size = self._size(len(X))
        updates = -(-len(X) // size)
        if first:
            state = start(
                self._architecture(X, Y, output),
                self._settings(updates, size, "constant", None),
                seeds=[self._seed()],
                initialization=self.initialization,
                dtype=inputs.dtype,
            )
            return self._finish(advance(state, inputs, targets, sample_weight=sample_weight))
        # The order of examples is that of an epoch, so the count of updates is moved on to where one begins.
        begin = -(-self._state.iteration // updates) * updates
        settings = self._settings(begin + updates, size, "constant", None)
        if self._state.settings.optimizer != settings.optimizer:
            raise ValueError(
                f"partial_fit goes on with the optimizer that it began with, {self._state.settings.optimizer!r}, "
                f"got {settings.optimizer!r}; call fit to begin again"
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
        """Take over what training gave; `earlier` is the curve up to the iteration `begin`."""
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
                f"training diverged at iteration {self.n_iter_}; the last finite parameters are kept. Lower "
                f"learning_rate (now {self.learning_rate}), or set max_gradient_norm",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

    def _settings(self, iterations: int, size: int, schedule: str, patience: int | None) -> TrainingSettings:
        return TrainingSettings(
            learning_rate=self.learning_rate,
            iterations=iterations,
            optimizer=self.optimizer,
            batch_size=size,
            schedule=schedule,
            final_fraction=self.final_fraction,
            momentum=self.momentum,
            beta2=self.beta2,
            epsilon=self.epsilon,
            l2=self.l2,
            dropout=self.dropout,
            max_gradient_norm=self.max_gradient_norm,
            patience=patience,
            evaluate_every=self.evaluate_every,
        )

    def _architecture(self, X: Array, Y: Array, output: str) -> Architecture:
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object)).tolist()
        return Architecture((X.shape[1], *hidden, Y.shape[1]), self.hidden_activation, output)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _size(self, m: int) -> int:
        size: Any = self.batch_size
        if size is None or size == "auto":
            return m if size is None or m <= FULL_BATCH else MINI_BATCH
        if not isinstance(size, numbers.Integral) or int(size) < 1:
            raise ValueError(f'batch_size must be a whole number of at least 1, None or "auto", got {size!r}')
        return min(int(size), m)

    def _measure(self, X: Array, Y: Array, sample_weight: Array | None) -> None:  # noqa: ARG002 - for regression
        """Keep the mean and the standard deviation of each feature, by which predictions are scaled too."""
        self.mean_, self.scale_ = mean_and_scale(X, sample_weight, self.standardize)

    def _scaled(self, X: Array) -> Array:
        """Return rows X as columns, scaled."""
        return np.ascontiguousarray(((X - self.mean_) / self.scale_).T)

    def _scaled_targets(self, Y: Array) -> Array:
        return np.ascontiguousarray(Y.T)

    def _predict(self, X: ArrayLike) -> Array:
        """Return A[L] with examples as rows."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return predict(self.architecture_, self.parameters_, self._scaled(rows)).T


def mean_and_scale(rows: Array, sample_weight: Array | None, standardize: bool) -> tuple[Array, Array]:
    """Return the weighted mean and standard deviation of each column; 0 and 1 where nothing is to be scaled."""
    mean, scale = np.zeros(rows.shape[1], rows.dtype), np.ones(rows.shape[1], rows.dtype)
    if standardize:
        mean[...] = np.average(rows, axis=0, weights=sample_weight)
        deviation = np.sqrt(np.average(np.square(rows - mean), axis=0, weights=sample_weight))
        # What is left of a constant column is rounding, not a spread.
        constant = deviation <= 10 * np.finfo(rows.dtype).eps * np.abs(mean)
        scale[...] = np.where(constant, 1, deviation)
    return mean, scale


def rows_that_count(X: Array, sample_weight: ArrayLike | None) -> tuple[Any, Array | None]:
    """Return which rows count, and their weights."""
    if sample_weight is None:
        return slice(None), None
    weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight must be above 0 for some example, got 0 for all")
    return kept, weight[kept]
