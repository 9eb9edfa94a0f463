"""Training chunks: the work of a worker on one trial, as a function from a state to a new state and evaluations.

Workers import only the engine and NumPy. An error in a trial is returned as a value, since an exception would end the
whole round.
"""

import math
import signal
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from engine.arrays import Array
from engine.errors import AdditionError
from engine.extensions import Extensions, ReceivedExtensions
from engine.metrics import METRICS, Metric, measure_metric
from engine.prediction import evaluate
from engine.state import TrainingState
from engine.training import advance_by
from engine.worker_data import PackedData, WorkerData, read_data, unpack_data, widen

NO_EXTENSIONS = Extensions()
Result = TypeVar("Result")
Returned = TypeVar("Returned", covariant=True)


class Chunk(Protocol[Returned]):
    """A piece of work for a worker, such as a `TrainingChunk`."""

    @property
    def data(self) -> str:
        """The folder that `write_data` wrote."""

    @property
    def units(self) -> float:
        """The units of work, each about a second."""

    @property
    def extensions(self) -> Extensions | ReceivedExtensions:
        """The registered entries that the work needs."""

    def run(self, packed: PackedData | None = None) -> Returned:
        """Do the work; `packed` has the data if the worker cannot read the folder.

        Raises as `run_chunk` does; all other errors are returned.
        """

    def failed(self, reason: str) -> Returned:
        """Return the result of work that no worker could do."""


@dataclass(frozen=True, eq=False)
class TrainingChunk:
    """A task for a worker: train one trial up to a given iteration.

    Attributes:
        trial: number of the trial.
        state: state of its training.
        until: iteration at which to stop.
        grid: iterations at which to evaluate on dev, in order.
        metrics: names of the metrics.
        data: folder that `write_data` wrote.
        units: units of work, each about a second. The most expensive chunk starts first, and a worker that takes many
            times longer is considered stuck.
        extensions: extensions that the training and the metrics need.
    """

    trial: int
    state: TrainingState
    until: int
    grid: tuple[int, ...]
    metrics: tuple[str, ...]
    data: str
    units: float = 0.0
    extensions: Extensions | ReceivedExtensions = NO_EXTENSIONS

    def run(self, packed: PackedData | None = None) -> "Outcome":
        """Train; see `run_chunk`."""
        return run_chunk(self, packed)

    def failed(self, reason: str) -> "Outcome":
        """Return the outcome of a chunk that failed: the state is unchanged."""
        return Outcome(self.trial, self.state, error=reason)


Evaluation = dict[str, Any]
"""An evaluation of a stack at some iteration: "iteration", and lists with one number per replica under "dev_cost" and
"dev_<metric>"; with folds, "dev_<metric>" has one number for the predictions of all folds together. None means that a
metric is undefined. It is plain JSON, so that it can be saved in the notes of the state."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a chunk.

    Attributes:
        trial: number of the trial.
        state: new state of its training, with the evaluations so far in its notes; the given state if the chunk failed.
        train: metrics on train at the end, in the form of those on dev in an `Evaluation`; None until then.
        dev_predictions: A[L] of each replica on dev at the end, (n_y, m); empty until then.
        seconds: CPU time of the thread that ran the chunk.
        error: traceback if an exception was raised.
    """

    trial: int
    state: TrainingState
    train: dict[str, list[float | None]] | None = None
    dev_predictions: tuple[Array, ...] = ()
    seconds: float = 0.0
    error: str | None = None


def ignore_interrupts() -> None:
    """Ignore SIGINT, which a terminal sends to all processes but only the coordinator must handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_chunk(chunk: TrainingChunk, packed: PackedData | None = None) -> Outcome:
    """Run one chunk and return its outcome.

    Args:
        chunk: the chunk.
        packed: the data, if the worker cannot read the chunk's folder.

    Raises:
        OSError: if the data cannot be read, which is no fault of the trial.
        MemoryError: if memory is insufficient, possibly because of other processes. All other errors are returned in
            the outcome.
        AdditionError: if an extension cannot be loaded in this process.
    """
    started = time.thread_time()  # not the time of the process, since with one job the coordinator has other threads
    try:
        outcome = _run_chunk(chunk, read_data(chunk.data) if packed is None else unpack_data(packed))
    except (OSError, MemoryError, AdditionError):
        raise
    except Exception:  # noqa: BLE001 - the coordinator records it
        outcome = chunk.failed(traceback.format_exc())
    return replace(outcome, seconds=time.thread_time() - started)


def run_chunks(chunks: Sequence[Chunk[Result]], packed: PackedData | None = None) -> list[Result]:
    """Run chunks of any kind one after another."""
    return [chunk.run(packed) for chunk in chunks]


def _run_chunk(chunk: TrainingChunk, data: WorkerData) -> Outcome:
    state = chunk.state
    received = chunk.extensions.install()
    metrics = [received[name] if name in received else METRICS.find(name) for name in chunk.metrics]
    end = state.settings.iterations
    stops = [i for i in chunk.grid if state.iteration < i < min(chunk.until, end)]
    stops.append(min(chunk.until, end))
    seen, outputs = evaluations(state), list[Array]()
    # Only the first chunk of a trial checks the data.
    known = state.iteration > 0
    for state in advance_by(chunk.state, data.X, data.Y, stops, sample_weight=data.weight, known=known):
        if "diverged" in state.status:
            break
        if state.done or state.iteration in chunk.grid:
            outputs, costs = _predict(state, data, "dev")
            dev = {f"dev_{name}": values for name, values in _measure(data, "dev", outputs, metrics).items()}
            evaluation: Evaluation = {"iteration": state.iteration, "dev_cost": costs, **dev}
            seen.append(evaluation)
    state = replace(state, notes={"evaluations": seen})
    if "diverged" in state.status or not state.done:
        return Outcome(chunk.trial, state)
    train = _measure(data, "train", _predict(state, data, "train")[0], metrics)
    return Outcome(chunk.trial, state, train, tuple(outputs))


def evaluations(state: TrainingState) -> list[Evaluation]:
    """Return the evaluations in the notes of a state, oldest first."""
    return list(cast("list[Evaluation]", state.notes.get("evaluations", [])))


def mean_value(evaluation: Evaluation, name: str) -> float:
    """Return the mean of one entry of an evaluation over the networks; NaN if it is undefined for any of them."""
    return float(np.mean([math.nan if value is None else value for value in evaluation[name]]))


def _predict(state: TrainingState, data: WorkerData, part: str) -> tuple[list[Array], list[float]]:
    """Return A[L] of each replica on a split, (n_y, m) each, and the costs."""
    outputs, costs = [], []
    for k in range(state.replicas):
        fold = data.fold(k)
        X, Y = getattr(fold, f"{part}_X"), getattr(fold, f"{part}_Y")
        A, J = evaluate(state.architecture, state.replica(k), widen(X, state.architecture.n_x), Y)
        outputs.append(A)
        costs.append(J)
    return outputs, costs


def _measure(
    data: WorkerData, part: str, outputs: list[Array], metrics: Sequence[Metric]
) -> dict[str, list[float | None]]:
    """Return the metrics on a split: one number per network, or one for the predictions of all folds together."""
    pairs = []
    for k, A in enumerate(outputs):
        fold = data.fold(k)
        pairs.append((fold.unit.restore(getattr(fold, f"{part}_Y")), fold.unit.restore(A)))
    if len(data.folds) > 1:
        Y, A = (np.concatenate(arrays, axis=1) for arrays in zip(*pairs, strict=True))
        pairs = [(Y, A)]
    return {metric.name: [measure_metric(metric, Y, A) for Y, A in pairs] for metric in metrics}
