"""Array types of the engine, and the two floating-point types that it computes in."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]  # float32 or float64
IntArray = NDArray[np.integer]
BoolArray = NDArray[np.bool_]
ByteArray = NDArray[np.uint8]
FloatType = np.dtype[np.floating]

FLOAT_TYPES: tuple[FloatType, ...] = (np.dtype(np.float32), np.dtype(np.float64))

# 0 and 1 in each dtype. With small arrays, NumPy is a third faster with these than with Python numbers.
ZERO: dict[FloatType, Array] = {dtype: np.zeros((), dtype) for dtype in FLOAT_TYPES}
ONE: dict[FloatType, Array] = {dtype: np.ones((), dtype) for dtype in FLOAT_TYPES}


def float_type_of(X: ArrayLike) -> FloatType:
    """Return float32 if X is a float32 array, else float64."""
    single, double = FLOAT_TYPES
    return single if getattr(X, "dtype", None) == single else double
