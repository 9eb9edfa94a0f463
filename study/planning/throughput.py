"""How fast this machine trains the networks of one study: a few real chunks, timed; called by `study.planning.plan`."""

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

PROBES = 8  # settings that are timed, from the cheapest to the dearest
SECONDS = 1.2  # that calibration may take, about
AGAIN = 2  # times that a setting is timed; the best counts
PYTHON = 0.0020  # seconds of `_python` on the machine where the constants of `forecast` were measured
_PRIOR = 0.5  # weight of the nominal rates beside each probe: what no probe shows stays nominal


@dataclass(frozen=True)
class Rates:
    """What this machine needs, in seconds.

    Attributes:
        per_flop, per_element, per_step: of the three counts of `engine.work`.
        beginning: of a piece of training, before its first iteration.
        evaluation: of a look at dev, the beginning of the piece after it included.
        speed: units of work a second, over all probes.
        slowness: seconds that Python takes, over PYTHON.
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
    """A setting that a trial might have; its network is made when it is opened.

    Attributes:
        number, params: as of a trial.
        setting: the whole one.
        iterations: of the whole training.
        chunk_iterations: iterations of a chunk.
        parameters: weights and biases of a network.
    """

    number: int
    params: dict[str, ParameterValue]
    setting: dict[str, ParameterValue]
    iterations: int
    chunk_iterations: int
    parameters: int

    @classmethod
    def of(cls, objective: Objective, number: int, params: Configuration) -> Self:
        """Return a setting of an objective's space."""
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
        objective: whose data has been written.
        trials: settings; one network at a time is made of them.
        works: the work of one iteration of each.
    """
    order = sorted(range(len(trials)), key=lambda index: works[index].units)
    chosen = [order[round(place)] for place in np.linspace(0, len(order) - 1, min(PROBES, len(order)))]
    probes: list[tuple[Work, float]] = []
    beginnings, evaluations = [], []
    started = time.perf_counter()
    with threadpool_limits(1):
        _time(objective.next_chunk(trials[chosen[0]].open(objective)), 1, ())  # reads data and imports; not counted
        for index in dict.fromkeys(chosen):
            chunk = objective.next_chunk(trials[index].open(objective))
            most = max(2, chunk.state.settings.iterations - 1)
            beginning = min(_time(chunk, 1, ()) for _ in range(AGAIN))
            evaluations.append(_time(chunk, 1, (1,)) - beginning)
            count = min(most, max(2, round(SECONDS / PROBES / 2 / AGAIN / works[index].units)))
            whole = min(_time(chunk, 1 + count, ()) for _ in range(AGAIN))  # what else runs here comes and goes
            once = max((whole - beginning) / count, 1e-9)
            probes.append((works[index], once))
            beginnings.append(max(0.0, beginning - once))
            if time.perf_counter() - started > 2 * SECONDS:
                break
    flop, element, step, speed = _fit(probes)
    setup = median(beginnings)
    return Rates(flop, element, step, setup, max(0.0, median(evaluations)) + setup, speed, _python() / PYTHON)


def _time(chunk: TrainingChunk, until: int, grid: tuple[int, ...]) -> float:
    """Return the seconds of a piece of training up to an iteration before the last, with looks at dev on the grid."""
    started = time.perf_counter()
    run_chunk(replace(chunk, until=until, grid=grid))
    return time.perf_counter() - started


def _python() -> float:
    """Return the seconds of a fixed piece of Python, for what the coordinator does beside the training."""
    record = {f"parameter_{index}": [index / 7, str(index)] for index in range(500)}
    best = float("inf")
    for _ in range(7):
        started = time.perf_counter()
        for _ in range(3):
            json.loads(json.dumps(record, sort_keys=True))
        best = min(best, time.perf_counter() - started)
    return best


def _fit(probes: Sequence[tuple[Work, float]]) -> tuple[float, float, float, float]:
    """Return seconds a flop, an element and a step, and units a second, that fit the probes best, relative to each."""
    nominal = np.array([1 / FLOPS_PER_UNIT, 1 / ELEMENTS_PER_UNIT, 1 / STEPS_PER_UNIT])
    seconds = np.array([once for _, once in probes])
    counts = np.array([(each.flops, each.elements, each.steps) for each, _ in probes])
    slowness = float(np.median(seconds / (counts @ nominal)))
    # Each probe: Σ count · nominal · slowness · x = seconds; and x = 1 where the probes do not say otherwise.
    rows = np.vstack([counts * nominal * slowness / seconds[:, None], _PRIOR * np.eye(3)])
    right = np.concatenate([np.ones(len(probes)), np.full(3, _PRIOR)])
    x = np.clip(np.linalg.lstsq(rows, right)[0], 0.2, 4.0)
    flop, element, step = (nominal * slowness * x).tolist()
    return flop, element, step, 1 / slowness
