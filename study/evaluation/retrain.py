"""Retraining of configurations on the same fresh seeds, with one or a few stacks of networks per configuration.

The networks of each configuration are stored in a file once they are trained. If the process dies, only unfinished
configurations are lost, and a second call trains nothing.
"""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from engine import start
from engine.activations import Array
from engine.state import TORN, write_whole
from engine.training_chunk import TrainingChunk
from study.evaluation.averaging import average_of
from study.evaluation.influence import largest_weight, score_table, truth_of
from study.evaluation.stacks import CHUNK_WORK, Stack, memory_of, split, train_side_by_side
from study.execution import Workers
from study.ledger.confirmation import Average, Part
from study.ledger.home import StudyFolder
from study.search.divergence import ConstantPrediction
from study.search.objective import Objective, folds_of
from study.search.search_space import complete, training_of
from study.spec.parameters import Configuration

log = logging.getLogger("study")

_FRESH = 7  # spawn key of the seeds; see `study.search.objective` for the others


def fresh_seed(seed: int, replica: int, fold: int = 0) -> int:
    """Return the seed of a network: a function of (study seed, replica, fold), the same for all configurations."""
    state = np.random.SeedSequence(seed, spawn_key=(_FRESH, replica, fold)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@dataclass(frozen=True, eq=False)
class Retrained:
    """A retrained configuration.

    Attributes:
        parameters: (R, P), a row for each network; with folds, the networks of a seed are consecutive.
        predictions: A[L] on the split, (S, n_y, M), float32, with the examples of all folds concatenated. Empty if a
            network diverged.
        seconds: CPU time.
        reason: why there are no predictions.
        lasting: whether another attempt would give the same result; false if a worker was lost.
    """

    parameters: Array
    predictions: Array
    seconds: float
    reason: str | None
    lasting: bool = True


class Retraining:
    """Retrains configurations of a study.

    Args:
        objective: objective of the study. Its data must be written.
        part: the examples that the networks predict.
        seeds: number of networks for each configuration; with folds, for each configuration and fold.
        folder: folder for the files of networks.
    """

    def __init__(self, objective: Objective, part: Part, seeds: int, folder: Path) -> None:
        self.objective, self.seeds, self.folder = objective, seeds, folder
        self.folds = folds_of(objective.datasets, part)
        self.constant = (
            objective.constant
            if part == "dev"
            else ConstantPrediction.on(self.folds, objective.dataset.task, objective.objectives)
        )
        self.part = part
        self.weight = largest_weight(objective.metric, truth_of(self.folds, part))  # of an example in the metric
        self.data = data_of(objective.folder, part)

    def train(
        self,
        configurations: Mapping[str, Configuration],
        workers: Workers,
        done: Callable[[str], None],
        progress: Callable[[float], None] = lambda _: None,
    ) -> dict[str, Retrained]:
        """Train the configurations that have no file yet; return all of them.

        Args:
            configurations: parameters of the search space, by a name that is valid as a file name.
            workers: workers inside their `with` block; the results do not depend on their number.
            done: called with the name of each configuration that has been trained.
            progress: called with the share of the work that is done, from 0 to 1.
        """
        keys = {name: self._key(params) for name, params in configurations.items()}
        kept = {name: _read(self._path(name), key) for name, key in keys.items()}
        missing = {name: configurations[name] for name, found in kept.items() if found is None}
        trained = {name: found for name, found in kept.items() if found is not None}
        if missing:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.part != "dev":
                self.objective.write_data(self.part, self.data)
            memory = memory_of(workers)
            stacks = [stack for name, params in missing.items() for stack in self._stacks(name, params, memory)]
            waiting = {name: sum(stack.name == name for stack in stacks) for name in missing}
            workers.need(len(stacks))
            for stack in train_side_by_side(workers, stacks, self._next_chunk, progress):
                waiting[stack.name] -= 1
                if not waiting[stack.name]:
                    mine = [other for other in stacks if other.name == stack.name]
                    trained[stack.name] = self._gather(mine)
                    if trained[stack.name].lasting:
                        _write(self._path(stack.name), keys[stack.name], trained[stack.name])
                    done(stack.name)
        return {name: trained[name] for name in configurations}

    def table(self, predictions: Array) -> Array:
        """Return the values of single examples by seed; see `score_table`."""
        return score_table(self.objective.metric, self.folds, self.part, predictions)

    def average(self, predictions: Array, table: Array) -> Average:
        """Return the value of the average of the networks; see `average_of`."""
        return average_of(self.objective.metric, self.folds, self.part, predictions, table, self.weight)

    def _stacks(self, name: str, params: Configuration, memory: int) -> list[Stack]:
        objective, seed = self.objective, self.objective.spec.search.seed
        configuration = complete(objective.spec.space, params)
        folds = len(self.folds)
        if folds > 1:
            groups = split(range(self.seeds), 1)
        else:
            one, two = (objective.iteration_work(configuration, replicas).memory for replicas in (1, 2))
            groups = split(range(self.seeds), min(self.seeds, memory // max(1, two - one)))
        return [
            Stack(
                name,
                partial(
                    start,
                    objective.architecture(configuration),
                    training_of(configuration),
                    seeds=[fresh_seed(seed, replica, fold) for replica in group for fold in range(folds)],
                    initialization=configuration["initialization"],
                    dtype=np.float32,
                ),
                configuration["iterations"],
                objective.iteration_work(configuration, len(group) * folds).units,
                str(objective.data_folder(configuration, self.data)),
            )
            for group in groups
        ]

    def _next_chunk(self, stack: Stack) -> TrainingChunk:
        state = stack.started()
        until = state.iteration + max(1, int(CHUNK_WORK / stack.units))
        metrics, extensions = (self.objective.metric,), self.objective.extensions
        return TrainingChunk(0, state, until, (), metrics, stack.data, CHUNK_WORK, extensions)

    def _gather(self, stacks: Sequence[Stack]) -> Retrained:
        states = [stack.started() for stack in stacks]
        parameters = np.stack([state.replica(k).vector for state in states for k in range(state.replicas)])
        seconds = round(sum(stack.seconds for stack in stacks), 6)
        errors = [stack.error.rstrip().rpartition("\n")[2] for stack in stacks if stack.error]
        if errors or any("diverged" in state.status for state in states):
            reason = errors[0] if errors else "diverges on a fresh seed; a lower learning_rate would help"
            return Retrained(parameters, np.zeros((0, 0, 0), np.float32), seconds, reason, lasting=not errors)
        flat = [A.astype(np.float32) for stack in stacks for A in stack.predictions]
        folds = len(self.folds)
        by_seed = [np.concatenate(flat[first : first + folds], axis=1) for first in range(0, len(flat), folds)]
        predictions = np.stack(by_seed)
        failed = self.constant.why_predictions_diverged(self.folds, self.objective.metric, predictions, self.part)
        if failed is not None:
            predictions = np.zeros((0, 0, 0), np.float32)
        return Retrained(parameters, predictions, seconds, failed)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _key(self, params: Configuration) -> str:
        """Return a digest of everything that the networks of a configuration depend on."""
        objective = self.objective
        described = {
            "params": complete(objective.spec.space, params),
            "seeds": self.seeds,
            "seed": objective.spec.search.seed,
            "part": self.part,
            "data": objective.spec.data.model_dump(mode="json"),
            "fingerprints": [dataset.part_fingerprints for dataset in objective.datasets],
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def data_of(folder: StudyFolder, part: Part) -> Path:
    """Return the folder from which workers read train and a split to predict; for dev, it is that of the search."""
    return folder.data if part == "dev" else folder.confirm / "data"


def read_predictions(path: Path) -> Array | None:
    """Return the predictions in a file, (S, n_y, M); None if there are none."""
    found = _arrays(path)
    return found["predictions"] if found is not None and len(found["predictions"]) else None


def _arrays(path: Path) -> dict[str, Array] | None:
    """Return the arrays in a file; None if it is missing, or is damaged and must be recreated."""
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            return {name: file[name] for name in ("parameters", "predictions", "head")}
    except FileNotFoundError:
        return None
    except TORN:
        log.warning("%s is damaged; its networks will be retrained", path)
        return None


def _write(path: Path, key: str, trained: Retrained) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        parameters=trained.parameters,
        predictions=trained.predictions,
        head=np.array(json.dumps({"key": key, "seconds": trained.seconds, "reason": trained.reason})),
    )
    write_whole(path, buffer.getvalue())


def _read(path: Path, key: str) -> Retrained | None:
    """Return the stored networks; None if there are none, or they have other hyperparameters, seeds or data."""
    found = _arrays(path)
    if found is None:
        return None
    head = json.loads(str(found["head"]))
    if head["key"] != key:
        return None
    return Retrained(found["parameters"], found["predictions"], head["seconds"], head["reason"])
