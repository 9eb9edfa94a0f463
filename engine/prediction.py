"""A single forward pass, for predictions and for the cost on data other than the training set."""

from collections.abc import Iterator

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


TILE = 256  # columns; the outputs of a layer of 64 units are 128 KB in float64, which stay in the cache


def predict_each(architecture: Architecture, rows: Array, X: ArrayLike) -> Iterator[Array]:
    """Yield A[L] of each of several networks, (n_y, m), in float64.

    Columns are computed in tiles of a fixed width, the last one filled up with zeros. BLAS sums in an order that
    depends on the number of columns, so otherwise the outputs of an example would depend on the examples beside it.

    Args:
        architecture: the architecture of all networks.
        rows: (R, P), the parameters of a network in each row.
        X: (n_x, m), columns are examples.

    Raises:
        ShapeError, DataError: if X or the parameters do not match the architecture.
    """
    X = check_X(X, architecture.n_x)
    m = X.shape[1]
    tiles = np.zeros((-(-m // TILE), architecture.n_x, TILE))
    for place, tile in enumerate(tiles):
        part = X[:, place * TILE : (place + 1) * TILE]
        tile[:, : part.shape[1]] = part
    for vector in rows:
        parameters = Parameters(architecture.layer_sizes, vector.astype(np.float64))
        A = np.empty((architecture.n_y, len(tiles) * TILE))
        for place, tile in enumerate(tiles):
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                A[:, place * TILE : (place + 1) * TILE] = architecture.output.activate(
                    output_Z(architecture, parameters, tile)
                )
        yield A[:, :m]


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
