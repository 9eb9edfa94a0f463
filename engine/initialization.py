"""Initial parameters: zeros, small Gaussian, Xavier and He.

Sources: Ng, Neural Networks and Deep Learning, week 3 (zeros, Gaussian × 0.01); Glorot and Bengio, 2010
(Xavier, equation 12 as a Gaussian: variance 2 / (n[l−1] + n[l])); He, Zhang, Ren and Sun, 2015 (2 / n[l−1]).
"""

import math

import numpy as np
from numpy.typing import DTypeLike

from engine.architecture import Architecture
from engine.arrays import FLOAT_TYPES, Array
from engine.parameters import Layout, Parameters

SCHEMES = ("auto", "zeros", "gaussian", "xavier", "he")


def initialize(
    architecture: Architecture,
    seed: int | np.random.SeedSequence | np.random.Generator,
    scheme: str = "he",
    scale: float = 0.01,
    dtype: DTypeLike = np.float64,
) -> Parameters:
    """Return initial parameters, whose biases are 0.

    Args:
        architecture: the network.
        seed: a seed or a Generator; equal seeds give equal parameters, which are rounded from float64 in float32.
        scheme: "he", "xavier", "gaussian" (with the standard deviation `scale`), "zeros" (then all units of a layer
            stay equal throughout training), or "auto" (suited to the activation of each layer).
        scale: standard deviation of "gaussian".
        dtype: float32 or float64.

    Raises:
        ValueError: if the scheme is unknown, the scale is not above 0, or the dtype is not float32 or float64.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be above 0, got {scale}")
    kind = np.dtype(dtype)
    if kind not in FLOAT_TYPES:
        raise ValueError(f"dtype must be float32 or float64, got {kind}")
    generator = np.random.default_rng(seed)
    vector: Array = np.zeros(Layout(architecture.layer_sizes).size, kind)
    parameters = Parameters(architecture.layer_sizes, vector)
    starts = [activation.start for activation in architecture.activations] + ["xavier"]
    for W, start in zip(parameters.W, starts, strict=True):
        n, n_prev = W.shape
        deviation = {
            "zeros": 0.0,
            "gaussian": scale,
            "xavier": math.sqrt(2 / (n_prev + n)),
            "he": math.sqrt(2 / n_prev),
        }[start if scheme == "auto" else scheme]
        W[...] = generator.standard_normal((n, n_prev)) * deviation
    return parameters
