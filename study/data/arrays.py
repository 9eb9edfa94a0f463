"""Read arrays from .npz and .h5 files. Images are flattened and scaled to 0..1.

The first axis of X is the example axis, as is usual for images. A matrix with examples in columns is transposed if its
shape matches the labels only that way.
"""

import math
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.state import TORN
from study.data.memory import Room
from study.errors import UserError, did_you_mean, needs_package
from study.text.formatting import counted

if TYPE_CHECKING:
    import h5py

Array = npt.NDArray[np.generic]

_USUAL_NAMES = {
    "x": ("x", "data", "images", "features", "inputs"),
    "y": ("y", "labels", "label", "target", "targets", "classes"),
}
_CLASS_NAMES = ("list_classes", "class_names", "target_names")


@dataclass(frozen=True, eq=False)
class Loaded:
    """The arrays of a file.

    Attributes:
        X: Examples, (m, n_x).
        y: Labels, (m,).
        images: Whether X contains pixels.
        class_names: Names of the classes if the file lists them.
        read_as: The names and shapes of the arrays.
        notes: Other findings, one line each.
    """

    X: Array
    y: Array
    images: bool
    class_names: tuple[str, ...]
    read_as: str
    notes: tuple[str, ...]


def read_arrays(
    path: Path,
    x: str | None,
    y: str | None,
    role: str = "train",
    fallback: tuple[str | None, str | None] = (None, None),
) -> Loaded:
    """Read examples and labels.

    Args:
        path: The file.
        x: The name of the examples in the file; None tries common names (X, x_train, train_set_x, ...).
        y: The name of the labels in the file; None tries common names.
        role: "train" or "test", which determines the common names.
        fallback: Names to try if x or y is None and no common name is found.

    Raises:
        UserError: If the file is not a valid archive, an array is missing, or the shapes do not match.
    """
    arrays = _Archive(path)
    names = arrays.names()
    x_name = _choose(path, names, x, "x", role, fallback[0])
    y_name = _choose(path, names, y, "y", role, fallback[1])
    X, labels = arrays.read(x_name), arrays.read(y_name)
    read_as, notes = f"examples {x_name} {X.shape}, labels {y_name} {labels.shape}", list[str]()
    listed = next((name for name in names if name.rpartition("/")[2].lower() in _CLASS_NAMES), None)
    class_names = tuple(_text(name) for name in arrays.read(listed).ravel()) if listed else ()
    X, labels = _oriented(path, X, labels, notes)
    images = X.ndim > 2 or X.dtype == np.uint8
    for name, array in ((x_name, X), (y_name, labels)):
        if array.dtype.kind == "c":
            raise UserError(
                f"{path.name}: {name} contains complex numbers ({array.dtype}); save the real and imaginary parts, or "
                "the magnitude, as separate columns"
            )
    if X.dtype.kind not in "biuf":
        raise UserError(f"{path.name}: {x_name} contains {X.dtype}, not numbers")
    X = X.reshape(len(X), -1)
    if images:
        top = 255.0 if np.issubdtype(X.dtype, np.integer) or X.max() > 1 else 1.0
        X = X.astype(np.float32) / np.float32(top)
        notes.append(
            f"{path.name}: images were flattened to {counted(X.shape[1], 'value')}"
            + (" and divided by 255" * (top > 1))
        )
    elif X.dtype != np.float64:
        wide = X.dtype.kind in "iu" and (X.astype(np.float32) != X).any()  # integers that float32 cannot represent
        X = X.astype(np.float64 if wide else np.float32)
    if labels.dtype.kind == "S":
        labels = np.array([_text(label) for label in labels])
    return Loaded(X, labels, images, class_names, read_as, tuple(notes))


def feature_names(count: int, images: bool) -> tuple[str, ...]:
    """Return the names of the columns of X: pixel_0, ... for images, otherwise x_0, ..."""
    stem = "pixel" if images else "x"
    return tuple(f"{stem}_{index}" for index in range(count))


class _Archive:
    """Access by name to the arrays of an .npz or .h5 file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_npz = path.suffix.lower() == ".npz"
        self.room = Room(path)

    def names(self) -> list[str]:
        if self.is_npz:
            try:
                with np.load(self.path, allow_pickle=False) as archive:
                    return list(archive.files)
            except (*TORN, AttributeError) as error:  # AttributeError: the file contains a single array without a name
                raise UserError(f"{self.path.name} is not a NumPy .npz archive") from error
        h5py = _h5py(self.path)
        names: list[str] = []
        try:
            with h5py.File(self.path, "r") as file:
                file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        except TORN as error:
            raise UserError(f"{self.path.name} is not an HDF5 file") from error
        return names

    def read(self, name: str) -> Array:
        """Return an array. A MemoryError is passed on to the caller."""
        try:
            return self._read_npz(name) if self.is_npz else self._read_hdf5(name)
        except MemoryError:
            raise
        except TORN as error:
            raise self._unreadable(name, error) from None

    def _read_npz(self, name: str) -> Array:
        with np.load(self.path, allow_pickle=False) as archive:
            for member in archive.zip.infolist():
                if member.filename.removesuffix(".npy") == name:
                    self.room.take(name, member.file_size)
                    if member.filename != name and _holds_objects(archive.zip, member.filename):
                        raise UserError(
                            f"{self.path.name}: {name} contains Python objects, which are not supported; save numbers "
                            "or text instead"
                        )
            return np.asarray(archive[name])

    def _read_hdf5(self, name: str) -> Array:
        h5py = _h5py(self.path)
        with h5py.File(self.path, "r") as file:
            dataset = file[name]
            # Otherwise, an untrusted file could refer to any other file on this machine.
            if dataset.external or dataset.is_virtual:
                raise UserError(
                    f"{self.path.name}: {name} stores its data in other files, which is not supported; "
                    f"store the data in this file"
                )
            self.room.check(f"a chunk of {name}", math.prod(dataset.chunks or ()) * dataset.dtype.itemsize)
            self.room.take(name, dataset.nbytes)
            if not dataset.dtype.hasobject:
                return np.asarray(dataset[()])
            if h5py.check_string_dtype(dataset.dtype) is None:
                raise UserError(f"{self.path.name}: {name} contains {dataset.dtype}, not numbers or text")
            return self._read_texts(name, dataset)

    def _read_texts(self, name: str, dataset: "h5py.Dataset") -> Array:
        """Read variable-length strings in batches, because many of them may refer to one long string in the file."""
        if dataset.ndim == 0:
            raise UserError(f"{self.path.name}: {name} is a single string, not an array")
        across = max(1, math.prod(dataset.shape[1:]))
        step = max(1, self.room.bytes // (8 * across * max(1, self.path.stat().st_size)))
        pieces = [np.empty((0, *dataset.shape[1:]), dtype=object)]
        for start in range(0, len(dataset), step):
            pieces.append(dataset[start : start + step])
            self.room.take(name, sum(map(len, pieces[-1].ravel())))
        texts: Array = np.vectorize(_text, otypes=[object])(np.concatenate(pieces))
        return texts

    def _unreadable(self, name: str, error: Exception) -> UserError:
        why = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        return UserError(f"{self.path.name}: {name} could not be read ({why}); save the file again")


def _holds_objects(archive: zipfile.ZipFile, member: str) -> bool:
    """Return whether an array of an .npz file contains Python objects according to its header."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with archive.open(member) as file:
        reader = readers.get(np.lib.format.read_magic(file))
        return reader is not None and bool(reader(file)[2].hasobject)


def _h5py(path: Path) -> ModuleType:
    try:
        return import_module("h5py")
    except ImportError as error:
        raise needs_package(f"{path.name}: a .h5 file", "h5py", "or save the data as .npz") from error


def _choose(path: Path, names: list[str], given: str | None, what: str, role: str, fallback: str | None) -> str:
    """Return the name of the "x" or "y" array in the file: the given name, or else a common one for the role."""
    key = f"test_{what}" if role == "test" else what
    if given is not None:
        wanted = given.strip("/")
        if wanted not in names:
            raise UserError(f"{path.name}: [data] {key} {given!r} not found in the file; {did_you_mean(wanted, names)}")
        return wanted
    by_lower = {name.lower(): name for name in names}
    for stem in _USUAL_NAMES[what]:
        for candidate in (f"{role}_{stem}", f"{stem}_{role}", f"{role}_set_{stem}", f"{role}/{stem}", stem):
            if candidate in by_lower:
                return by_lower[candidate]
    if fallback is not None and fallback.strip("/") in names:
        return fallback.strip("/")
    raise UserError(
        f"{path.name}: no {'labels' if what == 'y' else 'examples'} found; "
        + (f"set [data] {key} to one of {', '.join(names)}" if names else "the file contains no arrays")
    )


def _oriented(path: Path, X: Array, y: Array, notes: list[str]) -> tuple[Array, Array]:
    """Return X with examples on the first axis and y as (m,).

    Raises:
        UserError: If X and y have different numbers of examples.
    """
    if y.ndim == 2 and 1 in y.shape:
        y = y.reshape(-1)
    if X.ndim == 1:
        X = X[:, None]
    if y.ndim == 2 and X.ndim >= 2 and np.issubdtype(y.dtype, np.number):
        axis = 1 if y.shape[0] in (X.shape[0], X.shape[-1]) else 0
        if set(np.unique(y)) == {0, 1} and (y.sum(axis=axis) == 1).all():
            y = y.argmax(axis=axis)
            notes.append(f"{path.name}: one-hot labels were converted to class numbers")
    if y.ndim != 1:
        raise UserError(f"{path.name}: labels must be one per row, or one-hot, got shape {y.shape}")
    if X.ndim == 2 and len(X) != len(y) == X.shape[1]:
        notes.append(f"{path.name}: examples were in columns and were transposed to rows")
        X = np.ascontiguousarray(X.T)
    if len(X) != len(y):
        raise UserError(
            f"{path.name}: the numbers of examples and labels must be equal, got {counted(len(X), 'example')} "
            f"(first axis) and {counted(len(y), 'label')}"
        )
    if len(X) == 0:
        raise UserError(f"{path.name} contains no examples")
    return X, y


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
