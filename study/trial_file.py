"""The file of a finished trial: curves, weights, evaluations and dev predictions, written whole or not at all."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.activations import Array
from engine.quantum import Evaluation
from engine.state import write_whole


@dataclass(frozen=True, eq=False)
class TrialFile:
    """What is kept of a finished trial.

    Attributes:
        layer_sizes: (n[0], …, n[L]).
        parameters: (R, P), a row for each network.
        curves: J before each update of each network.
        evaluations: on dev, oldest first.
        dev_predictions: A[L] on dev of each network, (n_y, m), float32; empty unless training was completed.
    """

    layer_sizes: tuple[int, ...]
    parameters: Array
    curves: list[Array]
    evaluations: list[Evaluation]
    dev_predictions: list[Array]

    @property
    def costs(self) -> Array:
        """The mean curve of the networks, as far as all of them got."""
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
    digest = hashlib.sha256(parameters.tobytes())
    for curve in curves:
        digest.update(curve.tobytes())
    digest.update(values.encode())
    arrays = {"parameters": parameters, "layer_sizes": np.array(layer_sizes), "evaluations": np.array(values)}
    arrays |= {f"curve_{k}": curve for k, curve in enumerate(curves)}
    arrays |= {f"dev_{k}": A.astype(np.float32) for k, A in enumerate(dev_predictions)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())
    return digest.hexdigest()


def read_result(path: Path) -> TrialFile:
    """Read what `write_result` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    count = len(arrays["parameters"])
    return TrialFile(
        layer_sizes=tuple(int(n) for n in arrays["layer_sizes"]),
        parameters=arrays["parameters"],
        curves=[arrays[f"curve_{k}"] for k in range(count)],
        evaluations=json.loads(str(arrays["evaluations"])),
        dev_predictions=[arrays[f"dev_{k}"] for k in range(count) if f"dev_{k}" in arrays],
    )


def read_curve(path: Path) -> Array | None:
    """Return the mean curve of a finished trial's networks, without reading the rest; None where there is no file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _mean([file[name] for name in sorted(file.files) if name.startswith("curve_")])
    except FileNotFoundError:
        return None


def _mean(curves: Sequence[Array]) -> Array:
    shortest = min(len(curve) for curve in curves)
    mean: Array = np.mean([curve[:shortest] for curve in curves], axis=0)
    return mean
