"""How long a study will take: its rounds gone through with seconds in place of work; called by `study.planning`.

The constants are rough: the coordinator's own seconds in a few studies of 60 trials, on the machine where
`calibration.PYTHON` was taken, which did other work too; elsewhere as much more or less as Python takes.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

START = 2.3  # imports, ledger, the end
MLFLOW = 3.5  # importing MLflow, its schema in an empty home, the experiment: in a thread beside the search
EXPORT = 0.085  # of a trial to MLflow, in that thread
WORKERS = 0.8  # starting worker processes, and the first task in each
TRIAL = 0.022  # ask, tell, the trial's file
ROUND = 0.010  # reports, commit
TASK = 0.002  # of a worker process: the state there and back
SIMULATED = 500  # trials that are gone through; more are in proportion

# What a pruner leaves of the work of training every trial to its end. The share of `median` is a middle of what three
# studies of 60 trials showed (0.61 on digits, 0.76 on breast_cancer, 0.95 on planar_flower); those of the other
# pruners are assumed, not measured.
KEPT = {
    "none": 1.0,
    "median": 0.7,
    "percentile": 0.45,
    "successive_halving": 0.45,
    "hyperband": 0.65,
    "patient": 0.8,
    "threshold": 0.9,
    "asha": 0.4,
}


@dataclass(frozen=True)
class Course:
    """One trial as the search will work on it: so many quanta, each of so many seconds, the last one included."""

    quanta: int
    seconds: float


def expected_seconds(
    courses: Sequence[Course], trials: int, *, jobs: int, in_flight: int, cores: int, slowness: float = 1.0
) -> float:
    """Return the seconds of a whole run, but for the reading of data.

    Args:
        courses: what trials are like; gone through in a circle.
        trials: how many there will be.
        jobs: worker processes.
        in_flight: trials open at a time.
        cores: that all processes share.
        slowness: seconds that Python takes here, over those where the constants were measured.
    """
    count = min(trials, SIMULATED)
    workers = min(jobs, cores)
    search = _search(courses, count, workers, in_flight, slowness) * trials / count
    tracking = slowness * (MLFLOW + EXPORT * trials)
    if jobs == 1:  # training, coordinator and export take turns in one process
        return slowness * START + search + tracking
    training = sum(courses[index % len(courses)].seconds for index in range(count)) * trials / count
    shared = (training + tracking + slowness * TRIAL * trials) / cores
    return slowness * (START + WORKERS) + max(search, tracking, shared)


def _search(courses: Sequence[Course], trials: int, jobs: int, in_flight: int, slowness: float) -> float:
    """Return the seconds of the rounds: in each every open trial gets a quantum, the dearest first."""
    task = TASK * slowness if jobs > 1 else 0.0
    total, asked = 0.0, 0
    left: list[tuple[int, float]] = []  # quanta left, and seconds of one, of each open trial
    while True:
        while len(left) < in_flight and asked < trials:
            course = courses[asked % len(courses)]
            left.append((course.quanta, course.seconds / course.quanta))
            asked += 1
            total += TRIAL * slowness
        if not left:
            return total
        total += ROUND * slowness + _makespan([seconds + task for _, seconds in left], jobs)
        left = [(quanta - 1, seconds) for quanta, seconds in left if quanta > 1]


def _makespan(seconds: Sequence[float], jobs: int) -> float:
    """Return when the last of these tasks ends, the longest begun first, each by the worker that is free first."""
    free = [0.0] * jobs
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + each)
    return max(free)
