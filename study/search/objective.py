"""The objective of a study: turns a configuration into training chunks, and a finished training run into a result.

The training itself is `engine.training_chunk.run_chunk`, which runs in the workers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine import ACTIVATIONS, OPTIMIZERS, SCHEDULES, Architecture, TrainingSettings, TrainingState, start
from engine.extensions import Extensions
from engine.metrics import METRICS, metrics_for
from engine.training_chunk import Evaluation, Outcome, TrainingChunk, evaluations, mean_value
from engine.work import Work, count_work
from engine.worker_data import Fold, Unit, write_data
from study.data import Dataset
from study.errors import UserError
from study.ledger.home import StudyFolder
from study.ledger.trial_artifact import write_result
from study.search.divergence import ConstantPrediction
from study.search.metric_choice import check_defined, choose_metrics
from study.search.search_space import (
    architecture_of,
    check_class_weight,
    complete,
    encoding_of,
    encodings_of,
    middle,
    training_of,
    upper,
)
from study.spec import Spec
from study.spec.encoding import Encoding
from study.spec.parameters import Configuration
from study.spec.search import OTHER_OBJECTIVES

POINTS = 20  # number of values that a trial of maximum length reports to the pruner
CHUNKS_PER_TRIAL = 8  # number of chunks of a trial in the middle of the space
LEAST, MOST = 0.05, 1.0  # units of work of a chunk
_SAMPLER, _NETWORK = 1, 2


def sampler_seed(seed: int, trial: int, attempt: int = 0) -> int:
    """Return the seed of the sampler that proposes a trial: a function of (study seed, trial number, attempt)."""
    return int(np.random.SeedSequence(seed, spawn_key=(_SAMPLER, trial, attempt)).generate_state(1)[0])


def network_seed(seed: int, trial: int, replica: int = 0) -> int:
    """Return the seed of a network: a function of (study seed, trial number, replica)."""
    state = np.random.SeedSequence(seed, spawn_key=(_NETWORK, trial, replica)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@dataclass(frozen=True, eq=False)
class OpenTrial:
    """A trial that is being trained."""

    number: int
    configuration: dict[str, Any]
    state: TrainingState
    iterations: int  # completed, according to the ledger; the state may be older after a crash
    chunk_iterations: int
    units: float  # units of work of one iteration
    seconds: float = 0.0


class Objective:
    """The objective of one study.

    Args:
        spec: the spec of the study.
        datasets: train and dev in all encodings that are needed; with folds, one dataset for each fold.
        folder: the folder of the study, where the arrays for workers are written.

    Attributes:
        encodings: the encodings of the space; the datasets have the first.
        n_x: number of features by encoding of the datasets; with folds, the largest one.
    """

    def __init__(self, spec: Spec, datasets: Sequence[Dataset], folder: StudyFolder) -> None:
        self.spec, self.datasets, self.folder = spec, datasets, folder
        self.dataset = datasets[0]
        self.objectives = choose_metrics(spec, self.dataset)
        check_defined(self.objectives, datasets)
        self.metric = self.objectives[0]
        self.metrics = tuple(metric.name for metric in metrics_for(self.dataset.task, self.objectives))
        self.extensions = extensions_of(spec, self.metrics)
        self.constant = ConstantPrediction.on(folds_of(datasets), self.dataset.task, self.objectives)
        check_class_weight(spec.space, self.dataset.task)
        self.encodings = encodings_of(spec.space)
        loaded = [each.encoding for each in (self.dataset, *self.dataset.others)]
        self.n_x = {each: max(data.n_x for data in self.encoded(each)) for each in loaded}
        self.m = max(dataset.train.m for dataset in datasets)
        self.replicas = max(len(datasets), spec.search.seeds)
        longest = int(upper(spec.space.iterations))
        self.grid = tuple(sorted({math.ceil(longest * k / POINTS) for k in range(1, POINTS + 1)}))
        self.chunk_work = self._chunk_work()

    def write_data(self, part: Literal["dev", "confirm"] = "dev", folder: Path | None = None) -> None:
        """Write train and a split to predict for the workers, once for each encoding; test rows are never written.

        Args:
            part: the split.
            folder: the folder; None is that of the search.
        """
        for encoding in self.n_x:
            write_data(self._data_of(folder or self.folder.data, encoding), folds_of(self.encoded(encoding), part))

    def data_folder(self, configuration: Mapping[str, Any], folder: Path | None = None) -> Path:
        """Return the folder from which workers read the data of a configuration; `folder` as in `write_data`."""
        return self._data_of(folder or self.folder.data, encoding_of(configuration))

    def _data_of(self, folder: Path, encoding: Encoding) -> Path:
        return folder if encoding == self.encodings[0] else folder / encoding.label

    def encoded(self, encoding: Encoding) -> list[Dataset]:
        """Return the datasets with their numbers in an encoding."""
        return [dataset.encoded(encoding) for dataset in self.datasets]

    def architecture(self, configuration: Mapping[str, Any]) -> Architecture:
        """Return the network of a configuration."""
        n_x = self.n_x[encoding_of(configuration)]
        return architecture_of(configuration, n_x, self.dataset.n_y, self.dataset.output_activation)

    def fits(self, params: Configuration) -> bool:
        """Return whether the network of these parameters has at most max_parameters parameters."""
        most = self.spec.space.max_parameters
        return most is None or self.architecture(complete(self.spec.space, params)).parameters_count <= most

    def iteration_work(self, configuration: Mapping[str, Any], replicas: int | None = None) -> Work:
        """Return the work of one iteration of a stack of networks; None uses as many replicas as a trial has."""
        architecture = self.architecture(configuration)
        return iteration_work(architecture, training_of(configuration), self.m, replicas or self.replicas)

    def open(self, number: int, params: Configuration) -> OpenTrial:
        """Return a trial before its first iteration."""
        configuration = complete(self.spec.space, params)
        state = start(
            self.architecture(configuration),
            training_of(configuration),
            seeds=[network_seed(self.spec.search.seed, number, k) for k in range(self.replicas)],
            initialization=configuration["initialization"],
            dtype=np.float32,
        )
        units = self.iteration_work(configuration).units
        return OpenTrial(number, configuration, state, 0, self.chunk_iterations(configuration), units)

    def chunk_iterations(self, configuration: Mapping[str, Any]) -> int:
        """Return the number of iterations in one chunk of a trial."""
        return max(1, int(self.chunk_work / self.iteration_work(configuration).units))

    def next_chunk(self, trial: OpenTrial, stop: int | None = None) -> TrainingChunk:
        """Return the next training chunk of a trial, which ends at iteration `stop` at the latest."""
        until = min(trial.iterations + trial.chunk_iterations, trial.state.settings.iterations)
        until = until if stop is None else min(until, stop)
        return TrainingChunk(
            trial=trial.number,
            state=trial.state,
            until=until,
            grid=self.grid,
            metrics=self.metrics,
            data=str(self.data_folder(trial.configuration)),
            units=trial.units * (until - trial.state.iteration),
            extensions=self.extensions,
        )

    def value(self, evaluation: Evaluation) -> float:
        """Return the value that is compared: the metric on dev, averaged over the networks of a trial."""
        return mean_value(evaluation, f"dev_{self.metric}")

    def values(self, trial: OpenTrial) -> list[float]:
        """Return the value of each objective of a completed trial."""
        values = {
            "parameters": float(trial.state.architecture.parameters_count),
            "work": self.work(trial),
            self.metric: self.value(evaluations(trial.state)[-1]),
        }
        last = evaluations(trial.state)[-1]
        return [values[name] if name in values else mean_value(last, f"dev_{name}") for name in self.objectives]

    def work(self, trial: OpenTrial) -> float:
        """Return the units of work done on a trial."""
        return round(trial.units * trial.state.iteration, 6)

    def why_failed(self, state: TrainingState) -> str | None:
        """Return why training failed, with a remedy; None if it has not failed, or has not ended."""
        if "diverged" in state.status:
            where = [end for status, end in zip(state.status, state.ended, strict=True) if status == "diverged"]
            seeds = f" in {len(where)} of {state.replicas} networks" if state.replicas > 1 else ""
            return f"diverged at iteration {min(where)}{seeds}; a lower learning_rate would help"
        if not state.done:
            return None
        last = evaluations(state)[-1]
        values = {name: mean_value(last, f"dev_{name}") for name in ("cost", *self.metrics)}
        for name in self.objectives:
            if not math.isfinite(values.get(name, 0.0)):
                return f"{name} on dev is {values[name]}"
        return self.constant.why_diverged(self.metric, values)

    def result(self, trial: OpenTrial, reason: str | None, outcome: Outcome | None) -> dict[str, object]:
        """Write the file of a trial that ends, and return the result that the ledger stores."""
        state, seen = trial.state, evaluations(trial.state)
        curves = [state.curve(k) for k in range(state.replicas)]
        metrics: dict[str, float] = {}
        if all(len(curve) for curve in curves):
            metrics["cost"] = float(np.mean([curve[-1] for curve in curves]))
        last: dict[str, Any] = {
            name: values for name, values in (seen[-1] if seen else {}).items() if name != "iteration"
        }
        if outcome is not None and outcome.train is not None:
            last |= {f"train_{name}": values for name, values in outcome.train.items()}
        for name, values in last.items():
            metrics[name] = mean_value(last, name)
            if len(values) > 1 and None not in values:
                metrics |= {f"{name}_{k}": value for k, value in enumerate(values)}
        fingerprint = write_result(
            self.folder.result(trial.number),
            parameters=np.stack([state.replica(k).vector for k in range(state.replicas)]),
            curves=curves,
            evaluations=seen,
            dev_predictions=outcome.dev_predictions if outcome is not None else (),
            layer_sizes=state.architecture.layer_sizes,
        )
        return {
            "fingerprint": fingerprint,
            "iterations": max(len(curve) for curve in curves),
            "seconds": round(trial.seconds, 6),
            "metrics": {name: value for name, value in metrics.items() if math.isfinite(value)},
            "parameters": state.architecture.parameters_count,
            "work": self.work(trial),
            "reason": reason,
        }

    def _chunk_work(self) -> float:
        """Return the work of a chunk: an eighth of a trial in the middle of the space.

        It is averaged over batch sizes and encodings.
        """
        space = self.spec.space
        depth = round(middle(space.depth))
        configuration: dict[str, Any] = {f"units_{k}": round(middle(space.units)) for k in range(1, depth + 1)}
        configuration |= {"depth": depth, "learning_rate": 1.0, "iterations": 1, "optimizer": space.optimizer[0]}
        configuration |= {"schedule": "constant", "l2": middle(space.l2), "dropout": middle(space.dropout)}
        each = [
            self.iteration_work(
                configuration | {"batch_size": size, "encoding": encoding.name, "bins": encoding.bins}
            ).units
            for size in space.batch_size
            for encoding in self.encodings
        ]
        units = sum(each) / len(each) * middle(space.iterations) / CHUNKS_PER_TRIAL
        return min(MOST, max(LEAST, units))


def iteration_work(architecture: Architecture, settings: TrainingSettings, m: int, replicas: int) -> Work:
    """Return the work of one iteration of a stack of networks on m examples."""
    return count_work(
        architecture,
        m,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
        replicas=replicas,
        dropout=settings.dropout > 0,
        l2=settings.l2 > 0,
    )


def extensions_of(spec: Spec, metrics: Sequence[str] = ()) -> Extensions:
    """Return the registered entries that training a study's configurations, and these metrics, may need."""
    return Extensions(
        (
            *METRICS.added(metrics),
            *ACTIVATIONS.added(spec.space.activation),
            *OPTIMIZERS.added(spec.space.optimizer),
            *SCHEDULES.added(spec.space.schedule),
        )
    )


def folds_of(datasets: Sequence[Dataset], part: Literal["dev", "confirm"] = "dev") -> list[Fold]:
    """Return train and a split to predict of each dataset, in the form that workers read.

    Raises:
        UserError: the split is "confirm", and the spec has no confirm split.
    """
    folds = []
    for dataset in datasets:
        predicted = dataset.confirm if part == "confirm" else dataset.dev
        if predicted is None:
            raise UserError("[data] confirm is not set, so there is no confirm split; set it to a fraction such as 0.1")
        train = dataset.train
        folds.append(Fold(train.X, train.Y, predicted.X, predicted.Y, unit_of(dataset), train.weight))
    return folds


def unit_of(dataset: Dataset) -> Unit:
    """Return the conversion of predictions to the unit of the table."""
    scale = dataset.target_scale
    return Unit() if scale is None else Unit(scale.mean, scale.scale, scale.log1p)


def direction_of(objective: str) -> Literal["maximize", "minimize"]:
    """Return "maximize" or "minimize"."""
    return "minimize" if objective in OTHER_OBJECTIVES else METRICS[objective].direction
