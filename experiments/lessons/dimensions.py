"""Lesson 10, week 4: the error messages of the engine if a matrix has the wrong dimensions.

A network with 2 features, 3 hidden units and 1 output. W[l] is (n[l], n[l−1]), b[l] is (n[l], 1), X is (n_x, m).

>>> import numpy as np
>>> from engine import Architecture, Parameters, train
>>> network = Architecture((2, 3, 1), "tanh")
>>> X, Y = np.zeros((2, 5)), np.array([[0, 1, 0, 1, 0]])
>>> W1, b1 = np.zeros((3, 2)), np.zeros((3, 1))
>>> W2, b2 = np.zeros((1, 3)), np.zeros((1, 1))

An array of rank 1 is neither a row nor a column:

>>> train(network, X, np.array([0, 1, 0, 1, 0]), learning_rate=0.1, iterations=1)
Traceback (most recent call last):
    ...
engine.errors.ShapeError: Y must be a matrix (n_y, m) whose columns are examples, got shape (5,); use Y.reshape(1, -1) for one row

Examples as rows, as most tables have them:

>>> train(network, X.T, Y, learning_rate=0.1, iterations=1)
Traceback (most recent call last):
    ...
engine.errors.ShapeError: X must have shape (2, m), one row per feature, got (5, 2); examples are columns here, so pass X.T

W[2] transposed:

>>> Parameters.from_arrays([W1, W2.T], [b1, b2])
Traceback (most recent call last):
    ...
engine.errors.ShapeError: W[2] must have 3 columns, one per unit of layer 1, got shape (3, 1)

b[1] as a row, which NumPy would silently add to Z[1] if there happened to be 3 examples:

>>> Parameters.from_arrays([W1, W2], [b1.T, b2])
Traceback (most recent call last):
    ...
engine.errors.ShapeError: b[1] must have shape (3, 1), got (1, 3)

With the right shapes:

>>> Parameters.from_arrays([W1, W2], [b1, b2]).layer_sizes
(2, 3, 1)
"""  # noqa: E501 - the messages of the engine are single lines

import doctest
import inspect
import sys
from pathlib import Path
from typing import Any


def run(_home: Path) -> dict[str, Any]:
    """Run the examples above; return their number, and the number of failures."""
    found = doctest.testmod(sys.modules[__name__])
    return {"examples": found.attempted, "wrong": found.failed}


def examples() -> str:
    """Return the examples as Markdown, with a code block after each line of text."""
    lines, code = [], False
    for line in inspect.getdoc(sys.modules[__name__]).splitlines()[2:]:  # type: ignore[union-attr] - it is not None
        if line.startswith(">>>") and not code:
            lines.append("```pycon")
            code = True
        elif not line and code:
            lines.append("```")
            code = False
        lines.append(line)
    return "\n".join([*lines, "```"])
