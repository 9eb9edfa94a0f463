"""Hidden activations: each a registry entry of a function g and its derivative g′.

`propagation` calls them in its loop, `reference` and `gradient_check` through the same registry.
Source of the first four and their derivatives: Ng, Neural Networks and Deep Learning, week 3.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# 0 and 1 in each number type: as 0-dimensional arrays they spare a small operation a third of its time.
ZERO = {np.dtype(kind): np.zeros((), kind) for kind in (np.float32, np.float64)}
ONE = {np.dtype(kind): np.ones((), kind) for kind in (np.float32, np.float64)}

Forward = Callable[[Array, Array, Array], None]
Slope = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Activation:
    """One activation: A = g(Z) and the slope g′.

    Attributes:
        name: as written in an `Architecture`, with the parameter if it has one: "leaky_relu(0.2)".
        forward: `forward(Z, A, scratch)` writes g(Z) into A; Z and A may be the same memory, scratch is not.
        slope: `slope(V, scratch)` returns g′, computed in scratch or in V, which is Z or A as `slope_of` says. It
            comes last in an iteration, so V may be overwritten: no derivative then needs memory of its own.
        slope_of: whether the derivative is a function of "Z" or of "A".
        start: the initialisation that suits it, "he" or "xavier".
        slope_is_mask: whether the slope is 0 or 1; its scratch may then be of booleans, the cheapest to multiply by.
        smooth: whether every derivative is continuous at Z = 0; `gradient_check` steps around the others' kink.
    """

    name: str
    forward: Forward
    slope: Slope
    slope_of: Literal["Z", "A"]
    start: Literal["he", "xavier"]
    smooth: bool = True
    slope_is_mask: bool = False


def sigmoid(Z: Array, out: Array) -> None:
    """Write σ(Z) = 1 / (1 + e⁻ᶻ) into out.

    For Z far below 0, e⁻ᶻ overflows to inf and the result is 0, which is right; callers silence the
    overflow (`np.errstate(over="ignore")`).
    """
    np.negative(Z, out=out)
    np.exp(out, out=out)
    np.add(out, ONE[out.dtype], out=out)
    np.reciprocal(out, out=out)


def _sigmoid_forward(Z: Array, A: Array, _scratch: Array) -> None:
    sigmoid(Z, A)


def _sigmoid_slope(A: Array, scratch: Array) -> Array:
    np.multiply(A, A, out=scratch)  # g′ = a(1 − a) = a − a²
    return np.subtract(A, scratch, out=scratch)


def _tanh_forward(Z: Array, A: Array, _scratch: Array) -> None:
    np.tanh(Z, out=A)


def _tanh_slope(A: Array, _scratch: Array) -> Array:
    np.multiply(A, A, out=A)  # g′ = 1 − a²
    return np.subtract(ONE[A.dtype], A, out=A)


# NumPy compares two arrays three times as fast as an array and a number: zeros are laid out first.


def _relu_forward(Z: Array, A: Array, scratch: Array) -> None:
    scratch.fill(0)
    np.maximum(Z, scratch, out=A)


def _relu_slope(A: Array, scratch: Array) -> Array:
    # g′ = 1 above 0 and 0 below; at Z = 0, where relu has none, 0.
    return np.greater(A, ZERO[A.dtype], out=scratch)


def _identity_forward(Z: Array, A: Array, _scratch: Array) -> None:
    if A is not Z:
        np.copyto(A, Z)


def _identity_slope(_A: Array, scratch: Array) -> Array:
    scratch.fill(1)
    return scratch


def leaky_relu(slope: float = 0.01) -> Activation:
    """Return max(slope · z, z), whose derivative is 1 above 0 and `slope` elsewhere (at Z = 0 too).

    Args:
        slope: from 0 to below 1.
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
    return Activation(name, forward, derivative, "A", "he", smooth=False)


def elu(alpha: float = 1.0) -> Activation:
    """Return z above 0 and alpha · (eᶻ − 1) elsewhere (Clevert, Unterthiner and Hochreiter, 2016).

    Args:
        alpha: above 0; minus the value far below zero.
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
    return Activation(name, forward, derivative_at_one if alpha == 1 else derivative, "A", "he", smooth=False)


def _silu_forward(Z: Array, A: Array, scratch: Array) -> None:
    sigmoid(Z, scratch)
    np.multiply(Z, scratch, out=A)


def _silu_slope(Z: Array, scratch: Array) -> Array:
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


def _gelu_slope(Z: Array, scratch: Array) -> Array:
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


ACTIVATIONS: dict[str, Activation] = {
    entry.name: entry
    for entry in (
        Activation("sigmoid", _sigmoid_forward, _sigmoid_slope, "A", "xavier"),
        Activation("tanh", _tanh_forward, _tanh_slope, "A", "xavier"),
        Activation("relu", _relu_forward, _relu_slope, "A", "he", smooth=False, slope_is_mask=True),
        leaky_relu(),
        Activation("identity", _identity_forward, _identity_slope, "A", "xavier"),
        elu(),
        Activation("gelu", _gelu_forward, _gelu_slope, "Z", "he"),
        Activation("silu", _silu_forward, _silu_slope, "Z", "he"),
    )
}

_WITH_PARAMETER = {"leaky_relu": leaky_relu, "elu": elu}


def get_activation(name: str) -> Activation:
    """Return the activation of this name; "leaky_relu(0.2)" and "elu(0.5)" carry their parameter.

    Raises:
        ValueError: the name is not registered, or its parameter is out of range.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    match = re.fullmatch(r"(\w+)\(([-+.\deE]+)\)", name)
    if match and match[1] in _WITH_PARAMETER:
        try:
            parameter = float(match[2])
        except ValueError:
            raise ValueError(f"the parameter of {match[1]} must be a number, got {match[2]!r}") from None
        return _WITH_PARAMETER[match[1]](parameter)
    raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
