"""Dense neural networks in vectorized NumPy, in the notation of Ng's deep learning course: columns are examples."""

from typing import TYPE_CHECKING

from engine.activations import ACTIVATIONS, Activation, elu, get_activation, leaky_relu, register_activation
from engine.architecture import Architecture
from engine.checks import balanced_weights
from engine.errors import AdditionError, DataError, ShapeError
from engine.gradients import BlockCheck, GradientCheck, gradient_check
from engine.initialization import initialize
from engine.metric_functions import register_metric
from engine.metrics import METRICS, Metric
from engine.operations import Operations
from engine.optimizers import OPTIMIZERS, Optimizer, OptimizerState, Step, register_optimizer
from engine.parameters import Parameters
from engine.prediction import cost, predict
from engine.schedules import SCHEDULES, Schedule, register_schedule
from engine.settings import TrainingOptions, TrainingSettings
from engine.state import Status, TrainingState
from engine.training import advance, start, train, train_stack
from engine.training_result import TrainingResult, results

if TYPE_CHECKING:
    from engine.estimators import DNNClassifier, DNNRegressor

__all__ = [
    "ACTIVATIONS",
    "METRICS",
    "OPTIMIZERS",
    "SCHEDULES",
    "Activation",
    "AdditionError",
    "Architecture",
    "BlockCheck",
    "DNNClassifier",
    "DNNRegressor",
    "DataError",
    "GradientCheck",
    "Metric",
    "Operations",
    "Optimizer",
    "OptimizerState",
    "Parameters",
    "Schedule",
    "ShapeError",
    "Status",
    "Step",
    "TrainingOptions",
    "TrainingResult",
    "TrainingSettings",
    "TrainingState",
    "advance",
    "balanced_weights",
    "cost",
    "elu",
    "get_activation",
    "gradient_check",
    "initialize",
    "leaky_relu",
    "predict",
    "register_activation",
    "register_metric",
    "register_optimizer",
    "register_schedule",
    "results",
    "start",
    "train",
    "train_stack",
]

_ESTIMATORS = ("DNNClassifier", "DNNRegressor")  # imported on first use, since they need scikit-learn


def __getattr__(name: str) -> object:
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from engine import estimators

    return getattr(estimators, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
