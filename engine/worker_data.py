"""Train and dev as arrays on disk, written once by the coordinator and read once by each worker, without the test set.

A worker on another machine receives the same files once and keeps the arrays in memory.

With folds, there is one pair of train and dev per fold. The training sets are stacked; smaller ones are padded with
features that are 0 and examples with weight 0, which do not affect the result.
"""

import hashlib
import io
import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.arrays import Array, ByteArray
from engine.errors import DataError
from engine.state import TEMPORARY, TORN, write_whole


@dataclass(frozen=True)
class Unit:
    """The scale of a target: in the unit of the table, a value is y = A · scale + mean, or eʸ − 1 with log1p."""

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
    """One pair of train and dev, whose columns are examples: X (n_x, m) and Y (n_y, m).

    train_weight: (1, m), weight of each training example in the cost; None if all weights are equal.
    """

    train_X: Array
    train_Y: Array
    dev_X: Array
    dev_Y: Array
    unit: Unit = Unit()
    train_weight: Array | None = None


def restore_pairs(folds: Sequence[Fold], A: Array) -> list[tuple[Array, Array]]:
    """Return the targets and the predictions of each fold, in the unit of the table.

    Args:
        folds: folds whose dev examples were predicted.
        A: (n_y, M), predictions of all folds side by side.
    """
    ends = np.cumsum([fold.dev_Y.shape[1] for fold in folds])
    pieces = np.split(A, ends[:-1], axis=1)
    return [
        (fold.unit.restore(fold.dev_Y), fold.unit.restore(piece)) for fold, piece in zip(folds, pieces, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class WorkerData:
    """The data that workers train on.

    Attributes:
        X: (n_x, m), or (K, n_x, m) with folds.
        Y: (n_y, m), or (K, n_y, m).
        weight: (1, m), or (K, 1, m) with folds; None if all weights are equal.
        folds: the folds; a single one if the study has no folds.
    """

    X: Array
    Y: Array
    weight: Array | None
    folds: tuple[Fold, ...]

    def fold(self, replica: int) -> Fold:
        """Return the fold of a replica: its own, or the only one."""
        return self.folds[replica if len(self.folds) > 1 else 0]


ALIGNMENT = 64  # bytes; alignment of the data in a .npy file, and therefore in a memory map
HEADER = 4096  # bytes; the headers of .npy files with plain arrays are smaller
_PARTS = ("train_X", "train_Y", "dev_X", "dev_Y")
_WEIGHT = "train_weight"  # only written if examples have weights


def write_data(folder: Path, folds: Sequence[Fold]) -> None:
    """Write the arrays and target scales of all folds for the workers.

    Files are replaced rather than overwritten, so that processes that have mapped the old files keep them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, fold in enumerate(folds):
        for part in (*_PARTS, _WEIGHT):
            array: Array | None = getattr(fold, part)
            if array is None:
                (folder / _file(part, index)).unlink(missing_ok=True)
                continue
            temporary = folder / f".part{TEMPORARY}"
            with temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
            temporary.replace(folder / _file(part, index))
    write_whole(folder / "units.json", json.dumps([asdict(fold.unit) for fold in folds]).encode())
    write_whole(folder / "digest", pack_data(folder).digest.encode())
    read_data.cache_clear()  # the folder may have contained other data before


@lru_cache(maxsize=2)
def read_data(folder: str) -> WorkerData:
    """Read the data that `write_data` wrote, as memory maps if there are no folds."""
    place = Path(folder)
    units = (place / "units.json").read_text()
    # Convert to plain arrays, since small operations are slower on NumPy's memmap class.
    weighted = {path.name for path in place.glob(f"{_WEIGHT}.*")}
    return _gather(units, weighted, lambda name: np.asarray(np.load(place / name, mmap_mode="r", allow_pickle=False)))


def read_checked_data(folder: Path) -> WorkerData:
    """Read the data like `read_data`, after comparing the files with their digest.

    Raises:
        FileNotFoundError: if a file is missing.
        DataError: if the files are damaged.
    """
    digest = folder / "digest"
    try:
        if digest.exists() and digest.read_bytes() != pack_data(folder).digest.encode():
            raise DataError(f"{folder} is damaged")
        return read_data(str(folder))
    except FileNotFoundError:
        raise
    except TORN as error:
        raise DataError(f"{folder} is damaged: {error}") from error


@dataclass(frozen=True)
class PackedData:
    """The files that `write_data` wrote, for sending to workers. Equal contents compare equal.

    Attributes:
        digest: SHA-256 of all files.
        units: content of units.json.
        files: bytes of each file, by name.
    """

    digest: str
    units: str
    files: Mapping[str, ByteArray] = field(compare=False, repr=False)


def pack_data(folder: Path) -> PackedData:
    """Read the files that `write_data` wrote, for workers that cannot access the folder."""
    units = (folder / "units.json").read_text()
    names = [_file(part, k) for k in range(len(json.loads(units))) for part in (*_PARTS, _WEIGHT)]
    there = [name for name in names if not name.startswith(_WEIGHT) or (folder / name).exists()]
    files = {name: np.fromfile(folder / name, np.uint8) for name in there}
    digest = hashlib.sha256(units.encode())
    for content in files.values():
        digest.update(content.tobytes())
    return PackedData(digest.hexdigest(), units, files)


@lru_cache(maxsize=2)
def unpack_data(packed: PackedData) -> WorkerData:
    """Return the data like `read_data`, aligned like its memory maps, since the bits of sums depend on alignment."""
    return _gather(packed.units, packed.files, lambda name: _as_mapped(packed.files[name]))


def _as_mapped(content: ByteArray) -> Array:
    """Return the array of a .npy file's bytes like a memory map: read-only, and aligned to a multiple of 64 bytes."""
    room = np.empty(content.size + ALIGNMENT, np.uint8)
    first = -room.ctypes.data % ALIGNMENT
    aligned = room[first : first + content.size]
    aligned[:] = content
    file = io.BytesIO(content[:HEADER].tobytes())
    read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = read_header[np.lib.format.read_magic(file)[0]](file)
    array: Array = np.ndarray(shape, dtype, aligned.data, file.tell(), order="F" if fortran else "C")
    array.setflags(write=False)
    return array


def _gather(units: str, names: Container[str], read: Callable[[str], Array]) -> WorkerData:
    folds = tuple(
        Fold(
            **{part: read(_file(part, k)) for part in _PARTS},
            unit=Unit(**unit),
            train_weight=read(_file(_WEIGHT, k)) if _file(_WEIGHT, k) in names else None,
        )
        for k, unit in enumerate(json.loads(units))
    )
    if len(folds) == 1:
        return WorkerData(folds[0].train_X, folds[0].train_Y, folds[0].train_weight, folds)
    return stack_folds(folds)


def _file(part: str, fold: int) -> str:
    return f"{part}.{fold}.npy"


def stack_folds(folds: Sequence[Fold]) -> WorkerData:
    """Return folds as one stack, padded to the largest width and length."""
    width = max(fold.train_X.shape[0] for fold in folds)
    sizes = [fold.train_X.shape[1] for fold in folds]
    longest, n_y = max(sizes), folds[0].train_Y.shape[0]
    X = np.zeros((len(folds), width, longest), folds[0].train_X.dtype)
    Y = np.empty((len(folds), n_y, longest), folds[0].train_Y.dtype)
    weight = np.zeros((len(folds), 1, longest), X.dtype)
    for k, (fold, m) in enumerate(zip(folds, sizes, strict=True)):
        X[k, : fold.train_X.shape[0], :m] = fold.train_X
        Y[k, :, :m], Y[k, :, m:] = fold.train_Y, fold.train_Y[:, :1]
        weight[k, 0, :m] = 1 if fold.train_weight is None else fold.train_weight[0]
    equal = min(sizes) == longest and all(fold.train_weight is None for fold in folds)
    return WorkerData(X, Y, None if equal else weight, tuple(folds))


def widen(X: Array, n_x: int) -> Array:
    """Return X padded with rows of 0 to n_x rows."""
    if X.shape[0] == n_x:
        return X
    return np.concatenate([X, np.zeros((n_x - X.shape[0], X.shape[1]), X.dtype)])
