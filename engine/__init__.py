"""Dense neural networks in vectorized NumPy, in the notation of Ng's deep-learning course: columns are examples."""

from engine.activations import ACTIVATIONS, Activation, elu, get_activation, leaky_relu
from engine.architecture import Architecture
from engine.checks import balanced_weights
from engine.errors import DataError, ShapeError
from engine.gradients import BlockCheck, GradientCheck, gradient_check
from engine.initialization import initialize
from engine.parameters import Parameters
from engine.prediction import cost, predict
from engine.settings import TrainingSettings
from engine.state import TrainingState
from engine.training import TrainingResult, advance, results, start, train, train_stack

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Architecture",
    "BlockCheck",
    "DataError",
    "GradientCheck",
    "Parameters",
    "ShapeError",
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
    "results",
    "start",
    "train",
    "train_stack",
]
