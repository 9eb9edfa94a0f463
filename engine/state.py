"""The state of a training run as plain arrays, from which it resumes bit for bit, and its .npz file."""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from engine.architecture import Architecture
from engine.arrays import Array
from engine.errors import DataError
from engine.optimizers import OPTIMIZERS
from engine.parameters import Parameters
from engine.settings import TrainingSettings

FORMAT = 1

Status = Literal["running", "complete", "stopped", "diverged"]


@dataclass(frozen=True, eq=False)
class TrainingState:
    """The state of a stack of R training runs at some iteration, as returned by `start` and `advance`. It is immutable.

    Attributes:
        architecture: the network.
        settings: the hyperparameters; `learning_rates` replaces settings.learning_rate.
        seeds: one seed per replica, for shuffling and masks.
        learning_rates: one learning rate per replica.
        iteration: number of updates so far.
        parameters: (R, P), the current parameters, or the last finite ones of a replica that diverged.
        slots: optimizer vectors by name, each (R, P).
        costs: (R, iteration), J before each update; NaN after a replica has ended.
        dev_costs: (R, evaluations), cost on dev at each multiple of evaluate_every; NaN after a replica has ended.
        status: "running", "complete", "stopped" (early) or "diverged", one per replica.
        ended: iteration at which a replica stopped or diverged, or −1, one per replica.
        best_parameters: (R, P), only used with patience: the parameters with the lowest dev cost, or the last finite
            ones of a replica that diverged.
        best_cost: (R,), the lowest dev cost; inf before the first evaluation.
        since_best: (R,), number of evaluations since the lowest dev cost.
        notes: any JSON value, which is saved with the state and otherwise ignored.
    """

    architecture: Architecture
    settings: TrainingSettings
    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]
    iteration: int
    parameters: Array
    slots: Mapping[str, Array]
    costs: Array
    dev_costs: Array
    status: tuple[Status, ...]
    ended: tuple[int, ...]
    best_parameters: Array
    best_cost: Array
    since_best: Array = field(repr=False)
    notes: Mapping[str, object] = field(default_factory=dict)

    @property
    def replicas(self) -> int:
        """Number of networks in the stack."""
        return len(self.seeds)

    @property
    def done(self) -> bool:
        """Whether all replicas have ended."""
        return all(status != "running" for status in self.status)

    def replica(self, index: int = 0) -> Parameters:
        """Return the resulting parameters of one network: the best, the last finite, or the current ones."""
        kept = self.status[index] == "diverged" or self.settings.patience is not None
        rows = self.best_parameters if kept else self.parameters
        return Parameters(self.architecture.layer_sizes, rows[index].copy())

    def curve(self, index: int = 0) -> Array:
        """Return J before each update of one replica, up to its end."""
        end = self.ended[index]
        return self.costs[index, : self.iteration if end < 0 else end]

    def save(self, path: Path) -> None:
        """Write the state to `path` as .npz, atomically."""
        head = {
            "format": FORMAT,
            "architecture": {
                "layer_sizes": self.architecture.layer_sizes,
                "hidden_activation": self.architecture.hidden_activation,
                "output_activation": self.architecture.output_activation,
                "cost": self.architecture.cost,
            },
            "settings": asdict(self.settings),
            "seeds": self.seeds,
            "learning_rates": self.learning_rates,
            "iteration": self.iteration,
            "status": self.status,
            "ended": self.ended,
            "notes": self.notes,
        }
        arrays = {f"slot_{name}": values for name, values in self.slots.items()}
        for name in ("parameters", "costs", "dev_costs", "best_parameters", "best_cost", "since_best"):
            arrays[name] = getattr(self, name)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, head=np.array(json.dumps(head)), **arrays)
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "TrainingState":
        """Read a state that `save` wrote.

        Raises:
            FileNotFoundError: if the file does not exist.
            DataError: if the file is damaged, or not a training state.
        """
        content = io.BytesIO(path.read_bytes())
        try:
            with np.load(content, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            head = json.loads(str(arrays.pop("head")))
            _check_format(head["format"], path)
            settings = TrainingSettings(**head["settings"])
            slots = {name: arrays.pop(f"slot_{name}") for name in OPTIMIZERS.find(settings.optimizer).slots}
            state = cls(
                architecture=Architecture(**head["architecture"]),
                settings=settings,
                seeds=tuple(head["seeds"]),
                learning_rates=tuple(head["learning_rates"]),
                iteration=head["iteration"],
                status=tuple(head["status"]),
                ended=tuple(head["ended"]),
                slots=slots,
                notes=head["notes"],
                **arrays,
            )
            state._check_shapes()
        except _OtherFormatError:
            raise
        except TORN as error:
            raise DataError(f"{path} is damaged or not a training state: {error}") from error
        return state

    def _check_shapes(self) -> None:
        R = self.replicas
        rows = (R, self.architecture.parameters_count)
        expected = {"costs": (R, self.iteration), "best_cost": (R,), "since_best": (R,)}
        expected |= dict.fromkeys(("parameters", "best_parameters"), rows)
        shapes = {name: (getattr(self, name).shape, shape) for name, shape in expected.items()}
        shapes |= {name: (slot.shape, rows) for name, slot in self.slots.items()}
        shapes["dev_costs"] = (self.dev_costs.shape, (R, *self.dev_costs.shape[1:2]))
        shapes |= {name: ((len(getattr(self, name)),), (R,)) for name in ("learning_rates", "status", "ended")}
        for name, (found, right) in shapes.items():
            if found != right:
                raise DataError(f"{name} must have shape {right}, got {found}")


class _OtherFormatError(DataError):
    pass


def _check_format(found: object, path: Path) -> None:
    if found != FORMAT:
        raise _OtherFormatError(f"{path} has format {found}, but this version reads only format {FORMAT}")


# Exceptions of zipfile, NumPy and the checks for missing or changed bytes.
TORN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    KeyError,
    TypeError,
    ValueError,
    EOFError,
    OSError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    RuntimeError,
    SyntaxError,
)


TEMPORARY = ".tmp"  # suffix of a file while it is being written


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: write a temporary file, fsync, rename, and fsync the folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
