"""A quantum of work on one trial, as a worker does it: state in, state and evaluations out, nothing else touched.

Workers import this module and NumPy alone. Data is read from a folder of .npy files that the coordinator wrote once;
it holds train and dev, never test. What goes wrong comes back as a value, since an exception would end the
whole round.
"""

import json
import signal
import time
import traceback
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.activations import Array
from engine.metrics import METRICS
from engine.parameters import Parameters
from engine.prediction import mean_loss, output_Z
from engine.state import TrainingState, write_whole
from engine.training import advance

PARTS = ("train_X", "train_Y", "dev_X", "dev_Y")


@dataclass(frozen=True, eq=False)
class Quantum:
    """What a worker is asked to do.

    Attributes:
        trial: number of the trial.
        state: where its training stands.
        until: iteration to train up to.
        grid: iterations at which dev is evaluated, in order.
        metrics: names of the metrics.
        data: folder that `write_data` wrote.
    """

    trial: int
    state: TrainingState
    until: int
    grid: tuple[int, ...]
    metrics: tuple[str, ...]
    data: str


Evaluation = dict[str, Any]
"""A look at a stack at some iteration: "iteration", and lists with a number for each replica under "dev_cost" and
"dev_<metric>"; plain JSON, so that it travels in the notes of the state."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a worker gives back.

    Attributes:
        trial: number of the trial.
        state: where its training stands now, with the evaluations so far in its notes; the one given where the
            work failed.
        train: metrics on train at the end, one number a replica; empty before.
        dev_predictions: A[L] on dev at the end, (R, n_y, m), in float32; None before.
        seconds: processor time of the quantum.
        error: traceback where something was raised.
    """

    trial: int
    state: TrainingState
    train: dict[str, list[float]] | None = None
    dev_predictions: Array | None = None
    seconds: float = 0.0
    error: str | None = None


def ignore_interrupts() -> None:
    """Make this process a worker: Ctrl-C, which a terminal sends to all, is the coordinator's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def work(quantum: Quantum) -> Outcome:
    """Train one trial by one quantum; never raises."""
    started = time.process_time()
    try:
        outcome = _work(quantum)
    except Exception:  # noqa: BLE001 - travels to the coordinator as a value, into the ledger and the run
        outcome = Outcome(quantum.trial, quantum.state, error=traceback.format_exc())
    return replace(outcome, seconds=time.process_time() - started)


def _work(quantum: Quantum) -> Outcome:
    data = read_data(quantum.data)
    state = quantum.state
    end = state.settings.iterations
    stops = [i for i in quantum.grid if state.iteration < i < min(quantum.until, end)]
    for stop in [*stops, min(quantum.until, end)]:
        state = advance(state, data.arrays["train_X"], data.arrays["train_Y"], iterations=stop - state.iteration)
        if "diverged" in state.status:
            return Outcome(quantum.trial, state)
        if state.done or stop in quantum.grid:
            A, costs = _predict(state, data, "dev")
            dev = {f"dev_{name}": values for name, values in _measure(data, "dev", A, quantum.metrics).items()}
            evaluation: Evaluation = {"iteration": state.iteration, "dev_cost": costs, **dev}
            state = replace(state, notes={"evaluations": [*evaluations(state), evaluation]})
    if not state.done:
        return Outcome(quantum.trial, state)
    train = _measure(data, "train", _predict(state, data, "train")[0], quantum.metrics)
    return Outcome(quantum.trial, state, train, A.astype(np.float32))


def evaluations(state: TrainingState) -> list[Evaluation]:
    """Return the evaluations that a state carries, oldest first."""
    return list(state.notes.get("evaluations", []))


@dataclass(frozen=True, eq=False)
class Data:
    """Train and dev as the engine takes them, and how to bring a prediction back to its own unit."""

    arrays: dict[str, Array]
    mean: float
    scale: float
    log1p: bool

    def to_units(self, A: Array) -> Array:
        """Return predictions or targets in the unit of the table."""
        if self.scale == 1 and self.mean == 0 and not self.log1p:
            return A
        values = A.astype(np.float64) * self.scale + self.mean
        return np.expm1(values) if self.log1p else values


def write_data(
    folder: Path, arrays: dict[str, Array], *, mean: float = 0.0, scale: float = 1.0, log1p: bool = False
) -> None:
    """Write the arrays named in PARTS, (n, m) each, and the unit of the target, for workers to read."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        np.save(folder / f"{name}.npy", arrays[name], allow_pickle=False)
    write_whole(folder / "unit.json", json.dumps({"mean": mean, "scale": scale, "log1p": log1p}).encode())


@lru_cache(maxsize=4)
def read_data(folder: str) -> Data:
    """Return what `write_data` wrote: memory maps, read once a process."""
    place = Path(folder)
    arrays = {name: np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in PARTS}
    return Data(arrays, **json.loads((place / "unit.json").read_text()))


def _predict(state: TrainingState, data: Data, part: str) -> tuple[Array, list[float]]:
    """Return A[L] of each replica on a part, (R, n_y, m), and the costs."""
    X, Y = data.arrays[f"{part}_X"], data.arrays[f"{part}_Y"]
    outputs, costs = [], []
    for k in range(state.replicas):
        parameters: Parameters = state.replica(k)
        Z = output_Z(state.architecture, parameters, X)
        A = np.empty_like(Z)
        with np.errstate(over="ignore", under="ignore"):
            state.architecture.output.forward(Z, A)
        outputs.append(A)
        costs.append(mean_loss(state.architecture, Z, Y))
    return np.stack(outputs), costs


def _measure(data: Data, part: str, A: Array, names: tuple[str, ...]) -> dict[str, list[float]]:
    Y = data.to_units(data.arrays[f"{part}_Y"])
    return {name: [METRICS[name].compute(Y, data.to_units(a)) for a in A] for name in names}
