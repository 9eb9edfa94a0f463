"""Forward and backward passes over many examples in tiles of columns, so that the output of a layer stays in the cache.

J and its gradient are sums over examples, and therefore sums over tiles. Tiles depend only on m, so training gives the
same numbers with or without interruptions, separately or in a stack.
"""

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.parameters import NetworkStack
from engine.propagation import MOST_SLOTS, Propagation, with_row_of_ones

TILE = 1024  # columns; a quarter of a megabyte for 64 units in float32
TILED_FROM = 2 * TILE  # with fewer columns, tiles cost more than they save


@dataclass(frozen=True, eq=False)
class _Strip:
    """Tiles of the same size whose costs are computed together, at most as many as their propagation has slots.

    Y and weight have a leading axis of tiles.
    """

    propagation: Propagation
    inputs: list[Array]
    Y: Array
    weight: Array


class Tiles:
    """A replacement for `Propagation` that processes m examples in tiles, with its own Y and weight.

    Args:
        stack: the networks; the sum over tiles is written into its gradient.
        X: (n_x, m), shared by all replicas, or (R, n_x, m).
        Y: (n_y, m) or (R, n_y, m).
        weight: 1/m, or the normalized weight of each example, (1, m) or (R, 1, m).
    """

    def __init__(self, stack: NetworkStack, X: Array, Y: Array, weight: Array) -> None:
        self.slots = MOST_SLOTS
        self.gradient, self._part = stack.gradient, np.empty_like(stack.gradient)
        lead = stack.layout.lead
        self._costs = np.empty((MOST_SLOTS, *lead))
        self._strips: list[_Strip] = []
        if lead:  # shared arrays get an axis of length 1 for the replicas, after that of the tiles
            Y, weight = (given[None] if given.ndim == 2 else given for given in (Y, weight))
        by_size: dict[int, list[slice]] = {}
        for cut in cut_tiles(X.shape[-1]):
            by_size.setdefault(cut.stop - cut.start, []).append(cut)
        for same in by_size.values():
            inputs = [with_row_of_ones(X[..., cut]) for cut in same]
            propagation = Propagation(replace(stack, gradient=self._part), inputs[0], dropout=False)
            labels = np.stack([Y[..., cut] for cut in same])
            if weight.ndim:
                weights = np.stack([weight[..., cut] for cut in same])
            else:
                weights = np.full((len(same), *(1 for _ in lead), 1, 1), weight)
            for first in range(0, len(same), propagation.slots):
                part = slice(first, first + propagation.slots)
                self._strips.append(_Strip(propagation, inputs[part], labels[part], weights[part]))

    def forward_backward(self, slot: int, _Y: Array, _weight: Array) -> None:
        """Write [dW[l] db[l]] of all layers into the gradient, and keep J in `slot`."""
        self.gradient.fill(0)
        self._costs[slot] = 0
        for strip in self._strips:
            propagation = strip.propagation
            for place, inputs in enumerate(strip.inputs):
                propagation.see(inputs)
                propagation.forward_backward(place, strip.Y[place], strip.weight[place])
                np.add(self.gradient, self._part, out=self.gradient)
            for cost in propagation.costs(len(strip.inputs), strip.Y, strip.weight):
                self._costs[slot] += cost

    def costs(self, count: int, _Y: Array, _weight: Array) -> Array:
        """Return J of the first `count` slots, (count, *lead)."""
        return self._costs[:count]


def cut_tiles(m: int) -> list[slice]:
    """Return tiles of about TILE columns in at most two sizes, or a single tile if m is small."""
    size = -(-m // -(-m // TILE)) if m >= TILED_FROM else m
    return [slice(first, min(first + size, m)) for first in range(0, m, size)]
