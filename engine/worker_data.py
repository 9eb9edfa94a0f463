"""Train and dev as arrays on disk: written once by the coordinator, read by each worker once, never with a test row.

With folds there is one pair of train and dev for each. Their trains are laid into one stack: narrower or shorter ones
are filled up with features that are 0 and with examples of weight 0, which change nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.activations import Array
from engine.state import write_whole


@dataclass(frozen=True)
class Unit:
    """How a prediction gets back to the unit of the table: times scale, plus mean, and eʸ − 1 where log1p was taken."""

    mean: float = 0.0
    scale: float = 1.0
    log1p: bool = False

    def restore(self, A: Array) -> Array:
        """Return predictions or targets in the unit of the table."""
        if self == Unit():
            return A
        values: Array = A.astype(np.float64) * self.scale + self.mean
        return np.expm1(values) if self.log1p else values


@dataclass(frozen=True, eq=False)
class Fold:
    """One pair of train and dev, columns are examples: X (n_x, m), Y (n_y, m)."""

    train_X: Array
    train_Y: Array
    dev_X: Array
    dev_Y: Array
    unit: Unit = Unit()


@dataclass(frozen=True, eq=False)
class WorkerData:
    """What workers train on.

    Attributes:
        X: (n_x, m), or (K, n_x, m) with folds.
        Y: (n_y, m), or (K, n_y, m).
        weight: (K, 1, m) with folds of different length, else None.
        folds: as written; one without folds.
    """

    X: Array
    Y: Array
    weight: Array | None
    folds: tuple[Fold, ...]

    def fold(self, replica: int) -> Fold:
        """Return the fold of a replica: its own, or the one that all share."""
        return self.folds[replica if len(self.folds) > 1 else 0]


_PARTS = ("train_X", "train_Y", "dev_X", "dev_Y")


def write_data(folder: Path, folds: Sequence[Fold]) -> None:
    """Write the arrays of all folds, and their units, for workers to read.

    Files are replaced, never written over: whoever has mapped the old ones keeps them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, fold in enumerate(folds):
        for part in _PARTS:
            temporary = folder / ".part.npy"
            np.save(temporary, getattr(fold, part), allow_pickle=False)
            temporary.replace(folder / f"{part}.{index}.npy")
    write_whole(folder / "units.json", json.dumps([asdict(fold.unit) for fold in folds]).encode())
    read_data.cache_clear()  # what this process has read from there before may be other data


@lru_cache(maxsize=2)
def read_data(folder: str) -> WorkerData:
    """Return what `write_data` wrote; memory maps where there are no folds."""
    place = Path(folder)
    units = [Unit(**unit) for unit in json.loads((place / "units.json").read_text())]
    folds = tuple(
        Fold(
            **{part: np.load(place / f"{part}.{k}.npy", mmap_mode="r", allow_pickle=False) for part in _PARTS},
            unit=unit,
        )
        for k, unit in enumerate(units)
    )
    if len(folds) == 1:
        return WorkerData(folds[0].train_X, folds[0].train_Y, None, folds)
    return stack_folds(folds)


def stack_folds(folds: Sequence[Fold]) -> WorkerData:
    """Return folds as one stack, filled up to the widest and the longest of them."""
    width = max(fold.train_X.shape[0] for fold in folds)
    sizes = [fold.train_X.shape[1] for fold in folds]
    longest, n_y = max(sizes), folds[0].train_Y.shape[0]
    X = np.zeros((len(folds), width, longest), folds[0].train_X.dtype)
    Y = np.empty((len(folds), n_y, longest), folds[0].train_Y.dtype)
    weight = np.zeros((len(folds), 1, longest), X.dtype)
    for k, (fold, m) in enumerate(zip(folds, sizes, strict=True)):
        X[k, : fold.train_X.shape[0], :m] = fold.train_X
        Y[k, :, :m], Y[k, :, m:] = fold.train_Y, fold.train_Y[:, :1]
        weight[k, 0, :m] = 1
    return WorkerData(X, Y, None if min(sizes) == longest else weight, tuple(folds))


def widen(X: Array, n_x: int) -> Array:
    """Return X with rows of 0 below, so that it has n_x."""
    if X.shape[0] == n_x:
        return X
    return np.concatenate([X, np.zeros((n_x - X.shape[0], X.shape[1]), X.dtype)])
