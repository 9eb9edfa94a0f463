"""The two passes over many examples, some columns at a time: what a layer writes is read while it is in the cache.

The gradient of J, a sum over examples, is the sum over tiles; so is J. Tiles depend on m alone: a training gives the
same numbers in one piece and in many, alone and in a stack.
"""

import numpy as np

from engine.activations import Array
from engine.architecture import Architecture
from engine.parameters import Layout
from engine.propagation import Propagation, with_row_of_ones

TILE = 1024  # columns; of 64 units in float32 a quarter of a megabyte
TILED_FROM = 2 * TILE  # below, tiles cost more than they save
_SLOTS = 64


class Tiles:
    """One stack of networks over m examples in tiles; stands where a `Propagation` does.

    Args:
        architecture, layout, theta: as of `Propagation`.
        gradient: where the sum is written.
        X: (n_x, m) shared by all replicas, or (R, n_x, m).
    """

    def __init__(self, architecture: Architecture, layout: Layout, theta: Array, gradient: Array, X: Array) -> None:
        self.slots = _SLOTS
        self.gradient, self._part = gradient, np.empty_like(gradient)
        self._costs = np.empty((_SLOTS, *layout.lead))
        self._cuts = cut_tiles(X.shape[-1])
        self._inputs = [with_row_of_ones(X[..., cut]) for cut in self._cuts]
        by_size: dict[int, Propagation] = {}
        for inputs in self._inputs:
            if inputs.shape[-1] not in by_size:
                by_size[inputs.shape[-1]] = Propagation(architecture, layout, theta, self._part, inputs, dropout=False)
        self._propagations = [by_size[inputs.shape[-1]] for inputs in self._inputs]

    def forward_backward(self, slot: int, Y: Array, weight: Array) -> None:
        """Write [dW[l] db[l]] of all layers into the gradient, and keep J as that of `slot`.

        Args:
            slot: in which J is kept.
            Y: (n_y, m) or (R, n_y, m).
            weight: 1/m, or the normalized weight of each example, (1, m) or (R, 1, m).
        """
        self.gradient.fill(0)
        self._costs[slot] = 0
        for cut, inputs, propagation in zip(self._cuts, self._inputs, self._propagations, strict=True):
            Y_tile, weight_tile = Y[..., cut], weight[..., cut] if weight.ndim else weight
            propagation.see(inputs)
            propagation.forward_backward(0, Y_tile, weight_tile)
            np.add(self.gradient, self._part, out=self.gradient)
            self._costs[slot] += propagation.costs(1, Y_tile, weight_tile)[0]

    def costs(self, count: int, _Y: Array, _weight: Array) -> Array:
        """Return J of the first `count` slots, (count, *lead)."""
        return self._costs[:count]


def cut_tiles(m: int) -> list[slice]:
    """Return tiles of about equal size, of two sizes at most: about TILE columns each, or one tile where m is small."""
    size = -(-m // -(-m // TILE)) if m >= TILED_FROM else m
    return [slice(first, min(first + size, m)) for first in range(0, m, size)]
