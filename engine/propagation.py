"""Forward and backward propagation in buffers that are allocated once.

Source: Ng, Neural Networks and Deep Learning, week 4, with two changes that save time without changing the formulas.
There is a row of ones below every A[l], so that the bias is part of the matrix product, and 1/m is applied in dZ[L],
the smallest matrix. `engine/reference.py` has the formulas as in the course.

Arrays end in (rows, m). In a stack of R replicas, all of them have a leading axis R, except inputs that the replicas
share; the code is the same.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.activations import Activation
from engine.arrays import Array, BoolArray
from engine.parameters import NetworkStack
from engine.products import Product

# Minimum number of multiplications in the first layer of one replica for which all replicas share one product. For
# smaller products, BLAS libraries have faster kernels.
MERGED_FROM = 500_000
COST_BUFFER = 1 << 15  # maximum number of elements of Z[L] that are kept before their costs are computed together
MOST_SLOTS = 64


def slots_for(examples: int) -> int:
    """Return for how many iterations Z[L] is kept before costs are computed together."""
    return max(1, min(MOST_SLOTS, COST_BUFFER // examples))


@dataclass(frozen=True, eq=False, slots=True)
class HiddenLayer:
    """The workspace of one hidden layer l: its arrays, and its operations as functions without arguments.

    Attributes:
        compute_Z: Z[l] = [W[l] b[l]] [A[l−1]; 1].
        compute_A: A[l] = g(Z[l]).
        A: A[l] before dropout.
        D: dropout mask, 0 or 1 / (1 − dropout) per unit and example; None without dropout.
        A_dropped: A[l] ∗ D, the input of the next layer; it shares memory with A if there is no dropout.
        dZ: first dA[l], then dZ[l].
        compute_dW_b_next: [dW[l+1] db[l+1]] = dZ[l+1] [A[l]; 1]ᵀ.
        compute_dA: dA[l] = W[l+1]ᵀ dZ[l+1], written into dZ.
        compute_derivative: returns g′(Z[l]); it may overwrite Z[l] and A[l].
    """

    compute_Z: Product
    compute_A: Callable[[], None]
    A: Array
    D: Array | None
    A_dropped: Array
    dZ: Array
    compute_dW_b_next: Product
    compute_dA: Callable[[], object]
    compute_derivative: Callable[[], Array | BoolArray]


class Propagation:
    """Forward pass, backward pass and costs of a stack of networks over m examples, with all buffers.

    Args:
        stack: the networks. Blocks are views of its vectors, so that updates of theta are visible here.
        inputs: [X; 1], with shape (n_x + 1, m) shared by all replicas, or (R, n_x + 1, m).
        dropout: allocate masks for dropout.
    """

    def __init__(self, stack: NetworkStack, inputs: Array, *, dropout: bool) -> None:
        self.output = stack.architecture.output
        lead, dtype, m = stack.layout.lead, stack.theta.dtype, inputs.shape[-1]
        last = (*lead, stack.architecture.n_y, m)
        self.slots = slots_for(math.prod(last))
        self.Z = np.empty((self.slots, *last), dtype)
        self.A, self.dZ = np.empty(last, dtype), np.empty(last, dtype)
        self.losses = np.empty_like(self.Z)
        self.loss_rows = np.empty((self.slots, *lead, 1, m), dtype)

        merged = _merges_first_layer(stack, inputs)
        W_b, dW_b = stack.layout.blocks(stack.theta), stack.layout.blocks(stack.gradient)
        arrays = _allocate_hidden(stack, m, merged=merged, dropout=dropout)
        layer_inputs = [inputs, *(hidden.A_with_ones for hidden in arrays)]
        dZs = [*(hidden.dZ for hidden in arrays), self.dZ]
        if merged:
            W_b[0], dW_b[0] = _merge(W_b[0]), _merge(dW_b[0])
        self.hidden = [
            HiddenLayer(
                compute_Z=Product(W_b[index], layer_inputs[index], _merge(own.Z) if merged and index == 0 else own.Z),
                compute_A=functools.partial(own.activation.forward, own.Z, own.A, own.scratch),
                A=own.A,
                D=own.D,
                A_dropped=own.A_dropped,
                dZ=own.dZ,
                compute_dW_b_next=Product(dZs[index + 1], _transpose(own.A_with_ones), dW_b[index + 1]),
                compute_dA=_product_with_transpose(W_b[index + 1][..., :-1], dZs[index + 1], own.dZ),
                compute_derivative=own.bind_derivative(),
            )
            for index, own in enumerate(arrays)
        ]
        self.backwards = self.hidden[::-1]
        self.W_b, self.A_prev = W_b[-1], layer_inputs[-1]
        self.Z_flat = [_merge(Z) if merged and not self.hidden else Z for Z in self.Z]
        self.compute_first_dW_b = Product(_merge(dZs[0]) if merged else dZs[0], _transpose(inputs), dW_b[0])

    def see(self, inputs: Array) -> None:
        """Use other inputs, of the same shape and memory layout."""
        if self.hidden:
            self.hidden[0].compute_Z.see(inputs)
        else:
            self.A_prev = inputs
        self.compute_first_dW_b.see(_transpose(inputs))

    def draw_masks(self, generators: Sequence[np.random.Generator], keep: float) -> None:
        """Draw the dropout masks of one iteration.

        Args:
            generators: one generator per replica.
            keep: probability that a unit is kept.
        """
        for layer in self.hidden:
            if layer.D is None:
                continue
            for generator, D in zip(generators, layer.D if layer.D.ndim == 3 else [layer.D], strict=True):
                generator.random(out=D, dtype=D.dtype)
                np.less(D, keep, out=D)
                np.divide(D, keep, out=D)  # inverted dropout: Srivastava et al., 2014

    def forward_backward(self, slot: int, Y: Array, weight: Array) -> None:
        """Run both passes, which keep Z[L] in `slot` for its cost and write the gradient."""
        self.forward(slot)
        self.backward(Y, weight)

    def forward(self, slot: int) -> None:
        """Compute A[1], …, A[L]; Z[L] stays in `Z[slot]` until its cost is computed."""
        for layer in self.hidden:
            layer.compute_Z()  # Z[l] = W[l] A[l−1] + b[l]
            layer.compute_A()  # A[l] = g(Z[l])
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
            np.multiply(layer.dZ, layer.compute_derivative(), out=layer.dZ)  # dZ[l] = dA[l] ∗ g′(Z[l])
        self.compute_first_dW_b()

    def costs(self, count: int, Y: Array, weight: Array) -> Array:
        """Return J of the first `count` slots, (count, *lead); Y and weight may have a leading axis of slots.

        This overwrites their Z[L].
        """
        loss = self.output.losses_into(self.Z[:count], Y, self.losses[:count], self.loss_rows[:count])
        np.multiply(loss, weight, out=loss)
        # Sum each slot over one contiguous row, so that its cost does not depend on the number of slots.
        costs: Array = np.add.reduce(loss.reshape(*loss.shape[:-2], -1), axis=-1)
        return costs


@dataclass(frozen=True, eq=False, slots=True)
class _HiddenArrays:
    """The arrays of one hidden layer, before they are bound to those of its adjacent layers."""

    activation: Activation
    A_with_ones: Array
    A: Array
    A_dropped: Array
    Z: Array
    dZ: Array
    D: Array | None
    scratch: Array

    def bind_derivative(self) -> Callable[[], Array | BoolArray]:
        """Return the function that computes g′ in the scratch memory, which is boolean for a mask."""
        argument = self.A if self.activation.derivative_of == "A" else self.Z
        derivative: Callable[..., Array | BoolArray] = self.activation.derivative
        if not self.activation.derivative_is_mask:
            return functools.partial(derivative, argument, self.scratch)
        masks = self.scratch.reshape(-1).view(np.bool_)[: self.scratch.size].reshape(self.scratch.shape)
        return functools.partial(derivative, argument, masks)


def _allocate_hidden(stack: NetworkStack, m: int, *, merged: bool, dropout: bool) -> list[_HiddenArrays]:
    """Return the arrays of all hidden layers, which share one scratch memory."""
    architecture, dtype = stack.architecture, stack.theta.dtype
    shapes = [(*stack.layout.lead, n, m) for n in architecture.layer_sizes[1:-1]]
    memory = np.empty(max((math.prod(shape) for shape in shapes), default=0), dtype)
    hidden = []
    for index, (activation, shape) in enumerate(zip(architecture.activations, shapes, strict=True)):
        *lead, n, _ = shape
        size = math.prod(shape)
        A_with_ones = np.empty((*lead, n + 1, m), dtype)
        A_with_ones[..., n, :] = 1
        A_dropped = A_with_ones[..., :n, :]
        A = np.empty(shape, dtype) if dropout else A_dropped
        # If the derivative does not need Z, g overwrites Z with A, which saves one buffer in the cache. A merged first
        # layer has a separate Z, since one product writes it for all replicas.
        in_place = activation.derivative_of == "A" and not (merged and index == 0) and not dropout
        Z = A if in_place else np.empty(shape, dtype)
        dZ = np.empty(shape, dtype)
        D = np.empty(shape, dtype) if dropout else None
        scratch = memory[:size].reshape(shape)
        hidden.append(_HiddenArrays(activation, A_with_ones, A, A_dropped, Z, dZ, D, scratch))
    return hidden


def shares_first_product(layer_sizes: Sequence[int], columns: int) -> bool:
    """Return True if the first layers of a stack are one product, as they share X and it is large enough.

    The last bits of a replica then depend on the size of its stack; otherwise they are those of the network alone.

    Args:
        layer_sizes: (n[0], …, n[L]).
        columns: number of examples in a pass.
    """
    return layer_sizes[1] * (layer_sizes[0] + 1) * columns >= MERGED_FROM


def _merges_first_layer(stack: NetworkStack, inputs: Array) -> bool:
    if stack.layout.replicas is None or inputs.ndim != 2:
        return False
    return shares_first_product(stack.architecture.layer_sizes, inputs.shape[-1])


def _product_with_transpose(W: Array, dZ: Array, out: Array) -> Callable[[], object]:
    """Return the function that writes Wᵀ dZ into out."""
    if dZ.shape[-2] == 1:  # an outer product, for which BLAS is slow
        return functools.partial(np.multiply, _transpose(W), dZ, out=out)
    return Product(_transpose(W), dZ, out)


def _transpose(matrix: Array) -> Array:
    return matrix.swapaxes(-1, -2)


def _merge(stack: Array) -> Array:
    """Return (R, n, k) as one matrix (R · n, k), without a copy."""
    return stack.reshape(-1, stack.shape[-1])


def with_row_of_ones(X: Array) -> Array:
    """Return [X; 1]: a copy of X, (…, n_x, m), with a row of ones below."""
    out = np.empty((*X.shape[:-2], X.shape[-2] + 1, X.shape[-1]), X.dtype)
    out[..., :-1, :] = X
    out[..., -1, :] = 1
    return out
