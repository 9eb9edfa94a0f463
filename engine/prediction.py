"""A single forward pass, for predictions and for the cost on data other than the training set."""

import numpy as np
from numpy.typing import ArrayLike

from engine.architecture import Architecture
from engine.arrays import Array
from engine.checks import check_X, check_XY
from engine.parameters import Parameters, check_fit


def predict(architecture: Architecture, parameters: Parameters, X: ArrayLike) -> Array:
    """Return A[L] with shape (n_y, m): probabilities for sigmoid and softmax, values for identity and relu.

    Args:
        architecture: the network.
        parameters: its parameters.
        X: (n_x, m), columns are examples.

    Raises:
        ShapeError, DataError: if X or the parameters do not match the architecture.

    Examples:
        One neuron with w = (1, −1) and b = 0:

        >>> import numpy as np
        >>> from engine import Architecture, Parameters, predict
        >>> neuron = Parameters.from_arrays([np.array([[1.0, -1.0]])], [np.array([[0.0]])])
        >>> X = np.array([[2.0, 0.0], [2.0, 3.0]])  # two examples as columns
        >>> predict(Architecture((2, 1)), neuron, X).round(3)
        array([[0.5  , 0.047]])
    """
    check_fit(architecture, parameters)
    Z = output_Z(architecture, parameters, check_X(X, architecture.n_x))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return architecture.output.activate(Z)


def cost(architecture: Architecture, parameters: Parameters, X: ArrayLike, Y: ArrayLike) -> float:
    """Return J on (X, Y): the mean loss, without any penalty.

    Raises:
        ShapeError, DataError: if X, Y or the parameters do not match the architecture.
    """
    check_fit(architecture, parameters)
    X, Y = check_XY(architecture, X, Y)
    return evaluate(architecture, parameters, X, Y)[1]


def evaluate(architecture: Architecture, parameters: Parameters, X: Array, Y: Array) -> tuple[Array, float]:
    """Return A[L], with shape (n_y, m), and J in one forward pass. X and Y must have been checked."""
    Z = output_Z(architecture, parameters, X)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        A, losses = architecture.output.evaluate(Z, Y.astype(Z.dtype, copy=False))
        return A, float(losses.mean(dtype=np.float64))


def output_Z(architecture: Architecture, parameters: Parameters, X: Array) -> Array:
    """Return Z[L] with shape (n_y, m). X must have been checked."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        A = X.astype(parameters.dtype, copy=False)
        for layer, (W, b) in enumerate(zip(parameters.W, parameters.b, strict=True)):
            Z = W @ A  # Z[l] = W[l] A[l−1] + b[l]
            Z += b
            if layer < architecture.depth:
                A = np.empty_like(Z)
                architecture.activations[layer].forward(Z, A, np.empty_like(Z))
    return Z
