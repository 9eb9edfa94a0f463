"""`DNNClassifier` and `DNNRegressor`: the engine as scikit-learn estimators, for pipelines and searches.

Examples are rows here, as everywhere in scikit-learn. This file and its base are the only ones of the engine that
import scikit-learn, so the two are imported by name: `from engine.estimators import DNNClassifier`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from engine.arrays import Array
from engine.estimator_base import DenseNetworkEstimator, mean_and_scale, rows_that_count


class DNNClassifier(ClassifierMixin, DenseNetworkEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A dense network for classification: sigmoid for two classes, softmax for more, cross-entropy.

    The defaults did well, without any tuning, on small tables (wine, iris, breast cancer, digits, moons, and synthetic
    ones of up to 4,000 rows, by cross-validation): two hidden layers of 64 and 32 relu, features brought to mean 0
    and variance 1, Adam at 0.003 along a cosine, an L2 of 0.01. The last matters most on a few hundred rows, which such
    a network would otherwise learn by heart; on many thousand rows 0.001 is better.

    Args:
        hidden_layer_sizes: units of each hidden layer; () is logistic regression.
        hidden_activation: "relu", "leaky_relu", "tanh", "sigmoid", "elu", "gelu", "silu" or "identity", for all hidden
            layers, or one for each.
        learning_rate: above 0; the schedule takes it from here.
        iterations: updates of the parameters; None is 30 times through the data, and at least 500.
        optimizer: "adam", "adamw", "rmsprop", "nesterov", "momentum" or "gradient_descent".
        batch_size: examples in a mini-batch; None is all; "auto" is all up to 1,000 examples, beyond that 128.
        schedule: "cosine", "constant", "inverse_time" or "step".
        final_fraction: learning rate at the end over that at the start.
        momentum: of momentum and Nesterov; the first decay of Adam.
        beta2: decay of the mean square, of RMSProp and Adam.
        epsilon: added to its root.
        l2: λ of the penalty (λ/2) Σ ‖W[l]‖² on the mean loss.
        dropout: share of hidden units left out in each iteration.
        max_gradient_norm: longest gradient allowed; None is no limit.
        initialization: "auto" (what suits the activation), "he", "xavier", "gaussian" or "zeros".
        standardize: whether features are brought to mean 0 and variance 1, as measured in `fit` or in the first
            `partial_fit`.
        class_weight: None, a weight for each label, or "balanced": every class counts the same in each call.
        early_stopping: whether to hold out validation_fraction of the rows, to stop after `patience` evaluations
            without a lower cost on them (one evaluation every `evaluate_every` iterations), and to keep the best
            parameters.
        validation_fraction: see early_stopping.
        patience: see early_stopping.
        evaluate_every: see early_stopping.
        warm_start: whether `fit` goes on from the parameters that it has.
        random_state: of the start, the held-out rows, the shuffles and the dropout.

    Attributes:
        classes_: labels, sorted.
        architecture_, parameters_: the network, as the engine has them.
        loss_curve_: cost before each update; loss_ is the last.
        validation_curve_: cost on the held-out rows.
        n_iter_: updates done.
        status_: "complete", "stopped" or "diverged"; that last with a ConvergenceWarning that says what to change.
        mean_, scale_: of the features.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    classes_: Array

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
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        evaluate_every: int = 10,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            hidden_activation,
            learning_rate=learning_rate,
            iterations=iterations,
            optimizer=optimizer,
            batch_size=batch_size,
            schedule=schedule,
            final_fraction=final_fraction,
            momentum=momentum,
            beta2=beta2,
            epsilon=epsilon,
            l2=l2,
            dropout=dropout,
            max_gradient_norm=max_gradient_norm,
            initialization=initialization,
            standardize=standardize,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            evaluate_every=evaluate_every,
            warm_start=warm_start,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows X, (m, n_x), and labels y, (m,).

        Args:
            X: features, one example a row.
            y: labels of any type, at least two different ones.
            sample_weight: (m,), at least 0; an example of weight 0 is as good as absent.

        Raises:
            ValueError: X, y, weights or a parameter that cannot be used; the message says which.
        """
        rows, labels = self._checked(X, y, reset=True)
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"a classifier needs at least 2 classes, got 1 class: {classes[0]!r}")
        if self.warm_start and hasattr(self, "classes_") and not np.array_equal(classes, self.classes_):
            raise ValueError(f"warm_start goes on with the classes {self.classes_}, got {classes}")
        self.classes_ = classes
        rows, labels, weight = self._weighted(rows, labels, sample_weight)
        return self._fit(rows, self._one_hot(labels, rows.dtype), self._output(), weight, labels)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Go through the rows once more, from where training stands, at a constant learning rate.

        Args:
            X: (m, n_x).
            y: (m,).
            classes: all labels there will be; needed in the first call unless `fit` came before.
            sample_weight: (m,).

        Raises:
            ValueError: no classes in the first call, others in a later one, a label that is not among them.
        """
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit")
        rows, labels = self._checked(X, y, reset=first)
        given = self.classes_ if classes is None else np.unique(np.asarray(classes))
        if not first and not np.array_equal(given, self.classes_):
            raise ValueError(f"classes must be those of the first call, {self.classes_}, got {given}")
        if len(given) < 2:
            raise ValueError(f"a classifier needs at least 2 classes, got 1 class: {given[0]!r}")
        unknown = np.setdiff1d(labels, given)
        if unknown.size:
            raise ValueError(f"y has labels that are not among the classes {given}: {unknown}")
        self.classes_ = given
        rows, labels, weight = self._weighted(rows, labels, sample_weight)
        return self._partial_fit(rows, self._one_hot(labels, rows.dtype), self._output(), weight)

    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable label of each row, (m,)."""
        A = self._predict(X)
        chosen = (A[:, 0] > 0.5).astype(np.intp) if A.shape[1] == 1 else A.argmax(axis=1)
        labels: Array = self.classes_[chosen]
        return labels

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of each class, (m, classes), in the order of `classes_`."""
        A = self._predict(X)
        return np.hstack([1 - A, A]) if A.shape[1] == 1 else A

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithm of `predict_proba`; minus infinity where that rounds to 0."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def _checked(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[Array, Array]:
        rows, labels = validate_data(self, X, y, dtype=(np.float64, np.float32), reset=reset)
        labels = column_or_1d(labels, warn=True)
        check_classification_targets(labels)
        return rows, labels

    def _output(self) -> str:
        return "sigmoid" if len(self.classes_) == 2 else "softmax"

    def _one_hot(self, y: Array, dtype: Any) -> Array:
        """Return rows of one 1 each, or a column of 0 and 1 for two classes."""
        places = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:
            return places.astype(dtype).reshape(-1, 1)
        rows: Array = np.eye(len(self.classes_), dtype=dtype)[places]
        return rows

    def _weighted(self, X: Array, y: Array, sample_weight: ArrayLike | None) -> tuple[Array, Array, Array | None]:
        """Return the rows that count, and their weights with those of their classes."""
        kept, weight = rows_that_count(X, sample_weight)
        X, y = X[kept], y[kept]
        if self.class_weight is None:
            return X, y, weight
        weight = np.ones(len(y)) if weight is None else weight
        if self.class_weight == "balanced":
            places = np.searchsorted(self.classes_, y)
            mass = np.bincount(places, weight)
            return X, y, weight * (weight.sum() / (np.count_nonzero(mass) * mass[places]))
        return X, y, weight * compute_sample_weight(self.class_weight, y)


class DNNRegressor(RegressorMixin, DenseNetworkEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A dense network for regression, of one target or several: identity output, squared error.

    Parameters, attributes and defaults are those of `DNNClassifier` but for class_weight and classes_. With standardize
    the targets are brought to mean 0 and variance 1 too, and costs are in that unit.
    """

    target_mean_: Array
    target_scale_: Array
    _flat: bool

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows X, (m, n_x), and targets y, (m,) or (m, n_y).

        Args:
            X: features, one example a row.
            y: one number an example, or a row of them.
            sample_weight: (m,), at least 0; an example of weight 0 is as good as absent.

        Raises:
            ValueError: X, y, weights or a parameter that cannot be used; the message says which.
        """
        X, Y, weight = self._checked(X, y, sample_weight, reset=True)
        return self._fit(X, Y, "identity", weight, None)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Go through the rows once more, from where training stands, at a constant learning rate.

        Features and targets are scaled as in the first call.
        """
        X, Y, weight = self._checked(X, y, sample_weight, reset=not hasattr(self, "_state"))
        return self._partial_fit(X, Y, "identity", weight)

    def predict(self, X: ArrayLike) -> Array:
        """Return the predictions, float64, in the shape of the targets: (m,) or (m, n_y)."""
        A = self._predict(X)
        values: Array = A * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[Array, Array, Array | None]:
        rows, targets = validate_data(
            self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True, reset=reset
        )
        self._flat = targets.ndim == 1
        kept, weight = rows_that_count(rows, sample_weight)
        # Targets stay in float64 until they are centered: float32 tells no two numbers near 1e8 apart that differ by 4.
        return rows[kept], targets.reshape(len(targets), -1)[kept].astype(np.float64), weight

    def _measure(self, X: Array, Y: Array, sample_weight: Array | None) -> None:
        super()._measure(X, Y, sample_weight)
        self.target_mean_, self.target_scale_ = mean_and_scale(Y, sample_weight, self.standardize)

    def _scaled_targets(self, Y: Array) -> Array:
        scaled = (Y - self.target_mean_) / self.target_scale_
        return np.ascontiguousarray(scaled.T, dtype=self.mean_.dtype)
