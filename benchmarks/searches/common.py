"""What the peers of `benchmarks/quality.py` share: arguments, data, and how long they may take.

Each is called as `python PEER.py FOLDER SECONDS SEED`. In the folder are `train.csv` and `test.csv`, whose column
`target` is the class; the peer prints its accuracy on test, and reads test for nothing else.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STARTED = time.monotonic()
DEV = 0.25  # of what a peer is given, where it does not cross-validate
RESERVE = 4.0  # seconds kept for training the best once more, and for what has begun when the time is up


class Task:
    """One search."""

    def __init__(self) -> None:
        folder, seconds, seed = sys.argv[1:]
        self.seed = int(seed)
        # Python and the libraries have been starting for about a second when this module is read.
        self.deadline = STARTED - 1.0 + float(seconds) - RESERVE
        self.X, self.y = _read(Path(folder) / "train.csv")
        self._test = Path(folder) / "test.csv"

    @property
    def left(self) -> float:
        """Seconds until the best has to be trained once more."""
        return self.deadline - time.monotonic()

    def finish(self, model: Any) -> None:
        """Print the accuracy on test of a model that has been trained."""
        X, y = _read(self._test)
        print(float(np.mean(model.predict(X) == y)))


def _read(path: Path) -> tuple[Any, Any]:
    table = pd.read_csv(path)
    return table.drop(columns="target").to_numpy(np.float64), table["target"].to_numpy()
