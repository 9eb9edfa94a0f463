"""The file of a finished trial: curves, weights, evaluations and dev predictions, written atomically."""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.activations import Array
from engine.state import TORN, write_whole
from engine.training_chunk import Evaluation
from study.errors import UserError

log = logging.getLogger("study")
Read = TypeVar("Read")


@dataclass(frozen=True, eq=False)
class TrialFile:
    """The content of a trial's file.

    Attributes:
        layer_sizes: (n[0], …, n[L]).
        parameters: (R, P), a row for each network.
        curves: the cost J before each update, for each network.
        evaluations: evaluations on dev, oldest first.
        dev_predictions: A[L] on dev of each network, (n_y, m), float32; empty unless training was completed.
    """

    layer_sizes: tuple[int, ...]
    parameters: Array
    curves: list[Array]
    evaluations: list[Evaluation]
    dev_predictions: list[Array]

    @property
    def costs(self) -> Array:
        """The mean curve of the networks, up to the end of the shortest one."""
        return _mean(self.curves)


def write_result(
    path: Path,
    *,
    parameters: Array,
    curves: Sequence[Array],
    evaluations: Sequence[Evaluation],
    dev_predictions: Sequence[Array],
    layer_sizes: tuple[int, ...],
) -> str:
    """Write the file; return the fingerprint, a SHA-256 over parameters, curves and dev values."""
    values = json.dumps(list(evaluations))
    arrays = {"parameters": parameters, "layer_sizes": np.array(layer_sizes), "evaluations": np.array(values)}
    arrays |= {f"curve_{k}": curve for k, curve in enumerate(curves)}
    arrays |= {f"dev_{k}": A.astype(np.float32) for k, A in enumerate(dev_predictions)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())
    return _fingerprint(parameters, curves, values)


def _fingerprint(parameters: Array, curves: Sequence[Array], values: str) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(parameters).data)
    for curve in curves:
        digest.update(np.ascontiguousarray(curve).data)
    digest.update(values.encode())
    return digest.hexdigest()


class DamagedError(UserError):
    """Raised if the file of a trial has changed since it was written."""


def read_result(path: Path, fingerprint: str | None = None) -> TrialFile:
    """Read a file that `write_result` wrote, and check its fingerprint if one is given.

    Raises:
        FileNotFoundError: the file does not exist.
        DamagedError: the file has changed.
    """
    with _undamaged(path):
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        count, values = len(arrays["parameters"]), str(arrays["evaluations"])
        found = TrialFile(
            layer_sizes=tuple(int(n) for n in arrays["layer_sizes"]),
            parameters=arrays["parameters"],
            curves=[arrays[f"curve_{k}"] for k in range(count)],
            evaluations=json.loads(values),
            dev_predictions=[arrays[f"dev_{k}"] for k in range(count) if f"dev_{k}" in arrays],
        )
        if fingerprint is not None and _fingerprint(found.parameters, found.curves, values) != fingerprint:
            raise ValueError("the fingerprint differs from the ledger's")
    return found


def find_result(path: Path, fingerprint: str | None = None) -> TrialFile | None:
    """Read a file that `write_result` wrote; return None if it is missing, or, with a warning, if it is damaged."""
    return _found(lambda: read_result(path, fingerprint))


def find_curve(path: Path) -> Array | None:
    """Return the mean curve of a trial's networks without reading the rest; None as in `find_result`."""

    def read() -> Array:
        with _undamaged(path), path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            return _mean([file[name] for name in sorted(file.files) if name.startswith("curve_")])

    return _found(read)


def _found(read: Callable[[], Read]) -> Read | None:
    try:
        return read()
    except FileNotFoundError:
        return None
    except DamagedError as error:
        log.warning("%s", error)
        return None


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except TORN as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0][:80]
        raise DamagedError(f"{path}: the file is damaged ({why}); restore it from a backup") from None


def _mean(curves: Sequence[Array]) -> Array:
    shortest = min(len(curve) for curve in curves)
    mean: Array = np.mean([curve[:shortest] for curve in curves], axis=0)
    return mean
