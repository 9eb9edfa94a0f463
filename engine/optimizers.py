"""Optimizers: a registry of in-place updates of the flat parameter vector.

The conventions are those of PyTorch, so that settings have the same meaning: the velocity is v ← μ v + g, the step is
α v, and ε is added to the root.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.operations import ASSUMED, Operations
from engine.registry import Registry


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """The vectors that an update changes in place, each as long as the parameters.

    Attributes:
        theta: the parameters.
        slots: vectors that the optimizer keeps between iterations, in the order of `Optimizer.slots`.
        scratch: temporary memory, whose content is undefined.
    """

    theta: Array
    slots: tuple[Array, ...]
    scratch: Array


@dataclass(slots=True)
class Step:
    """The position of one update in training, and its hyperparameters.

    Attributes:
        number: number of the update, starting at 1.
        learning_rate: α of this update, after the schedule: a 0-dimensional array, or one value per parameter if the
            networks of a stack have different learning rates.
        momentum: μ of momentum and Nesterov, β₁ of Adam.
        beta2: decay of the mean square.
        epsilon: added to the root of the mean square.
    """

    number: int
    learning_rate: Array
    momentum: float
    beta2: float
    epsilon: float


Update = Callable[[OptimizerState, Array, Step], None]


@dataclass(frozen=True)
class Optimizer:
    """One optimizer.

    Attributes:
        name: name in settings.
        update: `update(state, gradient, step)` changes `state.theta` and `state.slots` in place. It may overwrite the
            gradient. It must compute element by element, since a vector may contain several networks.
        source: source of the formula.
        slots: names of the vectors that the optimizer keeps between iterations; they start at 0.
        operations: cost of an update per parameter.
        decoupled_decay: True if L2 is weight decay, W ← W − α λ W before the update, instead of part of the gradient.
    """

    name: str
    update: Update
    source: str
    slots: tuple[str, ...] = ()
    operations: Operations = ASSUMED
    decoupled_decay: bool = False


def _gradient_descent(state: OptimizerState, g: Array, step: Step) -> None:
    np.multiply(g, step.learning_rate, out=g)
    np.subtract(state.theta, g, out=state.theta)  # θ ← θ − α g


def _momentum(state: OptimizerState, g: Array, step: Step) -> None:
    (v,), scratch = state.slots, state.scratch
    np.multiply(v, step.momentum, out=v)
    np.add(v, g, out=v)  # v ← μ v + g
    np.multiply(v, step.learning_rate, out=scratch)
    np.subtract(state.theta, scratch, out=state.theta)  # θ ← θ − α v


def _nesterov(state: OptimizerState, g: Array, step: Step) -> None:
    (v,), scratch = state.slots, state.scratch
    np.multiply(v, step.momentum, out=v)
    np.add(v, g, out=v)  # v ← μ v + g
    np.multiply(v, step.momentum, out=scratch)
    np.add(scratch, g, out=scratch)
    np.multiply(scratch, step.learning_rate, out=scratch)
    np.subtract(state.theta, scratch, out=state.theta)  # θ ← θ − α (g + μ v)


# The averages of RMSProp and Adam, v ← β v + (1 − β) g, are stored without the factor: v / (1 − β) ← β v / (1 − β) + g.
# The factors, including Adam's bias correction, are then applied to one number, the learning rate, instead of to
# vectors: θ ← θ − α c v / (k √s + ε) = θ − (α c / k) v / (√s + ε / k).


def _rmsprop(state: OptimizerState, g: Array, step: Step) -> None:
    (squares,), scratch = state.slots, state.scratch
    k = math.sqrt(1 - step.beta2)
    _decay_and_add_square(squares, g, step.beta2, scratch)
    np.sqrt(squares, out=scratch)
    np.add(scratch, step.epsilon / k, out=scratch)
    np.divide(g, scratch, out=g)
    _descend(state.theta, g, step.learning_rate, 1 / k)  # θ ← θ − α g / (√s + ε)


def _adam(state: OptimizerState, g: Array, step: Step) -> None:
    (gradients, squares), scratch = state.slots, state.scratch
    beta1, beta2, t = step.momentum, step.beta2, step.number
    c = (1 - beta1) / (1 - beta1**t)
    k = math.sqrt((1 - beta2) / (1 - beta2**t))
    _decay_and_add_square(squares, g, beta2, scratch)  # s ← β₂ s + (1 − β₂) g²
    np.multiply(gradients, beta1, out=gradients)
    np.add(gradients, g, out=gradients)  # v ← β₁ v + (1 − β₁) g
    np.sqrt(squares, out=scratch)
    np.add(scratch, step.epsilon / k, out=scratch)
    np.divide(gradients, scratch, out=g)
    _descend(state.theta, g, step.learning_rate, c / k)  # θ ← θ − α v̂ / (√ŝ + ε)


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


OPTIMIZERS = Registry[Optimizer](
    "optimizer",
    (
        Optimizer(
            "gradient_descent",
            _gradient_descent,
            "Ng, Neural Networks and Deep Learning, week 4",
            operations=Operations(2, 2),
        ),
        Optimizer("momentum", _momentum, "Polyak, 1964", ("velocity",), Operations(4, 4)),
        Optimizer(
            "nesterov", _nesterov, "Nesterov, 1983, as in Sutskever et al., 2013", ("velocity",), Operations(6, 6)
        ),
        Optimizer(
            "rmsprop",
            _rmsprop,
            "Hinton, Neural Networks for Machine Learning, lecture 6e",
            ("squares",),
            Operations(8, 8),
        ),
        Optimizer("adam", _adam, "Kingma and Ba, 2015", ("gradients", "squares"), Operations(10, 10)),
        # AdamW is Adam with a weight decay that does not enter the averages.
        Optimizer(
            "adamw",
            _adam,
            "Loshchilov and Hutter, 2019",
            ("gradients", "squares"),
            Operations(10, 10),
            decoupled_decay=True,
        ),
    ),
)


def register_optimizer(optimizer: Optimizer) -> None:
    """Register an optimizer, which settings and specs can then name.

    Workers receive the optimizer with their tasks. Any other process that uses it must register it again, such as one
    that resumes a study. `engine.testing.check_optimizer` tests that it fulfills the contract of `Optimizer`.

    Raises:
        ValueError: if the name is built in, or does not consist of lowercase letters, digits and underscores.
    """
    OPTIMIZERS.register(optimizer)
