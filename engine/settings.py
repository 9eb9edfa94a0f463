"""How a network is trained: the hyperparameters beside the architecture, checked when made."""

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.schedules import SCHEDULES

OPTIMIZER_NAMES = ("gradient_descent", "momentum", "nesterov", "rmsprop", "adam", "adamw")


@dataclass(frozen=True)
class TrainingSettings:
    """The hyperparameters of one training.

    Attributes:
        learning_rate: α, above 0.
        iterations: updates of the parameters, at least 0. With mini-batches an iteration is one mini-batch.
        optimizer: "gradient_descent", "momentum", "nesterov", "rmsprop", "adam" or "adamw".
        batch_size: examples in a mini-batch; None (or m and more) is the full batch, in the order given. Each epoch is
            shuffled anew from the seed; its last mini-batch may be smaller.
        schedule: "constant", "inverse_time", "step" or "cosine".
        final_fraction: learning rate at the end over that at the start, for all schedules but "constant".
        momentum: μ of momentum and Nesterov, β₁ of Adam; from 0 to below 1.
        beta2: decay of the mean square of RMSProp and Adam; from 0 to below 1.
        epsilon: added to the root of the mean square.
        l2: λ of the penalty (λ/2) Σ ‖W[l]‖², added to J; biases are free. With "adamw" it is the decoupled weight
            decay: not part of J, W ← W − α λ W.
        dropout: share of hidden units left out in each iteration, from 0 to below 1 (inverted: the others are scaled
            up, so that nothing changes at prediction).
        max_gradient_norm: longest gradient allowed, over all parameters; None is no limit.
        patience: evaluations on dev without a lower dev cost before training stops, and the best parameters are kept;
            None never stops. Needs dev data.
        evaluate_every: iterations between two evaluations on dev.

    Raises:
        ValueError: a value out of its range; the message names it.
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
        if self.optimizer not in OPTIMIZER_NAMES:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZER_NAMES)}, got {self.optimizer!r}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        # NumPy's scalars become Python's: a state is saved with its settings as JSON.
        for name in ("learning_rate", "final_fraction", "momentum", "beta2", "epsilon", "l2", "dropout"):
            object.__setattr__(self, name, float(getattr(self, name)))
        for name in ("iterations", "evaluate_every", "batch_size", "patience"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, int(getattr(self, name)))
        if self.max_gradient_norm is not None:
            object.__setattr__(self, "max_gradient_norm", float(self.max_gradient_norm))


def _require(name: str, value: object, rule: str, holds: Callable[[float], bool]) -> None:
    if not (isinstance(value, numbers.Real) and math.isfinite(value) and holds(float(value))):
        raise ValueError(f"{name} must be {rule}, got {value!r}")


def _require_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
