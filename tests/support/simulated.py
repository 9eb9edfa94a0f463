"""Simulated configurations with known accuracy: a probit model with crossed effects of S networks and m examples."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from engine.activations import Array


def correctness(
    rng: np.random.Generator,
    shares: Sequence[float],
    *,
    seeds: int,
    m: int,
    examples: float = 2.0,
    seed: float = 0.1,
    shared: float = 0.8,
) -> Array:
    """Return 0 or 1 for k configurations, (k, S, m), each of which is correct on its share of examples in the long run.

    examples, seed: standard deviations of the effects of examples and seeds, relative to a residual of 1; shared:
    correlation of the effects of examples between configurations.
    """
    whole = np.sqrt(examples**2 + seed**2 + 1)
    common = rng.standard_normal(m)
    tables = []
    for share in shares:
        own = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal(m)
        of_seed = seed * rng.standard_normal((seeds, 1))
        Z = norm.ppf(share) * whole + examples * own + of_seed + rng.standard_normal((seeds, m))
        tables.append(Z > 0)
    return np.array(tables, dtype=np.float64)
