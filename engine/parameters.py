"""The parameters of a network: one flat vector, of which every W[l] and b[l] is a view.

Layer l has one block of shape (n[l], n[l−1] + 1), W[l] with b[l] as its last column. With a row of ones below A[l−1],
one matrix product gives Z[l] = W[l] A[l−1] + b[l]. An optimizer step is a few operations on the vector, regardless of
the depth. In a stack of replicas, the vector contains the first layers of all replicas, then their second layers, and
so on, so that the first layers together are one matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.architecture import Architecture
from engine.arrays import Array, FloatType
from engine.errors import DataError, ShapeError

Scalar = TypeVar("Scalar", bound=np.generic)


class Layout:
    """The positions of the blocks in the vector of one or several networks of one architecture.

    Args:
        layer_sizes: (n[0], …, n[L]).
        replicas: None for one network, whose blocks have no leading axis; R for blocks of shape (R, n, n_prev + 1).
    """

    def __init__(self, layer_sizes: tuple[int, ...], replicas: int | None = None) -> None:
        self.layer_sizes = layer_sizes
        self.replicas = replicas
        self.lead: tuple[int, ...] = () if replicas is None else (replicas,)
        self.shapes = [(n, n_prev + 1) for n_prev, n in pairwise(layer_sizes)]
        self.size = sum(n * k for n, k in self.shapes) * (replicas or 1)

    def blocks(self, vector: NDArray[Scalar]) -> list[NDArray[Scalar]]:
        """Return the view of each layer's block, shape (*lead, n[l], n[l−1] + 1)."""
        views, start = [], 0
        for n, k in self.shapes:
            stop = start + n * k * (self.replicas or 1)
            views.append(vector[start:stop].reshape(*self.lead, n, k))
            start = stop
        return views

    def rows(self, vector: Array) -> Array:
        """Return a copy with one row per replica, (R, parameters), each in the order of a single network."""
        R = self.replicas or 1
        return np.concatenate([block.reshape(R, -1) for block in self.blocks(vector)], axis=1)

    def vector(self, rows: Array) -> Array:
        """Return the vector of these rows; the inverse of `rows`."""
        vector = np.empty(self.size, rows.dtype)
        start = 0
        for (n, k), block in zip(self.shapes, self.blocks(vector), strict=True):
            block[...] = rows[:, start : start + n * k].reshape(block.shape)
            start += n * k
        return vector


@dataclass(frozen=True, eq=False)
class NetworkStack:
    """Networks of one architecture in training, with their parameters and their gradient as vectors.

    Attributes:
        architecture: architecture of the networks.
        layout: layout of the vectors.
        theta: the parameters.
        gradient: the gradient, into which backpropagation writes [dW[l] db[l]].
    """

    architecture: Architecture
    layout: Layout
    theta: Array
    gradient: Array


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of one network: a flat vector with `W[l − 1]` (n[l], n[l−1]) and `b[l − 1]` (n[l], 1) as views.

    Args:
        layer_sizes: (n[0], …, n[L]).
        vector: float32 or float64, Σ n[l] (n[l−1] + 1) numbers: the rows of [W[l] b[l]] of each layer.
    """

    layer_sizes: tuple[int, ...]
    vector: Array

    def __post_init__(self) -> None:
        expected = Layout(self.layer_sizes).size
        if self.vector.shape != (expected,):
            raise ShapeError(
                f"the parameters for layer sizes {self.layer_sizes} must have shape ({expected},), "
                f"got {self.vector.shape}"
            )

    @classmethod
    def from_arrays(cls, W: Sequence[Array], b: Sequence[Array]) -> "Parameters":
        """Return parameters with copies of the given arrays.

        Args:
            W: one array of shape (n[l], n[l−1]) per layer.
            b: one array of shape (n[l], 1) per layer.

        Raises:
            ShapeError: if a rank or a size does not match; the message names the layer.
            DataError: if an array has NaN or inf.
        """
        W, b = [np.asarray(w) for w in W], [np.asarray(v) for v in b]
        if len(W) != len(b) or not W:
            raise ShapeError(f"W and b must have one array per layer, got {len(W)} arrays in W and {len(b)} in b")
        for layer, (w, v) in enumerate(zip(W, b, strict=True), start=1):
            if w.ndim != 2:
                raise ShapeError(f"W[{layer}] must be a matrix (n[{layer}], n[{layer - 1}]), got shape {w.shape}")
            if layer > 1 and w.shape[1] != W[layer - 2].shape[0]:
                raise ShapeError(
                    f"W[{layer}] must have {W[layer - 2].shape[0]} columns, one per unit of layer "
                    f"{layer - 1}, got shape {w.shape}"
                )
            if v.shape != (w.shape[0], 1):
                raise ShapeError(f"b[{layer}] must have shape ({w.shape[0]}, 1), got {v.shape}")
            if not (np.isfinite(w).all() and np.isfinite(v).all()):
                raise DataError(f"W[{layer}] and b[{layer}] must be finite, got NaN or inf")
        dtype = np.result_type(*W, *b)
        if dtype not in (np.float32, np.float64):
            dtype = np.dtype(np.float64)
        blocks = [np.hstack([w, v]).astype(dtype).ravel() for w, v in zip(W, b, strict=True)]
        return cls((W[0].shape[1], *(w.shape[0] for w in W)), np.concatenate(blocks))

    def __getstate__(self) -> dict[str, object]:
        # Copies and pickles only contain the vector; W and b are views of it, which are recreated on access.
        return {"layer_sizes": self.layer_sizes, "vector": self.vector}

    @cached_property
    def W(self) -> tuple[Array, ...]:
        """Views of the weights: `W[l − 1]` is W[l], shape (n[l], n[l−1])."""
        return tuple(block[:, :-1] for block in Layout(self.layer_sizes).blocks(self.vector))

    @cached_property
    def b(self) -> tuple[Array, ...]:
        """Views of the biases: `b[l − 1]` is b[l], shape (n[l], 1)."""
        return tuple(block[:, -1:] for block in Layout(self.layer_sizes).blocks(self.vector))

    @property
    def dtype(self) -> FloatType:
        """float32 or float64."""
        return self.vector.dtype

    def copy(self) -> "Parameters":
        """Return a copy that shares no memory with these parameters."""
        return Parameters(self.layer_sizes, self.vector.copy())


def check_fit(architecture: Architecture, parameters: Parameters) -> None:
    """Raise ShapeError unless the parameters match this architecture."""
    if parameters.layer_sizes != architecture.layer_sizes:
        raise ShapeError(
            f"the parameters must have the layer sizes of the architecture, {architecture.layer_sizes}, "
            f"got {parameters.layer_sizes}"
        )
