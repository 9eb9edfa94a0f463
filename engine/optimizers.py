"""Optimizers: each one update of the flat parameter vector in place; called by `training` once an iteration.

Conventions are PyTorch's, so that a setting means the same there: velocity is v ← μ v + g and the step is α v;
ε is added to the root. Sources: Polyak, 1964; Nesterov, 1983 (as in Sutskever et al., 2013); Hinton, Neural Networks
for Machine Learning, lecture 6e (RMSProp); Kingma and Ba, 2015 (Adam); Loshchilov and Hutter, 2019 (AdamW).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.activations import Array
from engine.settings import TrainingSettings

Update = Callable[[Array, Array, list[Array], Array, Array, int, TrainingSettings], None]


@dataclass(frozen=True)
class Optimizer:
    """One optimizer.

    Attributes:
        name: as written in settings.
        slots: names of the vectors that it keeps from one iteration to the next, each as long as the parameters.
        update: `update(theta, g, slots, scratch, rate, t, settings)` changes theta and slots in place; g and scratch
            are free to be overwritten; rate is the learning rate of now, a number or one for each parameter; t counts
            updates from 1.
    """

    name: str
    slots: tuple[str, ...]
    update: Update


def _gradient_descent(
    theta: Array, g: Array, _slots: list[Array], _scratch: Array, rate: Array, _t: int, _s: TrainingSettings
) -> None:
    np.multiply(g, rate, out=g)
    np.subtract(theta, g, out=theta)  # θ ← θ − α g


def _momentum(
    theta: Array, g: Array, slots: list[Array], scratch: Array, rate: Array, _t: int, s: TrainingSettings
) -> None:
    (v,) = slots
    np.multiply(v, s.momentum, out=v)
    np.add(v, g, out=v)  # v ← μ v + g
    np.multiply(v, rate, out=scratch)
    np.subtract(theta, scratch, out=theta)  # θ ← θ − α v


def _nesterov(
    theta: Array, g: Array, slots: list[Array], scratch: Array, rate: Array, _t: int, s: TrainingSettings
) -> None:
    (v,) = slots
    np.multiply(v, s.momentum, out=v)
    np.add(v, g, out=v)  # v ← μ v + g
    np.multiply(v, s.momentum, out=scratch)
    np.add(scratch, g, out=scratch)
    np.multiply(scratch, rate, out=scratch)
    np.subtract(theta, scratch, out=theta)  # θ ← θ − α (g + μ v)


# The averages of RMSProp and Adam, v ← β v + (1 − β) g, are kept without the factor: v / (1 − β) ← β v / (1 − β) + g.
# The factors, with Adam's correction for averages that start at 0, are then applied to one number, the learning rate,
# instead of to vectors: θ ← θ − α c v / (k √s + ε) = θ − (α c / k) v / (√s + ε / k).


def _rmsprop(
    theta: Array, g: Array, slots: list[Array], scratch: Array, rate: Array, _t: int, s: TrainingSettings
) -> None:
    (squares,) = slots
    k = math.sqrt(1 - s.beta2)
    _decay_and_add_square(squares, g, s.beta2, scratch)
    np.sqrt(squares, out=scratch)
    np.add(scratch, s.epsilon / k, out=scratch)
    np.divide(g, scratch, out=g)
    _descend(theta, g, rate, 1 / k)  # θ ← θ − α g / (√s + ε)


def _adam(theta: Array, g: Array, slots: list[Array], scratch: Array, rate: Array, t: int, s: TrainingSettings) -> None:
    gradients, squares = slots
    c = (1 - s.momentum) / (1 - s.momentum**t)
    k = math.sqrt((1 - s.beta2) / (1 - s.beta2**t))
    _decay_and_add_square(squares, g, s.beta2, scratch)  # s ← β₂ s + (1 − β₂) g²
    np.multiply(gradients, s.momentum, out=gradients)
    np.add(gradients, g, out=gradients)  # v ← β₁ v + (1 − β₁) g
    np.sqrt(squares, out=scratch)
    np.add(scratch, s.epsilon / k, out=scratch)
    np.divide(gradients, scratch, out=g)
    _descend(theta, g, rate, c / k)  # θ ← θ − α v̂ / (√ŝ + ε)


def _decay_and_add_square(squares: Array, g: Array, beta: float, scratch: Array) -> None:
    np.multiply(squares, beta, out=squares)
    np.multiply(g, g, out=scratch)
    np.add(squares, scratch, out=squares)


def _descend(theta: Array, g: Array, rate: Array, factor: float) -> None:
    if rate.ndim == 0:
        np.multiply(g, float(rate) * factor, out=g)
    else:
        np.multiply(g, factor, out=g)
        np.multiply(g, rate, out=g)
    np.subtract(theta, g, out=theta)


OPTIMIZERS: dict[str, Optimizer] = {
    entry.name: entry
    for entry in (
        Optimizer("gradient_descent", (), _gradient_descent),
        Optimizer("momentum", ("velocity",), _momentum),
        Optimizer("nesterov", ("velocity",), _nesterov),
        Optimizer("rmsprop", ("squares",), _rmsprop),
        Optimizer("adam", ("gradients", "squares"), _adam),
        # AdamW is Adam whose decay does not pass through the averages: `training` takes it off theta first.
        Optimizer("adamw", ("gradients", "squares"), _adam),
    )
}
