"""The published points of the planar flower, and shared functions of lessons on points in the plane."""

from typing import Any

import numpy as np

from engine import Architecture, Parameters, predict

Array = np.ndarray[Any, np.dtype[Any]]
SIDE = 4.6  # half the side of the square around the flower
CELLS = 56  # points in a row of the square


def flower_points() -> tuple[Array, Array]:
    """Return X (2, 400) and Y (1, 400): as in planar_utils.load_planar_dataset of the course, with its seed."""
    rng = np.random.RandomState(1)
    X, Y = np.zeros((2, 400)), np.zeros((1, 400))
    for label in range(2):
        columns = slice(200 * label, 200 * (label + 1))
        t = np.linspace(label * 3.12, (label + 1) * 3.12, 200) + rng.randn(200) * 0.2
        r = 4 * np.sin(4 * t) + rng.randn(200) * 0.2
        X[:, columns] = r * np.sin(t), r * np.cos(t)
        Y[:, columns] = label
    return X, Y


def accuracy(architecture: Architecture, parameters: Parameters, X: Array, Y: Array) -> float:
    """Return the share of the examples that are classified correctly."""
    return float(((predict(architecture, parameters, X) > 0.5) == Y).mean())


def sides(architecture: Architecture, parameters: Parameters) -> list[str]:
    """Return the predicted class at each point of the square: rows of "0" and "1", lowest row first."""
    middles = (np.arange(CELLS) + 0.5) / CELLS * 2 * SIDE - SIDE
    x, y = np.meshgrid(middles, middles)
    seen = predict(architecture, parameters, np.vstack([x.ravel(), y.ravel()])) > 0.5
    return ["".join("01"[int(value)] for value in row) for row in seen.reshape(CELLS, CELLS)]
