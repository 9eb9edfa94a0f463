"""How long a study will take: its rounds gone through with seconds in place of work; called by `study.planning.plan`.

The constants are rough: the coordinator's own seconds in a few studies of 60 trials, on the machine where
`calibration.PYTHON` was taken, which did other work too; elsewhere as much more or less as Python takes.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from study.search.coordinator import slots_of_groups

START = 1.75  # imports, ledger, the end
MLFLOW = 2.5  # importing MLflow, its schema in an empty home, the experiment: in a process beside the search
EXPORT = 0.040  # of a trial to MLflow, in that process
WORKERS = 0.4  # starting worker processes, and the first task in each
TRIAL = 0.025  # ask, tell, the trial's file
ROUND = 0.001  # reports, commit
TASK = 0.0014  # of a worker process: the state there and back
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
KEPT_BY_OTHERS = 1.0  # nothing is known of a pruner that was registered


@dataclass(frozen=True)
class Course:
    """One trial as the search will work on it: so many chunks, each of so many seconds, the last one included."""

    chunks: int
    seconds: float


def expected_seconds(
    courses: Sequence[Course],
    trials: int,
    *,
    jobs: int,
    in_flight: int,
    cores: int,
    slowness: float = 1.0,
    confirm: Sequence[float] = (),
) -> float:
    """Return the seconds of a whole run, but for the reading of data.

    Args:
        courses: what trials are like; gone through in a circle.
        trials: how many there will be.
        jobs: worker processes.
        in_flight: trials open at a time.
        cores: that all processes share.
        slowness: seconds that Python takes here, over those where the constants were measured.
        confirm: seconds of each training that follows the search.
    """
    count = min(trials, SIMULATED)
    share = trials / count
    workers = min(jobs, cores, in_flight)
    search = _search(courses, count, workers, in_flight, slowness) * share
    training = sum(courses[index % len(courses)].seconds for index in range(count)) * share + sum(confirm)
    start = slowness * (START + (WORKERS if jobs > 1 else 0.0))
    alone = start + search + _makespan(confirm, min(jobs, cores))
    tracking = slowness * (MLFLOW + EXPORT * trials)
    everything = start + training + slowness * TRIAL * trials + tracking
    return max(alone, tracking, everything / cores)


def _search(courses: Sequence[Course], trials: int, jobs: int, in_flight: int, slowness: float) -> float:
    """Return the seconds of the rounds: two groups of trials take turns, a chunk for each, the dearest first."""
    task = TASK * slowness if jobs > 1 else 0.0
    places = slots_of_groups(in_flight)
    groups = len(places)
    left: list[list[tuple[int, float]]] = [[] for _ in range(groups)]  # chunks left, and seconds of one, of open trials
    ready = [0.0] * groups  # when the chunks of a group are done
    free = [0.0] * jobs
    now, asked, turn = 0.0, 0, 0
    while asked < trials or any(left):
        group = turn % groups
        now = max(now, ready[group]) + ROUND * slowness
        left[group] = [(chunks - 1, seconds) for chunks, seconds in left[group] if chunks > 1]
        while len(left[group]) < places[group] and asked < trials:
            course = courses[asked % len(courses)]
            left[group].append((course.chunks, course.seconds / course.chunks))
            asked += 1
            now += TRIAL * slowness
        ready[group] = now
        for seconds in sorted((seconds for _, seconds in left[group]), reverse=True):
            end = max(free[0], now) + seconds + task
            heapq.heapreplace(free, end)
            ready[group] = max(ready[group], end)
        now = ready[group] if jobs == 1 else now  # the coordinator itself has done it
        turn += 1
    return max(now, *ready)


def _makespan(seconds: Sequence[float], jobs: int) -> float:
    """Return when the last of these tasks ends, the longest begun first, each by the worker that is free first."""
    free = [0.0] * jobs
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + each)
    return max(free)
