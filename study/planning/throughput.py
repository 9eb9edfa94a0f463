"""The speed at which this machine trains the networks of a study, measured on a few real chunks."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Self

import numpy as np
from threadpoolctl import threadpool_limits

from engine.training_chunk import TrainingChunk, run_chunk
from engine.work import ELEMENTS_PER_UNIT, FLOPS_PER_UNIT, STEPS_PER_UNIT, Work
from study.search.objective import Objective, OpenTrial
from study.search.search_space import complete
from study.spec.parameters import Configuration, ParameterValue

PROBES = 8  # configurations to time, from the cheapest to the most expensive
SECONDS = 1.2  # approximate duration of the calibration
AGAIN = 2  # timings of each configuration; the fastest counts
PYTHON = 0.0020  # seconds that `_python` took on the machine where the constants of `forecast` were measured
_PRIOR = 0.5  # weight of the nominal rates, relative to a probe; rates that no probe determines stay nominal


@dataclass(frozen=True)
class Rates:
    """The speed of this machine, in seconds unless noted otherwise.

    Attributes:
        per_flop, per_element, per_step: seconds for each of the three counts of `engine.work`.
        beginning: overhead at the start of a chunk.
        evaluation: one evaluation on dev, including the restart of training after it.
        speed: units of work per second, over all probes.
        slowness: time of a fixed piece of Python code, relative to PYTHON.
    """

    per_flop: float
    per_element: float
    per_step: float
    beginning: float
    evaluation: float
    speed: float
    slowness: float

    def seconds(self, work: Work) -> float:
        """Return the seconds of one iteration."""
        return work.flops * self.per_flop + work.elements * self.per_element + work.steps * self.per_step


@dataclass(frozen=True)
class DrawnTrial:
    """A configuration that a trial might have; its network is initialized by `open`.

    Attributes:
        number, params: number and parameters of the trial.
        setting: the complete configuration.
        iterations: iterations of the whole training.
        chunk_iterations: iterations of one chunk.
        parameters: number of weights and biases of a network.
    """

    number: int
    params: dict[str, ParameterValue]
    setting: dict[str, ParameterValue]
    iterations: int
    chunk_iterations: int
    parameters: int

    @classmethod
    def of(cls, objective: Objective, number: int, params: Configuration) -> Self:
        """Return the trial for parameters that were drawn from an objective's space."""
        setting = complete(objective.spec.space, params)
        return cls(
            number,
            dict(params),
            setting,
            setting["iterations"],
            objective.chunk_iterations(setting),
            objective.architecture(setting).parameters_count,
        )

    def open(self, objective: Objective) -> OpenTrial:
        """Return the trial before its first iteration."""
        return objective.open(self.number, self.params)


def calibrate(objective: Objective, trials: Sequence[DrawnTrial], works: Sequence[Work]) -> Rates:
    """Time some of the trials on the study's own data.

    Args:
        objective: objective of the study, whose data must have been written.
        trials: trials to choose from; their networks are initialized one at a time.
        works: the work of one iteration of each trial.
    """
    order = sorted(range(len(trials)), key=lambda index: works[index].units)
    chosen = [order[round(place)] for place in np.linspace(0, len(order) - 1, min(PROBES, len(order)))]
    probes: list[tuple[Work, float]] = []
    beginnings, evaluations = [], []
    started = time.perf_counter()
    with threadpool_limits(1):
        _time(objective.next_chunk(trials[chosen[0]].open(objective)), 1, ())  # loads data and modules; not counted
        for index in dict.fromkeys(chosen):
            chunk = objective.next_chunk(trials[index].open(objective))
            most = max(2, chunk.state.settings.iterations - 1)
            beginning = min(_time(chunk, 1, ()) for _ in range(AGAIN))
            evaluations.append(_time(chunk, 1, (1,)) - beginning)
            count = min(most, max(2, round(SECONDS / PROBES / 2 / AGAIN / works[index].units)))
            whole = min(_time(chunk, 1 + count, ()) for _ in range(AGAIN))  # other processes may interfere
            once = max((whole - beginning) / count, 1e-9)
            probes.append((works[index], once))
            beginnings.append(max(0.0, beginning - once))
            if time.perf_counter() - started > 2 * SECONDS:
                break
    flop, element, step, speed = _fit(probes)
    setup = median(beginnings)
    return Rates(flop, element, step, setup, max(0.0, median(evaluations)) + setup, speed, _python() / PYTHON)


def _time(chunk: TrainingChunk, until: int, grid: tuple[int, ...]) -> float:
    """Return the seconds of training up to an iteration before the last, with evaluations on dev at `grid`."""
    started = time.perf_counter()
    run_chunk(replace(chunk, until=until, grid=grid))
    return time.perf_counter() - started


def _python() -> float:
    """Return the seconds of a fixed piece of Python code, which represents the work of the coordinator."""
    record = {f"parameter_{index}": [index / 7, str(index)] for index in range(500)}
    best = float("inf")
    for _ in range(7):
        started = time.perf_counter()
        for _ in range(3):
            json.loads(json.dumps(record, sort_keys=True))
        best = min(best, time.perf_counter() - started)
    return best


def _fit(probes: Sequence[tuple[Work, float]]) -> tuple[float, float, float, float]:
    """Return seconds per flop, element and step, and units per second, with the least relative error on the probes."""
    nominal = np.array([1 / FLOPS_PER_UNIT, 1 / ELEMENTS_PER_UNIT, 1 / STEPS_PER_UNIT])
    seconds = np.array([once for _, once in probes])
    counts = np.array([(each.flops, each.elements, each.steps) for each, _ in probes])
    slowness = float(np.median(seconds / (counts @ nominal)))
    # For each probe, Σ count · nominal · slowness · x = seconds, with x = 1 as a prior.
    rows = np.vstack([counts * nominal * slowness / seconds[:, None], _PRIOR * np.eye(3)])
    right = np.concatenate([np.ones(len(probes)), np.full(3, _PRIOR)])
    x = np.clip(np.linalg.lstsq(rows, right)[0], 0.2, 4.0)
    flop, element, step = (nominal * slowness * x).tolist()
    return flop, element, step, 1 / slowness
