"""What a trial is: from a setting to a training that starts, in quanta, and from its end to a value and a record.

The coordinator calls it; the work itself is `engine.quantum.work`, which runs in the workers.
"""

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine import Architecture, TrainingState, start
from engine.metrics import METRICS, metrics_for
from engine.quantum import PARTS, Evaluation, Outcome, Quantum, evaluations, write_data
from engine.state import write_whole
from engine.work import count_work
from study.data import Dataset, TargetScale
from study.errors import UserError
from study.home import StudyFolder
from study.space import architecture_of, complete, middle, training_of, upper
from study.spec import Spec

POINTS = 20  # values that a trial of full length reports to the pruner
QUANTA = 8  # quanta of a trial in the middle of the space
LEAST, MOST = 0.05, 1.0  # units of work of a quantum
_SAMPLER, _NETWORK = 1, 2


def sampler_seed(seed: int, trial: int) -> int:
    """Return the seed of the sampler that proposes a trial: a function of (study seed, trial number)."""
    return int(np.random.SeedSequence(seed, spawn_key=(_SAMPLER, trial)).generate_state(1)[0])


def network_seed(seed: int, trial: int, replica: int = 0) -> int:
    """Return the seed of a network: a function of (study seed, trial number, replica)."""
    state = np.random.SeedSequence(seed, spawn_key=(_NETWORK, trial, replica)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@dataclass(eq=False)
class OpenTrial:
    """A trial that is being worked on."""

    number: int
    setting: dict[str, Any]
    state: TrainingState
    iterations: int  # that have been told to the ledger; the state may be older where a process died
    quantum: int  # iterations of a quantum
    seconds: float = 0.0


class Objective:
    """The objective of one study.

    Args:
        spec: the study.
        dataset: train and dev.
        folder: where the arrays for workers are written.
    """

    def __init__(self, spec: Spec, dataset: Dataset, folder: StudyFolder) -> None:
        self.spec, self.dataset, self.folder = spec, dataset, folder
        self.metric = choose_metric(spec, dataset)
        self.metrics = tuple(metric.name for metric in metrics_for(dataset.task))
        longest = int(upper(spec.space.iterations))
        self.grid = tuple(sorted({math.ceil(longest * k / POINTS) for k in range(1, POINTS + 1)}))
        self.quantum_units = self._quantum_units()

    def write_data(self) -> None:
        """Write train and dev where workers read them; never a row of test."""
        arrays = {f"{part}_{kind}": getattr(getattr(self.dataset, part), kind) for part, kind in map(_split, PARTS)}
        unit = self.dataset.target_scale or TargetScale(0.0, 1.0, log1p=False)
        write_data(self.folder.data, arrays, mean=unit.mean, scale=unit.scale, log1p=unit.log1p)

    def architecture(self, setting: Mapping[str, Any]) -> Architecture:
        """Return the network of a setting."""
        return architecture_of(setting, self.dataset.n_x, self.dataset.n_y, self.dataset.output_activation)

    def units_per_iteration(self, setting: Mapping[str, Any]) -> float:
        """Return the work of one iteration of a setting."""
        settings = training_of(setting)
        work = count_work(
            self.architecture(setting),
            self.dataset.train.m,
            batch_size=settings.batch_size,
            optimizer=settings.optimizer,
        )
        return work.units

    def open(self, number: int, params: Mapping[str, Any]) -> OpenTrial:
        """Return a trial before its first iteration."""
        setting = complete(self.spec.space, params)
        state = start(
            self.architecture(setting),
            training_of(setting),
            seeds=[network_seed(self.spec.search.seed, number)],
            initialization=setting["initialization"],
            dtype=np.float32,
        )
        quantum = max(1, int(self.quantum_units / self.units_per_iteration(setting)))
        return OpenTrial(number, setting, state, 0, quantum)

    def quantum(self, trial: OpenTrial) -> Quantum:
        """Return the next quantum of work on a trial."""
        return Quantum(
            trial=trial.number,
            state=trial.state,
            until=trial.iterations + trial.quantum,
            grid=self.grid,
            metrics=self.metrics,
            data=str(self.folder.data),
        )

    def value(self, evaluation: Evaluation) -> float:
        """Return what is compared: the mean of the metric on dev over the replicas."""
        return float(np.mean(evaluation[f"dev_{self.metric}"]))

    def result(self, trial: OpenTrial, reason: str | None, outcome: Outcome | None) -> dict[str, Any]:
        """Write the files of a trial that ends, and return what the ledger keeps of it."""
        state = trial.state
        curve, parameters = state.curve(), state.replica()
        predictions = outcome.dev_predictions if outcome is not None else None
        metrics: dict[str, float] = {}
        if len(curve):
            metrics["cost"] = float(curve[-1])
        seen = evaluations(state)
        if seen:
            metrics |= {name: float(np.mean(values)) for name, values in seen[-1].items() if name != "iteration"}
        if outcome is not None and outcome.train is not None:
            metrics |= {f"train_{name}": float(np.mean(values)) for name, values in outcome.train.items()}
        dev_values = json.dumps(seen)
        fingerprint = hashlib.sha256(parameters.vector.tobytes() + curve.tobytes() + dev_values.encode()).hexdigest()
        arrays = {"costs": curve, "parameters": parameters.vector, "layer_sizes": np.array(parameters.layer_sizes)}
        if predictions is not None:
            arrays["dev_predictions"] = predictions
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, evaluations=np.array(dev_values), **arrays)
        path = self.folder.result(trial.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, buffer.getvalue())
        return {
            "fingerprint": fingerprint,
            "iterations": len(curve),
            "seconds": round(trial.seconds, 6),
            "metrics": {name: value for name, value in metrics.items() if math.isfinite(value)},
            "parameters": state.architecture.parameters_count,
            "work": round(self.units_per_iteration(trial.setting) * len(curve), 6),
            "reason": reason,
        }

    def _quantum_units(self) -> float:
        space = self.spec.space
        depth = round(middle(space.depth))
        setting: dict[str, Any] = {f"units_{k}": round(middle(space.units)) for k in range(1, depth + 1)}
        setting |= {"depth": depth, "learning_rate": 1.0, "iterations": 1, "optimizer": space.optimizer[0]}
        setting |= {"batch_size": space.batch_size[-1], "schedule": "constant", "l2": 0.0}
        units = self.units_per_iteration(setting) * middle(space.iterations) / QUANTA
        return min(MOST, max(LEAST, units))


def choose_metric(spec: Spec, dataset: Dataset) -> str:
    """Return the metric that is compared: the one in the spec, or the usual one of the task.

    Raises:
        UserError: the metric in the spec is of another task.
    """
    name = spec.search.metric or dataset.default_metric
    fitting = [metric.name for metric in metrics_for(dataset.task)]
    if name not in fitting:
        raise UserError(f"[search] metric: {name!r} does not fit a {dataset.task} task; one of {', '.join(fitting)}")
    return name


def direction_of(metric: str) -> Literal["maximize", "minimize"]:
    """Return "maximize" or "minimize"."""
    return METRICS[metric].direction


def _split(name: str) -> tuple[str, str]:
    part, kind = name.split("_")
    return part, kind
