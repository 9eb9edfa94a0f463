"""The examples of an iteration: all of them, or a mini-batch of an epoch that is shuffled with the seed.

The order of an epoch and the dropout masks of an iteration are functions of (seed, epoch) and (seed, iteration), drawn
from a counter-based generator. They need no state, so training can resume at any iteration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, FloatType, IntArray
from engine.parameters import NetworkStack
from engine.propagation import Propagation, with_row_of_ones
from engine.settings import TrainingSettings
from engine.tiles import Tiles, cut_tiles

_SHUFFLE, _DROPOUT = 1, 2


def generator(seed: int, purpose: int, index: int) -> np.random.Generator:
    """Return the generator of one epoch or iteration: a Philox stream with the seed as key."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, index, purpose]))


@dataclass(frozen=True, eq=False)
class Examples:
    """Training examples, already checked and in the dtype of the parameters.

    Attributes:
        X: (n_x, m), shared by the replicas, or (R, n_x, m).
        Y: (n_y, m) or (R, n_y, m).
        sample_weight: (1, m), (R, 1, m) or None.
    """

    X: Array
    Y: Array
    sample_weight: Array | None = None


class Batches:
    """Inputs, labels and propagation buffers for each iteration of a training run.

    Args:
        stack: the networks.
        settings: their hyperparameters.
        examples: training examples; weights are scaled to a mean of 1.
        seeds: one seed per replica, for shuffling and masks.
    """

    def __init__(
        self, stack: NetworkStack, settings: TrainingSettings, examples: Examples, seeds: Sequence[int]
    ) -> None:
        self._stack, self.settings, self.seeds = stack, settings, seeds
        X, Y, sample_weight = examples.X, examples.Y, examples.sample_weight
        self.m: int = X.shape[-1]
        self.size: int = min(settings.batch_size or self.m, self.m)
        self.full = self.size == self.m
        self.per_epoch: int = -(-self.m // self.size)
        self._dropout = settings.dropout > 0 and stack.architecture.depth > 0
        if sample_weight is not None:
            sample_weight = sample_weight / sample_weight.mean(axis=-1, keepdims=True)
        self.views: dict[int, _Whole | _Gathered] = {}
        self.propagations: dict[int, Propagation | Tiles] = {}
        if self.full:
            weight = _weights(sample_weight, self.m, stack.theta.dtype)
            self.views[self.m] = _Whole(Y, weight)
            if len(cut_tiles(self.m)) > 1 and not self._dropout:
                self.propagations[self.m] = Tiles(stack, X, Y, weight)
            else:
                self.propagations[self.m] = Propagation(stack, with_row_of_ones(X), dropout=self._dropout)
            return
        # Examples are stored as rows, which are contiguous, to gather mini-batches; views turn them into columns again.
        self._rows_X = np.ascontiguousarray(with_row_of_ones(X).swapaxes(-1, -2))
        self._rows_Y = np.ascontiguousarray(Y.swapaxes(-1, -2))
        self._rows_w = None if sample_weight is None else np.ascontiguousarray(sample_weight.swapaxes(-1, -2))
        self._epoch = -1
        self._identity = np.arange(self.m)
        self._order = np.empty((len(seeds), self.m), self._identity.dtype)
        lead = stack.layout.lead
        for size in {self.size, self.m - (self.per_epoch - 1) * self.size}:
            buffer = np.empty((*lead, size, X.shape[-2] + 1), X.dtype)
            propagation = Propagation(stack, buffer.swapaxes(-1, -2), dropout=self._dropout)
            gathered = _Gathered(buffer, propagation.slots, Y.shape[-2], self._rows_w is not None, lead)
            self.propagations[size], self.views[size] = propagation, gathered

    def size_at(self, iteration: int) -> int:
        """Return the number of examples in this iteration."""
        if (iteration + 1) % self.per_epoch:
            return self.size
        return self.m - (self.per_epoch - 1) * self.size

    def run_length(self, iteration: int) -> int:
        """Return how many iterations from this one on have the same number of examples and fit in the cost buffer."""
        size = self.size_at(iteration)
        slots = self.propagations[size].slots
        if self.full or self.m % self.size == 0:
            return slots
        left = self.per_epoch - iteration % self.per_epoch
        return min(slots, left - 1) if left > 1 else 1

    def load(self, iteration: int, slot: int, size: int) -> tuple[Array, Array]:
        """Load the examples and masks of an iteration into the buffers; return its (Y, weight)."""
        propagation = self.propagations[size]
        if self._dropout and isinstance(propagation, Propagation):
            generators = [generator(seed, _DROPOUT, iteration) for seed in self.seeds]
            propagation.draw_masks(generators, keep=1 - self.settings.dropout)
        view = self.views[size]
        if isinstance(view, _Whole):
            return view.Y, view.weight
        epoch, index = divmod(iteration, self.per_epoch)
        if epoch != self._epoch:
            for seed, order in zip(self.seeds, self._order, strict=True):
                order[...] = self._identity
                generator(seed, _SHUFFLE, epoch).shuffle(order)
            self._epoch = epoch
        chosen = self._order[:, index * self.size : index * self.size + size]
        _gather(self._rows_X, chosen, view.X)
        _gather(self._rows_Y, chosen, view.Y[slot])
        if self._rows_w is not None:
            _gather(self._rows_w, chosen, view.w[slot])
            np.divide(view.w[slot], size, out=view.w[slot])
        return view.Y_columns[slot], view.weights[slot]

    def cost_arguments(self, size: int, count: int) -> tuple[Array, Array]:
        """Return (Y, weight) for the costs of the last `count` slots of this size."""
        view = self.views[size]
        if isinstance(view, _Whole):
            return view.Y, view.weight
        return view.Y_columns[:count], view.weights[:count]


class _Whole:
    """Labels and weights of the full batch, which are the same in every iteration."""

    def __init__(self, Y: Array, weight: Array) -> None:
        self.Y, self.weight = Y, weight


class _Gathered:
    """The buffers of a mini-batch: one X, and labels for each slot whose cost is yet to be computed."""

    def __init__(self, X: Array, slots: int, n_y: int, weighted: bool, lead: tuple[int, ...]) -> None:
        size = X.shape[-2]
        self.X = X
        self.Y = np.empty((slots, *lead, size, n_y), X.dtype)
        self.w = np.empty((slots, *lead, size, 1), X.dtype) if weighted else np.empty(0)
        self.Y_columns = self.Y.swapaxes(-1, -2)
        constant = np.full((slots, *lead, 1, 1), 1 / size, X.dtype)
        self.weights = self.w.swapaxes(-1, -2) if weighted else constant


def _weights(sample_weight: Array | None, m: int, dtype: FloatType) -> Array:
    if sample_weight is None:
        return np.array(1 / m, dtype)
    return (sample_weight / m).astype(dtype)


def _gather(rows: Array, chosen: IntArray, out: Array) -> None:
    """Write rows[chosen] into out; a single replica has no leading axis."""
    # With mode="clip", NumPy writes directly into out; the default mode copies through a buffer.
    if out.ndim == 2:
        np.take(rows, chosen[0], axis=0, out=out, mode="clip")
    elif rows.ndim == 2:
        np.take(rows, chosen, axis=0, out=out, mode="clip")
    else:
        for replica_rows, order, target in zip(rows, chosen, out, strict=True):
            np.take(replica_rows, order, axis=0, out=target, mode="clip")
