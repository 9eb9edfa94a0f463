"""Shared code of the systems that `benchmarks/quality.py` compares: arguments, data, and the time limit.

Each system is run as `python PEER.py FOLDER SECONDS SEED`. The folder contains `train.csv` and `test.csv`, whose column
`target` is the class. The system prints its accuracy on test, and uses test for nothing else.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STARTED = time.monotonic()
DEV = 0.25  # share of the given rows in dev, without cross-validation
RESERVE = 4.0  # seconds reserved for retraining the best model, and for finishing running work when the time is up


class Task:
    """One search."""

    def __init__(self) -> None:
        folder, seconds, seed = sys.argv[1:]
        self.seed = int(seed)
        # Python and the libraries have already taken about a second when this module is imported.
        self.deadline = STARTED - 1.0 + float(seconds) - RESERVE
        self.X, self.y = _read(Path(folder) / "train.csv")
        self._test = Path(folder) / "test.csv"

    @property
    def left(self) -> float:
        """Seconds until the best model must be retrained."""
        return self.deadline - time.monotonic()

    def finish(self, model: Any) -> None:
        """Print the accuracy of a trained model on test."""
        X, y = _read(self._test)
        print(float(np.mean(model.predict(X) == y)))


def _read(path: Path) -> tuple[Any, Any]:
    table = pd.read_csv(path)
    return table.drop(columns="target").to_numpy(np.float64), table["target"].to_numpy()
