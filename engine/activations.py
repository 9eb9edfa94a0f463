"""Hidden activations: a registry of functions g with their derivatives g′ and their cost in operations.

Source of the first four and their derivatives: Ng, Neural Networks and Deep Learning, week 3.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.arrays import ONE, ZERO, BoolArray
from engine.arrays import Array as Array
from engine.operations import ASSUMED, Operations
from engine.registry import Registry

Forward = Callable[[Array, Array, Array], None]
Derivative = Callable[[Array, Array], Array]
MaskDerivative = Callable[[Array, BoolArray], BoolArray]


@dataclass(frozen=True)
class Activation:
    """One activation: A = g(Z) and the derivative g′.

    Arrays end in (n, m) and may have leading axes. Both functions must compute element by element, keep the dtype of
    their arguments (float32 or float64), and allocate no array as large as an argument.

    Attributes:
        name: name in an `Architecture`, including the parameter if there is one, such as "leaky_relu(0.2)".
        forward: `forward(Z, A, scratch)` writes g(Z) into A. Z and A may share memory; scratch is separate.
        derivative: `derivative(V, scratch)` returns g′, where V is Z or A as `derivative_of` says. It may overwrite
            both arguments, and returns one of them.
        derivative_of: argument of the derivative, "Z" or "A".
        start: suitable initialization, "he" or "xavier".
        smooth: True if all derivatives are continuous at Z = 0. Otherwise, `gradient_check` avoids the kink.
        derivative_is_mask: True if the derivative is 0 or 1 everywhere. Scratch is then a boolean array, which is the
            fastest to multiply by.
        operations: cost of `forward`, `derivative` and the product dZ = dA ∗ g′ per unit and example.
    """

    name: str
    forward: Forward
    derivative: Derivative | MaskDerivative
    derivative_of: Literal["Z", "A"]
    start: Literal["he", "xavier"]
    smooth: bool = True
    derivative_is_mask: bool = False
    operations: Operations = ASSUMED


def sigmoid(Z: Array, out: Array) -> None:
    """Write σ(Z) = 1 / (1 + e⁻ᶻ) into out.

    For Z far below 0, e⁻ᶻ overflows to inf, and the result is 0, which is correct. NumPy warns about the overflow
    unless `np.errstate(over="ignore")` is in effect.
    """
    np.negative(Z, out=out)
    np.exp(out, out=out)
    np.add(out, ONE[out.dtype], out=out)
    np.reciprocal(out, out=out)


def _sigmoid_forward(Z: Array, A: Array, _scratch: Array) -> None:
    sigmoid(Z, A)


def _sigmoid_derivative(A: Array, scratch: Array) -> Array:
    np.multiply(A, A, out=scratch)  # g′ = a(1 − a) = a − a²
    return np.subtract(A, scratch, out=scratch)


def _tanh_forward(Z: Array, A: Array, _scratch: Array) -> None:
    np.tanh(Z, out=A)


def _tanh_derivative(A: Array, _scratch: Array) -> Array:
    np.multiply(A, A, out=A)  # g′ = 1 − a²
    return np.subtract(ONE[A.dtype], A, out=A)


# NumPy computes the maximum of two arrays three times faster than that of an array and a number, hence the zeros.


def _relu_forward(Z: Array, A: Array, scratch: Array) -> None:
    scratch.fill(0)
    np.maximum(Z, scratch, out=A)


def _relu_derivative(A: Array, scratch: BoolArray) -> BoolArray:
    # g′ = 1 above 0 and 0 below; also 0 at Z = 0, where relu has no derivative.
    return np.greater(A, ZERO[A.dtype], out=scratch)


def _identity_forward(Z: Array, A: Array, _scratch: Array) -> None:
    if A is not Z:
        np.copyto(A, Z)


def _identity_derivative(_A: Array, scratch: Array) -> Array:
    scratch.fill(1)
    return scratch


def leaky_relu(slope: float = 0.01) -> Activation:
    """Return the activation max(slope · z, z), whose derivative is 1 above 0 and `slope` elsewhere, including 0.

    Args:
        slope: at least 0 and below 1.

    Raises:
        ValueError: if the slope is out of range.
    """
    if not 0 <= slope < 1:
        raise ValueError(f"the slope of leaky_relu must be at least 0 and below 1, got {slope}")

    def forward(Z: Array, A: Array, scratch: Array) -> None:
        np.multiply(Z, slope, out=scratch)
        np.maximum(Z, scratch, out=A)

    def derivative(A: Array, scratch: Array) -> Array:
        np.greater(A, 0, out=scratch)  # 1 or 0, moved to 1 or slope
        np.multiply(scratch, 1 - slope, out=scratch)
        return np.add(scratch, slope, out=scratch)

    name = "leaky_relu" if slope == 0.01 else f"leaky_relu({slope:g})"
    return Activation(name, forward, derivative, "A", "he", smooth=False, operations=Operations(elements=6, steps=7))


def elu(alpha: float = 1.0) -> Activation:
    """Return the activation that is z above 0 and alpha · (eᶻ − 1) elsewhere (Clevert and others, 2016).

    Args:
        alpha: above 0; g approaches −alpha far below 0.

    Raises:
        ValueError: if alpha is not positive and finite.
    """
    if not 0 < alpha < math.inf:
        raise ValueError(f"the alpha of elu must be above 0, got {alpha}")

    def forward(Z: Array, A: Array, scratch: Array) -> None:
        scratch.fill(0)
        np.minimum(Z, scratch, out=scratch)
        np.expm1(scratch, out=scratch)
        np.multiply(scratch, alpha, out=scratch)
        np.maximum(Z, 0, out=A)
        np.add(A, scratch, out=A)

    def derivative(A: Array, scratch: Array) -> Array:
        np.greater(A, 0, out=scratch)  # below 0: alpha eᶻ = a + alpha; above: 1 = 0 + alpha + (1 − alpha)
        np.multiply(scratch, 1 - alpha, out=scratch)
        np.minimum(A, 0, out=A)
        np.add(scratch, A, out=scratch)
        return np.add(scratch, alpha, out=scratch)

    def derivative_at_one(A: Array, scratch: Array) -> Array:
        scratch.fill(0)
        np.minimum(A, scratch, out=scratch)  # with alpha = 1 both sides are min(a, 0) + 1
        return np.add(scratch, 1, out=scratch)

    name = "elu" if alpha == 1 else f"elu({alpha:g})"
    return Activation(
        name,
        forward,
        derivative_at_one if alpha == 1 else derivative,
        "A",
        "he",
        smooth=False,
        operations=Operations(elements=10, steps=9),
    )


def _silu_forward(Z: Array, A: Array, scratch: Array) -> None:
    sigmoid(Z, scratch)
    np.multiply(Z, scratch, out=A)


def _silu_derivative(Z: Array, scratch: Array) -> Array:
    sigmoid(Z, scratch)
    # g = zσ, so g′ = σ + zσ(1 − σ) = σ(1 + z(1 − σ))
    np.subtract(1, scratch, out=scratch)  # 1 − σ
    np.multiply(Z, scratch, out=Z)
    np.add(Z, 1, out=Z)  # 1 + z(1 − σ)
    np.subtract(1, scratch, out=scratch)  # σ again
    return np.multiply(scratch, Z, out=scratch)


_GELU_SCALE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


def _gelu_argument(Z: Array, out: Array) -> None:
    np.multiply(Z, Z, out=out)
    np.multiply(out, _GELU_SCALE * _GELU_CUBIC, out=out)
    np.add(out, _GELU_SCALE, out=out)
    np.multiply(out, Z, out=out)  # u = √(2/π)(z + 0.044715 z³)


def _gelu_forward(Z: Array, A: Array, scratch: Array) -> None:
    # ½ z (1 + tanh u): Hendrycks and Gimpel, 2016, the tanh form.
    _gelu_argument(Z, scratch)
    np.tanh(scratch, out=scratch)
    np.add(scratch, 1, out=scratch)
    np.multiply(scratch, 0.5, out=scratch)
    np.multiply(Z, scratch, out=A)


def _gelu_derivative(Z: Array, scratch: Array) -> Array:
    # With t = tanh u: g′ = ½(1 + t) + ½(1 − t²) z u′ = ½(1 + t)(1 + (1 − t) w), where w = z u′ = 3u − 2√(2/π) z.
    _gelu_argument(Z, scratch)
    np.multiply(Z, -2 * _GELU_SCALE / 3, out=Z)
    np.add(Z, scratch, out=Z)
    np.multiply(Z, 3, out=Z)  # w
    np.tanh(scratch, out=scratch)
    np.subtract(1, scratch, out=scratch)  # 1 − t
    np.multiply(Z, scratch, out=Z)
    np.add(Z, 1, out=Z)
    np.subtract(2, scratch, out=scratch)  # 1 + t
    np.multiply(scratch, Z, out=scratch)
    return np.multiply(scratch, 0.5, out=scratch)


ACTIVATIONS = Registry[Activation](
    "activation",
    (
        Activation("sigmoid", _sigmoid_forward, _sigmoid_derivative, "A", "xavier", operations=Operations(9, 8)),
        Activation("tanh", _tanh_forward, _tanh_derivative, "A", "xavier", operations=Operations(6, 5)),
        Activation(
            "relu",
            _relu_forward,
            _relu_derivative,
            "A",
            "he",
            smooth=False,
            derivative_is_mask=True,
            operations=Operations(3, 4),
        ),
        leaky_relu(),
        Activation("identity", _identity_forward, _identity_derivative, "A", "xavier", operations=Operations(3, 4)),
        elu(),
        Activation("gelu", _gelu_forward, _gelu_derivative, "Z", "he", operations=Operations(20, 20)),
        Activation("silu", _silu_forward, _silu_derivative, "Z", "he", operations=Operations(14, 13)),
    ),
)

_WITH_PARAMETER = {"leaky_relu": leaky_relu, "elu": elu}


def register_activation(activation: Activation) -> None:
    """Register an activation, which architectures and specs can then name.

    Workers receive the activation with their tasks. Any other process that uses it must register it again, such as one
    that resumes a study. `engine.testing.check_activation` tests that it fulfills the contract of `Activation`.

    Raises:
        ValueError: if the name is built in, or does not consist of lowercase letters, digits and underscores.
    """
    ACTIVATIONS.register(activation)


def get_activation(name: str) -> Activation:
    """Return the activation of this name, which may include a parameter, as in "leaky_relu(0.2)" and "elu(0.5)".

    Raises:
        ValueError: if the name is not registered, or its parameter is out of range.
    """
    match = re.fullmatch(r"(\w+)\(([-+.\deE]+)\)", name)
    if name in ACTIVATIONS or match is None or match[1] not in _WITH_PARAMETER:
        return ACTIVATIONS.find(name)
    try:
        parameter = float(match[2])
    except ValueError:
        raise ValueError(f"the parameter of {match[1]} must be a number, got {match[2]!r}") from None
    return _WITH_PARAMETER[match[1]](parameter)
