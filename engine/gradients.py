"""Gradient checking: compare backpropagation with finite differences of the cost, for each block of parameters.

The cost is computed layer by layer, and the gradient by `Propagation`, as in training; the two share only the formulas.
Source of the measure: Ng, Improving Deep Neural Networks, week 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engine.architecture import Architecture
from engine.arrays import Array, BoolArray
from engine.checks import check_sample_weight, check_XY
from engine.initialization import initialize
from engine.parameters import Layout, NetworkStack, Parameters, check_fit
from engine.propagation import Propagation, with_row_of_ones

STEP = 2.0**-9  # the largest step, about 0.002: its fourth power is small, and differences are well above rounding
_NARROWEST = 2.0**-21
_BIAS_DEVIATION = 0.1


@dataclass(frozen=True, eq=False)
class BlockCheck:
    """The derivatives of the cost for one W[l] or b[l].

    Attributes:
        name: "W[1]", "b[1]", …
        gradient: gradient by backpropagation, in the shape of the block.
        numeric: gradient by finite differences, in the same shape; NaN for numbers that were skipped, because of
            `samples` or because they are at a kink, where the cost has no derivative.
        kinks: number of parameters that were skipped because of a kink.
    """

    name: str
    gradient: Array
    numeric: Array
    kinks: int

    @property
    def relative_error(self) -> float:
        """‖gradient − numeric‖ / (‖gradient‖ + ‖numeric‖) over the computed numbers; 0 if both are 0."""
        return relative_error(self.gradient, self.numeric)


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """The result of `gradient_check`.

    Attributes:
        blocks: W[1], b[1], …, W[L], b[L].
        directional: derivative of the cost in one random direction, (by backpropagation, by finite differences). The
            second is NaN if every step in that direction crosses a kink.
        step: the largest step used.
    """

    blocks: tuple[BlockCheck, ...]
    directional: tuple[float, float]
    step: float

    @property
    def relative_error(self) -> float:
        """The relative error of all blocks taken as one vector."""
        gradient = np.concatenate([block.gradient.ravel() for block in self.blocks])
        return relative_error(gradient, np.concatenate([block.numeric.ravel() for block in self.blocks]))

    def __repr__(self) -> str:
        lines = ["GradientCheck: backpropagation compared with finite differences of the cost"]
        for block in self.blocks:
            kinks = f", {block.kinks} skipped at a kink" if block.kinks else ""
            norms = f"‖gradient‖ {np.linalg.norm(block.gradient):.6g}"
            lines.append(f"  {block.name:<6} relative error {block.relative_error:.1e}   {norms}{kinks}")
        by_backpropagation, by_differences = self.directional
        lines.append(f"  along a random direction {by_backpropagation:.12g} and {by_differences:.12g}")
        lines.append(f"  overall relative error {self.relative_error:.1e}")
        return "\n".join(lines)


def gradient_check(
    architecture: Architecture,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    parameters: Parameters | None = None,
    seed: int = 0,
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
    samples: int | None = None,
) -> GradientCheck:
    """Compare backpropagation with finite differences of the cost, in float64.

    Each parameter θ is changed by ±h and ±2h, and its derivative is
    (8 (J(θ+h) − J(θ−h)) − (J(θ+2h) − J(θ−2h))) / 12h, with an error of h⁴ J⁽⁵⁾ / 30 (Abramowitz and Stegun, 25.3.6).
    relu, leaky_relu and elu have a kink at Z = 0, and a difference across it is meaningless. If a step moves any Z to
    the other side, h is divided by 4, down to 2⁻²¹; parameters for which even that step crosses are skipped.

    Args:
        architecture: the network.
        X: (n_x, m). Use only a few examples: each parameter takes 4 forward passes.
        Y: (n_y, m).
        parameters: parameters at which to check; None draws them from `seed`, with biases that are not 0.
        seed: seed of the parameters, the direction and the samples.
        l2: λ of the penalty (λ/2) Σ ‖W[l]‖² in J.
        sample_weight: (1, m).
        samples: number of randomly chosen parameters to check in each block; None checks all of them.

    Raises:
        ShapeError, DataError: if data or parameters do not match the architecture.
        ValueError: if l2 is below 0 or samples is below 1.
    """
    if not l2 >= 0:
        raise ValueError(f"l2 must be at least 0, got {l2}")
    if samples is not None and samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    X, Y = check_XY(architecture, np.asarray(X), Y)
    weight = check_sample_weight(sample_weight, X.shape[1])
    weight = np.full((1, X.shape[1]), 1 / X.shape[1]) if weight is None else weight / weight.sum()
    problem = _Problem(architecture, X.astype(np.float64), Y.astype(np.float64), weight, l2)
    generator = np.random.default_rng(seed)
    if parameters is None:
        parameters = initialize(architecture, generator, "auto")
        for b in parameters.b:
            b[...] = generator.standard_normal(b.shape) * _BIAS_DEVIATION
    check_fit(architecture, parameters)
    theta = parameters.vector.astype(np.float64)
    differences = _Differences(problem, theta)
    gradient = problem.gradient(theta)

    numeric, kinks = np.full_like(theta, np.nan), np.zeros(theta.shape, dtype=np.bool_)
    for chosen in _chosen(architecture, generator, samples):
        direction = np.zeros_like(theta)
        direction[chosen] = 1
        numeric[chosen] = differences.derivative(direction)
        kinks[chosen] = np.isnan(numeric[chosen])
    direction = generator.standard_normal(theta.size)
    direction /= np.linalg.norm(direction)
    directional = (float(gradient @ direction), differences.derivative(direction))
    return GradientCheck(_checks(architecture, gradient, numeric, kinks), directional, STEP)


def _checks(architecture: Architecture, gradient: Array, numeric: Array, kinks: BoolArray) -> tuple[BlockCheck, ...]:
    """Return the checks of W[1], b[1], …, W[L], b[L] from vectors as long as the parameters."""
    layout, checks = Layout(architecture.layer_sizes), []
    layers = zip(layout.blocks(gradient), layout.blocks(numeric), layout.blocks(kinks), strict=True)
    for layer, (dJ, differences, at_kink) in enumerate(layers, start=1):
        for name, columns in (("W", slice(None, -1)), ("b", slice(-1, None))):
            count = int(at_kink[:, columns].sum())
            checks.append(BlockCheck(f"{name}[{layer}]", dJ[:, columns].copy(), differences[:, columns].copy(), count))
    return tuple(checks)


def relative_error(gradient: Array, numeric: Array) -> float:
    """Return ‖a − n‖ / (‖a‖ + ‖n‖) over the parameters whose numeric derivative is not NaN; 0 if both are 0."""
    known = ~np.isnan(numeric)
    total = np.linalg.norm(gradient[known]) + np.linalg.norm(numeric[known])
    return float(np.linalg.norm(gradient[known] - numeric[known]) / total) if total else 0.0


@dataclass(frozen=True, eq=False)
class _Problem:
    """J and its gradient as functions of the vector of parameters."""

    architecture: Architecture
    X: Array
    Y: Array
    weight: Array
    l2: float

    def cost(self, theta: Array) -> tuple[float, BoolArray]:
        """Return J, and a mask of the Z above 0 for all activations with a kink at 0."""
        parameters = Parameters(self.architecture.layer_sizes, theta)
        above = [np.empty(0, dtype=np.bool_)]
        A, Z = self.X, self.X
        J = 0.0
        with np.errstate(over="ignore", under="ignore"):
            for layer, (W, b) in enumerate(zip(parameters.W, parameters.b, strict=True)):
                Z = W @ A + b
                J += 0.5 * self.l2 * float(np.sum(W * W))
                if layer < self.architecture.depth:
                    activation = self.architecture.activations[layer]
                    A = np.empty_like(Z)
                    activation.forward(Z, A, np.empty_like(Z))
                    if not activation.smooth:
                        above.append((Z > 0).ravel())
            if self.architecture.output_activation == "relu":
                above.append((Z > 0).ravel())
            J += float(np.sum(self.weight * self.architecture.output.losses(Z, self.Y)))
        return J, np.concatenate(above)

    def gradient(self, theta: Array) -> Array:
        """Return the gradient of J, by backpropagation."""
        gradient = np.empty_like(theta)
        sizes = self.architecture.layer_sizes
        stack = NetworkStack(self.architecture, Layout(sizes), theta, gradient)
        propagation = Propagation(stack, with_row_of_ones(self.X), dropout=False)
        with np.errstate(over="ignore", under="ignore"):
            propagation.forward(0)
            propagation.backward(self.Y, self.weight)
        penalty = Parameters(sizes, self.l2 * theta)
        for dW, W in zip(Parameters(sizes, gradient).W, penalty.W, strict=True):
            dW += W
        return gradient


class _Differences:
    """Derivatives of J at theta by finite differences."""

    def __init__(self, problem: _Problem, theta: Array) -> None:
        self.problem, self.theta = problem, theta
        self.above = problem.cost(theta)[1]

    def derivative(self, direction: Array) -> float:
        """Return the derivative of J in this direction, or NaN at a kink."""
        h = STEP
        while h >= _NARROWEST:
            moved = [self.problem.cost(self.theta + k * h * direction) for k in (-2, -1, 1, 2)]
            if all(np.array_equal(above, self.above) for _, above in moved):
                J_minus_2, J_minus_1, J_plus_1, J_plus_2 = (J for J, _ in moved)
                return float((8 * (J_plus_1 - J_minus_1) - (J_plus_2 - J_minus_2)) / (12 * h))
            h /= 4
        return float("nan")


def _chosen(architecture: Architecture, generator: np.random.Generator, samples: int | None) -> Iterator[int]:
    """Yield the indices of the parameters to check."""
    blocks = Layout(architecture.layer_sizes).blocks(np.arange(architecture.parameters_count))
    for block in (*(block[:, :-1] for block in blocks), *(block[:, -1:] for block in blocks)):
        indices = block.ravel()
        if samples is not None and samples < indices.size:
            indices = generator.choice(indices, samples, replace=False)
        yield from (int(index) for index in indices)
