"""Output layers: pairs of an output activation and a cost, with the derivative dZ[L] of each pair.

Costs are computed from Z[L], never from a rounded A[L].
Sources: Ng, Neural Networks and Deep Learning, weeks 2 and 3; softmax: Bishop, Pattern Recognition and
Machine Learning, 4.3.4.

In every function, arrays end in (n_y, m): columns are examples. `weight` is 1/m, or (1, m) with the weight of each
example divided by their sum, so that J = Σ weight · loss and dZ[L] already includes the mean. `row`, (…, 1, m), and
`scratch`, shaped like Z, are temporary buffers, so that an iteration allocates no memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.activations import sigmoid
from engine.arrays import Array
from engine.operations import Operations

Targets = Literal["binary", "one_hot", "real", "non_negative"]


@dataclass(frozen=True)
class Output:
    """One pair of output activation and cost.

    Attributes:
        activation: "sigmoid", "softmax", "identity" or "relu".
        cost: "cross_entropy" or "squared_error".
        forward: `forward(Z, A, row)` writes A[L], and may change Z and row as `losses_into` needs them. Z and A must
            not share memory. The changed Z gives the same A.
        backward: `backward(A, Y, weight, dZ)` writes dZ[L] = ∂J/∂Z[L] and overwrites A.
        losses_into: `losses_into(Z, Y, scratch, row)` takes Z and row from `forward` and returns the loss of each
            example, summed over outputs, (…, 1, m), in scratch or row; it overwrites Z.
        targets: required values of Y.
        operations: cost of the three functions per output and example.
    """

    activation: str
    cost: str
    forward: Callable[[Array, Array, Array], None]
    backward: Callable[[Array, Array, Array, Array], None]
    losses_into: Callable[[Array, Array, Array, Array], Array]
    targets: Targets
    operations: Operations

    def evaluate(self, Z: Array, Y: Array) -> tuple[Array, Array]:
        """Return A[L] and the loss of each example, summed over outputs: (…, 1, m). Z is not changed."""
        Z, A, row = self._forward(Z)
        return A, self.losses_into(Z, Y, np.empty_like(Z), row)

    def losses(self, Z: Array, Y: Array) -> Array:
        """Return the loss of each example, summed over outputs: (…, 1, m). Z is not changed."""
        return self.evaluate(Z, Y)[1]

    def activate(self, Z: Array) -> Array:
        """Return A[L]. Z is not changed."""
        return self._forward(Z)[1]

    def _forward(self, Z: Array) -> tuple[Array, Array, Array]:
        Z, A, row = Z.copy(), np.empty_like(Z), np.empty((*Z.shape[:-2], 1, Z.shape[-1]), Z.dtype)
        with np.errstate(over="ignore"):
            self.forward(Z, A, row)
        return Z, A, row


def _difference(A: Array, Y: Array, weight: Array, dZ: Array) -> None:
    # dZ = A − Y holds for sigmoid and softmax with cross-entropy, and for identity with squared error, where the
    # derivative of the activation cancels that of the loss (Ng, week 2; Bishop 4.3.6).
    np.subtract(A, Y, out=dZ)
    np.multiply(dZ, weight, out=dZ)


def _sigmoid_forward(Z: Array, A: Array, _row: Array) -> None:
    sigmoid(Z, A)


def _sigmoid_cross_entropy(Z: Array, Y: Array, scratch: Array, row: Array) -> Array:
    # −(y log ŷ + (1 − y) log(1 − ŷ)) with ŷ = σ(z) and y either 0 or 1 is log(1 + eˢ), where s = z for y = 0 and
    # s = −z for y = 1. It equals max(s, 0) + log(1 + e^−|s|), which neither overflows nor takes the log of a rounded 0.
    np.multiply(Y, Z, out=scratch)
    np.multiply(scratch, 2, out=scratch)
    np.subtract(Z, scratch, out=Z)  # s = (1 − 2y) z
    np.abs(Z, out=scratch)
    np.negative(scratch, out=scratch)
    np.exp(scratch, out=scratch)
    np.log1p(scratch, out=scratch)
    np.maximum(Z, 0, out=Z)
    np.add(scratch, Z, out=scratch)
    return _over_outputs(scratch, row)


def _softmax_forward(Z: Array, A: Array, row: Array) -> None:
    # Subtract the largest z of each column, so that its e^z is 1. Z stays changed, since the loss needs the same Z.
    np.subtract(Z, np.maximum.reduce(Z, axis=-2, keepdims=True, out=row), out=Z)
    np.exp(Z, out=A)
    np.divide(A, np.add.reduce(A, axis=-2, keepdims=True, out=row), out=A)  # Σ e^z stays in row


def _softmax_cross_entropy(Z: Array, Y: Array, scratch: Array, row: Array) -> Array:
    # −Σ y log ŷ = log Σ e^z − Σ y z, since each column of Y sums to 1.
    np.log(row, out=row)
    np.multiply(Z, Y, out=Z)
    np.subtract(row, np.add.reduce(Z, axis=-2, keepdims=True, out=scratch[..., :1, :]), out=row)
    return row


def _identity_forward(Z: Array, A: Array, _row: Array) -> None:
    np.copyto(A, Z)


def _identity_squared_error(Z: Array, Y: Array, scratch: Array, row: Array) -> Array:
    np.subtract(Z, Y, out=scratch)  # ½(ŷ − y)²
    np.multiply(scratch, scratch, out=scratch)
    np.multiply(scratch, 0.5, out=scratch)
    return _over_outputs(scratch, row)


def _relu_forward(Z: Array, A: Array, _row: Array) -> None:
    np.maximum(Z, 0, out=A)


def _relu_backward(A: Array, Y: Array, weight: Array, dZ: Array) -> None:
    np.subtract(A, Y, out=dZ)
    np.multiply(dZ, weight, out=dZ)
    np.greater(A, 0, out=A)
    np.multiply(dZ, A, out=dZ)  # g′ = 0 at Z = 0, as in the hidden layers


def _relu_squared_error(Z: Array, Y: Array, scratch: Array, row: Array) -> Array:
    np.maximum(Z, 0, out=Z)
    return _identity_squared_error(Z, Y, scratch, row)


def _sigmoid_squared_backward(A: Array, Y: Array, weight: Array, dZ: Array) -> None:
    np.subtract(A, Y, out=dZ)
    np.multiply(dZ, weight, out=dZ)
    np.multiply(dZ, A, out=dZ)  # g′ = a(1 − a) does not cancel; it vanishes where the network is confident and wrong
    np.subtract(1, A, out=A)
    np.multiply(dZ, A, out=dZ)


def _sigmoid_squared_error(Z: Array, Y: Array, scratch: Array, row: Array) -> Array:
    sigmoid(Z, Z)
    return _identity_squared_error(Z, Y, scratch, row)


def _over_outputs(loss: Array, row: Array) -> Array:
    return loss if loss.shape[-2] == 1 else np.add.reduce(loss, axis=-2, keepdims=True, out=row)


_SIGMOID = Operations(elements=16, steps=5)
_SOFTMAX = Operations(elements=14, steps=6)
_IDENTITY = Operations(elements=6, steps=2)
_RELU = Operations(elements=9, steps=5)

OUTPUTS: dict[tuple[str, str], Output] = {
    (entry.activation, entry.cost): entry
    for entry in (
        Output("sigmoid", "cross_entropy", _sigmoid_forward, _difference, _sigmoid_cross_entropy, "binary", _SIGMOID),
        Output("softmax", "cross_entropy", _softmax_forward, _difference, _softmax_cross_entropy, "one_hot", _SOFTMAX),
        Output("identity", "squared_error", _identity_forward, _difference, _identity_squared_error, "real", _IDENTITY),
        Output("relu", "squared_error", _relu_forward, _relu_backward, _relu_squared_error, "non_negative", _RELU),
        Output(
            "sigmoid",
            "squared_error",
            _sigmoid_forward,
            _sigmoid_squared_backward,
            _sigmoid_squared_error,
            "binary",
            _SIGMOID,
        ),
    )
}

DEFAULT_COSTS = {
    "sigmoid": "cross_entropy",
    "softmax": "cross_entropy",
    "identity": "squared_error",
    "relu": "squared_error",
}


def get_output(activation: str, cost: str | None = None) -> Output:
    """Return the pair of this output activation and cost; None means the default cost of the activation.

    Raises:
        ValueError: if there is no such output activation, or it does not allow this cost.
    """
    if activation not in DEFAULT_COSTS:
        raise ValueError(f"output_activation must be one of {', '.join(DEFAULT_COSTS)}, got {activation!r}")
    pair = (activation, cost or DEFAULT_COSTS[activation])
    if pair not in OUTPUTS:
        valid = " or ".join(c for a, c in OUTPUTS if a == activation)
        raise ValueError(f"cost of the output {activation!r} must be {valid}, got {cost!r}")
    return OUTPUTS[pair]
