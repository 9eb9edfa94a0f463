"""Forward and backward propagation in buffers that are allocated once; called by `training` in its loop.

Ng, Neural Networks and Deep Learning, week 4, with two changes that keep the formulas and save time: a row of ones
stands under every A[l], so that the bias is part of the matrix product, and 1/m is applied in dZ[L], the smallest of
the matrices. `reference` holds the formulas as the course writes them; tests compare the two.

Arrays end in (rows, m). For a stack of R replicas all of them, the input excepted where the replicas share it, have a
leading axis R; the code is the same.
"""

import functools
import math
from collections.abc import Callable

import numpy as np

from engine.activations import Activation, Array
from engine.architecture import Architecture
from engine.parameters import Layout
from engine.products import Product

# Multiplications of a replica's first layer from which on the replicas share one product; BLAS libraries have faster
# kernels for products smaller than that.
MERGED_FROM = 500_000
COST_BUFFER = 1 << 15  # numbers of Z[L] kept before their costs are computed together


class _Hidden:
    """One hidden layer l: its buffers, and the products of the two passes.

    The products are set by `Propagation`, which knows the neighbours: Z[l] = [W[l] b[l]] [A[l−1]; 1]; and on the way
    back [dW[l+1] db[l+1]] = dZ[l+1] [A[l]; 1]ᵀ and dA[l] = W[l+1]ᵀ dZ[l+1].
    """

    compute_Z: Product
    compute_dW_b_next: Product
    compute_dA: Callable[[], object]

    def __init__(
        self, activation: Activation, shape: tuple[int, ...], memory: Array, *, stacked: bool, dropout: bool
    ) -> None:
        *lead, n, m = shape
        dtype = memory.dtype
        self.activate, self.slope = activation.forward, activation.slope
        with_ones = np.empty((*lead, n + 1, m), dtype)
        with_ones[..., n, :] = 1
        self.A_next = with_ones  # what the next layer multiplies: [A[l]; 1]
        # Where no derivative needs Z, g overwrites Z with A, and one buffer less passes through the cache. The first
        # layer of a stack keeps Z apart, since one product writes it for all replicas in one piece.
        in_place = activation.slope_of == "A" and not stacked and not dropout
        self.A = np.empty(shape, dtype) if dropout else with_ones[..., :n, :]
        self.A_dropped = with_ones[..., :n, :]
        self.Z = self.A if in_place else np.empty(shape, dtype)
        self.Z_flat = _merge(self.Z) if stacked else self.Z
        self.dZ = np.empty(shape, dtype)
        self.slope_argument = self.A if activation.slope_of == "A" else self.Z
        self.D = np.empty(shape, dtype) if dropout else None
        # All layers share one scratch memory.
        self.scratch = memory[: self.dZ.size].reshape(shape)
        masks = memory.view(np.bool_)[: self.dZ.size].reshape(shape)
        self.slope_scratch = masks if activation.slope_is_mask else self.scratch


class Propagation:
    """One stack of networks over m examples: buffers, the forward and the backward pass, and the costs.

    Args:
        architecture: the network.
        layout: where the blocks lie in the vectors.
        theta: the parameters; the blocks are views, so an update is seen here.
        gradient: where `backward` writes [dW[l] db[l]].
        inputs: [X; 1], shape (n_x + 1, m) shared by all replicas, or (R, n_x + 1, m).
        dropout: whether to keep masks.
    """

    def __init__(
        self,
        architecture: Architecture,
        layout: Layout,
        theta: Array,
        gradient: Array,
        inputs: Array,
        dropout: bool,
    ) -> None:
        self.output = architecture.output
        lead, R, m, dtype = layout.lead, layout.replicas, inputs.shape[-1], theta.dtype
        sizes = architecture.layer_sizes
        # The first layer of replicas that share X is one large product, unless it is small.
        self.stacked = R is not None and inputs.ndim == 2 and sizes[1] * inputs.size >= MERGED_FROM
        shapes = [(*lead, n, m) for n in sizes[1:-1]]
        memory = np.empty(max((math.prod(shape) for shape in shapes), default=0), dtype)
        self.hidden = [
            _Hidden(activation, shape, memory, stacked=self.stacked and index == 0, dropout=dropout)
            for index, (activation, shape) in enumerate(zip(architecture.activations, shapes, strict=True))
        ]
        examples = math.prod((*lead, sizes[-1], m))
        self.slots = max(1, min(64, COST_BUFFER // examples))
        self.Z = np.empty((self.slots, *lead, sizes[-1], m), dtype)
        self.A = np.empty((*lead, sizes[-1], m), dtype)
        self.dZ = np.empty((*lead, sizes[-1], m), dtype)
        self.losses = np.empty_like(self.Z)
        self.loss_rows = np.empty((self.slots, *lead, 1, m), dtype)

        blocks, d_blocks = layout.blocks(theta), layout.blocks(gradient)
        layer_inputs = [inputs, *(layer.A_next for layer in self.hidden)]
        dZs = [*(layer.dZ for layer in self.hidden), self.dZ]
        if self.stacked:
            blocks[0], d_blocks[0] = _merge(blocks[0]), _merge(d_blocks[0])
        flat_dZs = [_merge(dZ) if self.stacked and index == 0 else dZ for index, dZ in enumerate(dZs)]
        for index, layer in enumerate(self.hidden):
            W_next_T, dZ_next = blocks[index + 1][..., :-1].swapaxes(-1, -2), dZs[index + 1]
            layer.compute_Z = Product(blocks[index], layer_inputs[index], layer.Z_flat)
            layer.compute_dW_b_next = Product(dZ_next, layer.A_next.swapaxes(-1, -2), d_blocks[index + 1])
            if sizes[index + 2] == 1:  # a column times a row is no sum, and BLAS is slow at it
                layer.compute_dA = functools.partial(np.multiply, W_next_T, dZ_next, out=layer.dZ)
            else:
                layer.compute_dA = Product(W_next_T, dZ_next, layer.dZ)
        self.backwards = self.hidden[::-1]
        self.W_b, self.A_prev = blocks[-1], layer_inputs[-1]
        self.Z_flat = [_merge(Z) if self.stacked and not self.hidden else Z for Z in self.Z]
        self.compute_first_dW_b = Product(flat_dZs[0], inputs.swapaxes(-1, -2), d_blocks[0])

    def see(self, inputs: Array) -> None:
        """Take other examples, as many as before."""
        if self.hidden:
            self.hidden[0].compute_Z.see(inputs)
        else:
            self.A_prev = inputs
        self.compute_first_dW_b.see(inputs.swapaxes(-1, -2))

    def forward_backward(self, slot: int, Y: Array, weight: Array) -> None:
        """Do both passes: Z[L] is kept in `slot` for its cost, the gradient is written."""
        self.forward(slot)
        self.backward(Y, weight)

    def forward(self, slot: int) -> None:
        """Compute A[1], …, A[L]; Z[L] stays in `Z[slot]` until its cost is computed."""
        for layer in self.hidden:
            layer.compute_Z()  # Z[l] = W[l] A[l−1] + b[l]
            layer.activate(layer.Z, layer.A, layer.scratch)  # A[l] = g(Z[l])
            if layer.D is not None:
                np.multiply(layer.A, layer.D, out=layer.A_dropped)
        np.matmul(self.W_b, self.A_prev, out=self.Z_flat[slot])
        self.output.forward(self.Z[slot], self.A, self.loss_rows[slot])

    def backward(self, Y: Array, weight: Array) -> None:
        """Write [dW[l] db[l]] for l = L, …, 1 into the gradient.

        Args:
            Y: (n_y, m) or (R, n_y, m).
            weight: 1/m, or the normalized weight of each example, (1, m) or (R, 1, m).
        """
        self.output.backward(self.A, Y, weight, self.dZ)
        for layer in self.backwards:
            layer.compute_dW_b_next()  # [dW[l+1] db[l+1]] = dZ[l+1] [A[l]; 1]ᵀ
            layer.compute_dA()  # dA[l] = W[l+1]ᵀ dZ[l+1]
            if layer.D is not None:
                np.multiply(layer.dZ, layer.D, out=layer.dZ)
            slope = layer.slope(layer.slope_argument, layer.slope_scratch)
            np.multiply(layer.dZ, slope, out=layer.dZ)  # dZ[l] = dA[l] ∗ g′(Z[l])
        self.compute_first_dW_b()

    def costs(self, count: int, Y: Array, weight: Array) -> Array:
        """Return J for the first `count` slots, (count, *lead); Y and weight may have a leading axis of slots.

        Their Z[L] is used up.
        """
        loss = self.output.losses_into(self.Z[:count], Y, self.losses[:count], self.loss_rows[:count])
        np.multiply(loss, weight, out=loss)
        # Each slot is summed over one contiguous row, so that its cost does not depend on how many there are.
        costs: Array = np.add.reduce(loss.reshape(*loss.shape[:-2], -1), axis=-1)
        return costs


def _merge(stack: Array) -> Array:
    """Return (R, n, k) as one matrix (R · n, k), without a copy."""
    return stack.reshape(-1, stack.shape[-1])


def with_row_of_ones(X: Array) -> Array:
    """Return [X; 1]: a copy of X, (…, n_x, m), with a row of ones below."""
    out = np.empty((*X.shape[:-2], X.shape[-2] + 1, X.shape[-1]), X.dtype)
    out[..., :-1, :] = X
    out[..., -1, :] = 1
    return out
