"""Validation of the arrays that are passed to the engine: first their shapes, then their values."""

import numpy as np
from numpy.typing import ArrayLike

from engine.architecture import Architecture
from engine.arrays import Array
from engine.errors import DataError, ShapeError


def check_X(X: ArrayLike, n_x: int | None = None, name: str = "X", *, stack: bool = False) -> Array:
    """Return X as float32 or float64 with shape (n_x, m), whose columns are examples.

    Args:
        X: the features. float32 stays float32; every other numeric type becomes float64.
        n_x: expected number of rows; None allows any number.
        name: name of the array in messages.
        stack: also allow (R, n_x, m).

    Raises:
        ShapeError: if X has rank 1, examples as rows, or another number of features.
        DataError: if X has no examples, or values that are not finite numbers.
    """
    array = _numeric(X, name)
    _check_rank(array, name, "(n_x, m)", stack)
    rows, m = array.shape[-2:]
    if array.size == 0:
        raise DataError(f"{name} must contain at least one feature and one example, got shape {array.shape}")
    if n_x is not None and rows != n_x:
        hint = f"; examples are columns here, so pass {name}.T" if m == n_x else ""
        raise ShapeError(f"{name} must have shape ({n_x}, m), one row per feature, got {array.shape}{hint}")
    _check_finite(array, name)
    return array


def check_XY(
    architecture: Architecture, X: ArrayLike, Y: ArrayLike, suffix: str = "", *, stack: bool = False
) -> tuple[Array, Array]:
    """Return (X, Y) in the dtype of X, checked against the architecture and against each other.

    Raises:
        ShapeError: if a rank, a size or the number of examples does not match.
        DataError: if there are no examples, values that are not finite, or labels that the cost does not allow.
    """
    X_name, Y_name = f"X{suffix}", f"Y{suffix}"
    X = check_X(X, architecture.n_x, X_name, stack=stack)
    Y = _numeric(Y, Y_name)
    _check_rank(Y, Y_name, "(n_y, m)", stack)
    m, n_y = X.shape[-1], architecture.n_y
    if Y.shape[-2:] != (n_y, m):
        hint = f"; examples are columns here, so pass {Y_name}.T" if Y.shape[-2:] == (m, n_y) != (n_y, m) else ""
        raise ShapeError(
            f"{Y_name} must have shape ({n_y}, {m}): {n_y} output{'s' * (n_y > 1)} and "
            f"{m} examples as in {X_name}, got {Y.shape}{hint}"
        )
    if Y.ndim == 3 and (X.ndim != 3 or len(X) != len(Y)):
        raise ShapeError(f"{X_name} and {Y_name} must have the same number of replicas, got {X.shape} and {Y.shape}")
    _check_finite(Y, Y_name)
    _check_labels(Y, Y_name, architecture.output.targets)
    return X, np.ascontiguousarray(Y, dtype=X.dtype)


def check_sample_weight(sample_weight: ArrayLike | None, m: int, replicas: int = 1) -> Array | None:
    """Return the example weights as (1, m), or unchanged if there is one row per replica; None stays None.

    Raises:
        ShapeError: if the shape is not (m,), (1, m) or (R, 1, m).
        DataError: if a weight is negative or not finite, or all weights are 0.
    """
    if sample_weight is None:
        return None
    weight = _numeric(sample_weight, "sample_weight")
    if weight.shape not in ((m,), (1, m), (replicas, 1, m)):
        raise ShapeError(f"sample_weight must have shape (1, {m}), one weight per example, got {weight.shape}")
    _check_finite(weight, "sample_weight")
    if weight.min() < 0 or not weight.any(axis=-1).all():
        raise DataError(f"sample_weight must be at least 0 and not all 0, got a minimum of {weight.min():g}")
    return weight if replicas > 1 and weight.ndim == 3 else weight.reshape(1, m)


def balanced_weights(Y: Array, sample_weight: Array | None = None) -> Array:
    """Return weights (1, m) that give every class the same total: m / (classes · examples of the class).

    With sample weights, a class counts with the sum of its weights, and each result is multiplied by the example's own
    weight.

    Args:
        Y: (1, m) of 0 and 1, or (K, m) one-hot. Classes without an example, or with weight 0, are ignored.
        sample_weight: (1, m), at least 0, or None.
    """
    labels = Y[0].astype(int) if Y.shape[0] == 1 else Y.argmax(axis=0)
    own = np.ones(Y.shape[1]) if sample_weight is None else sample_weight[0].astype(np.float64)
    mass = np.bincount(labels, own)
    factors = np.divide(own.sum(), np.count_nonzero(mass) * mass, out=np.zeros_like(mass), where=mass > 0)
    weights: Array = (own * factors[labels]).reshape(1, -1)
    return weights


def _numeric(values: ArrayLike, name: str) -> Array:
    array: Array = np.asarray(values)
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise DataError(f"{name} must be an array of numbers, got dtype {array.dtype}")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def _check_rank(array: Array, name: str, shape: str, stack: bool) -> None:
    if array.ndim == 2 or (stack and array.ndim == 3):
        return
    hint = f"; use {name}.reshape(1, -1) for one row" if array.ndim == 1 else ""
    raise ShapeError(f"{name} must be a matrix {shape} whose columns are examples, got shape {array.shape}{hint}")


def _check_finite(array: Array, name: str) -> None:
    # A finite sum proves that all numbers are finite. Since a sum of finite numbers can overflow, check each one
    # otherwise.
    with np.errstate(all="ignore"):
        total = np.asarray(array.sum())
    if np.isfinite(total) or np.isfinite(array).all():
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise DataError(f"{name} must be finite, got {array[place]} at {place}")


def _check_labels(Y: Array, name: str, targets: str) -> None:
    if targets in ("binary", "one_hot"):
        wrong = (Y != 0) & (Y != 1)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(f"{name} must contain only the labels 0 and 1, got {Y[place]:g} at {place}")
    if targets == "one_hot" and (Y.sum(axis=-2) != 1).any():
        column = int(np.argwhere(Y.sum(axis=-2) != 1)[0][-1])
        raise DataError(f"each column of {name} must be one-hot, got {Y[..., column]} in column {column}")
    if targets == "non_negative" and Y.min() < 0:
        raise DataError(f"{name} must be at least 0 for a relu output, got {Y.min():g}")
