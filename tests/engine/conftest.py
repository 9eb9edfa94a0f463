"""Small problems that the engine's tests share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from engine import Architecture

threadpool_limits(1)  # small matrices gain nothing from threads, and tests may run side by side

Problem = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="session")
def problem() -> Problem:
    """problem(architecture, m, seed, dtype) → (X, Y) that the output of the architecture can use."""

    def make(architecture: Architecture, m: int = 40, seed: int = 0, dtype: Any = np.float64):
        rng = np.random.default_rng([seed, 77])
        X = rng.standard_normal((architecture.n_x, m))
        targets = architecture.output.targets
        if targets == "binary":
            Y = (X[:1] + 0.5 * rng.standard_normal((architecture.n_y, m)) > 0).astype(float)
        elif targets == "one_hot":
            Y = np.eye(architecture.n_y)[rng.integers(0, architecture.n_y, m)].T
        else:
            Y = rng.standard_normal((architecture.n_y, m)) + X[:1]
            Y = np.abs(Y) if targets == "non_negative" else Y
        return X.astype(dtype), np.ascontiguousarray(Y, dtype=dtype)

    return make
