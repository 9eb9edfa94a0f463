"""The hyperparameters of training, apart from the architecture. They are validated at construction."""

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from engine.optimizers import OPTIMIZERS
from engine.schedules import SCHEDULES


@dataclass(frozen=True)
class TrainingSettings:
    """The hyperparameters of one training run.

    Attributes:
        learning_rate: α, above 0.
        iterations: number of updates, at least 0. With mini-batches, an iteration is one mini-batch.
        optimizer: "gradient_descent", "momentum", "nesterov", "rmsprop", "adam", "adamw", or a registered one.
        batch_size: size of a mini-batch; None, or at least m, means the full batch in the given order. Each epoch is
            shuffled with the seed; its last mini-batch may be smaller.
        schedule: "constant", "inverse_time", "step", "cosine", or a registered one.
        final_fraction: ratio of the final to the initial learning rate, above 0 and at most 1; "constant" ignores it.
        momentum: μ of momentum and Nesterov, β₁ of Adam; at least 0 and below 1.
        beta2: decay of the mean square in RMSProp and Adam; at least 0 and below 1.
        epsilon: added to the root of the mean square.
        l2: λ of the penalty (λ/2) Σ ‖W[l]‖², which is added to J; biases are not penalized. With "adamw", it is the
            decoupled weight decay W ← W − α λ W, which is not part of J.
        dropout: share of hidden units dropped in each iteration, at least 0 and below 1 (inverted dropout: the others
            are scaled up, so that predictions need no scaling).
        max_gradient_norm: maximum norm of the gradient over all parameters; a larger gradient is scaled down. None
            means no limit.
        patience: number of evaluations on dev without a lower cost after which training stops and the best parameters
            are returned; requires dev data. None means no early stopping.
        evaluate_every: number of iterations between two evaluations on dev.
        class_weight: "balanced" multiplies the weight of each training example by m / (K m_k), where m_k is the number
            (with sample weights, the weight) of the examples of its class, so that all K classes have the same total
            weight. None means no such factor. Costs on dev are not weighted.

    Raises:
        ValueError: if a value is out of range; the message names it.
    """

    learning_rate: float
    iterations: int
    optimizer: str = "gradient_descent"
    batch_size: int | None = None
    schedule: str = "constant"
    final_fraction: float = 0.01
    momentum: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    l2: float = 0.0
    dropout: float = 0.0
    max_gradient_norm: float | None = None
    patience: int | None = None
    evaluate_every: int = 10
    class_weight: str | None = None

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epsilon", "final_fraction"):
            _require(name, getattr(self, name), "above 0", lambda v: v > 0)
        _require("final_fraction", self.final_fraction, "at most 1", lambda v: v <= 1)
        for name in ("momentum", "beta2", "dropout"):
            _require(name, getattr(self, name), "at least 0 and below 1", lambda v: 0 <= v < 1)
        _require("l2", self.l2, "at least 0", lambda v: v >= 0)
        _require_whole("iterations", self.iterations, 0)
        _require_whole("evaluate_every", self.evaluate_every, 1)
        if self.batch_size is not None:
            _require_whole("batch_size", self.batch_size, 1)
        if self.patience is not None:
            _require_whole("patience", self.patience, 1)
        if self.max_gradient_norm is not None:
            _require("max_gradient_norm", self.max_gradient_norm, "above 0", lambda v: v > 0)
        if self.class_weight not in (None, "balanced"):
            raise ValueError(f'class_weight must be one of "balanced", None, got {self.class_weight!r}')
        OPTIMIZERS.find(self.optimizer)
        SCHEDULES.find(self.schedule)
        self._convert_numbers()

    def _convert_numbers(self) -> None:
        """Convert NumPy scalars to Python numbers, since settings are saved as JSON with a state."""
        for name in (*_FLOATS, *_WHOLE):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, float(value) if name in _FLOATS else int(value))


_FLOATS = ("learning_rate", "final_fraction", "momentum", "beta2", "epsilon", "l2", "dropout", "max_gradient_norm")
_WHOLE = ("iterations", "evaluate_every", "batch_size", "patience")


class TrainingOptions(TypedDict, total=False):
    """The fields of `TrainingSettings` that have defaults, as keyword arguments."""

    optimizer: str
    batch_size: int | None
    schedule: str
    final_fraction: float
    momentum: float
    beta2: float
    epsilon: float
    l2: float
    dropout: float
    max_gradient_norm: float | None
    patience: int | None
    evaluate_every: int
    class_weight: str | None


def _require(name: str, value: object, rule: str, holds: Callable[[float], bool]) -> None:
    if not (isinstance(value, numbers.Real) and math.isfinite(value) and holds(float(value))):
        raise ValueError(f"{name} must be {rule}, got {value!r}")


def _require_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
