"""A forecast of the run time of a study, by simulating its rounds with seconds instead of work.

The constants are rough. They were measured in a few studies of 60 trials, on the same machine as `throughput.PYTHON`,
while it was also doing other work. They are the seconds that the coordinator itself takes. On another machine, they are
scaled by the speed of Python there.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from study.search.coordinator import slots_of_groups

START = 1.75  # imports, opening the ledger, and the end of the run
MLFLOW = 2.5  # importing MLflow, creating its schema in an empty home and the experiment, in a parallel process
EXPORT = 0.040  # exporting one trial to MLflow, in the same process
WORKERS = 0.4  # starting worker processes, and the first task in each
TRIAL = 0.025  # proposing and recording a trial, and writing its file
ROUND = 0.001  # reports and commit
TASK = 0.0014  # overhead of a task in a worker process: sending the state there and back
SIMULATED = 500  # maximum number of simulated trials; the time of further trials is extrapolated

# The share of the total work that remains with each pruner. The share of `median` is an average over three studies of
# 60 trials (0.61 on digits, 0.76 on breast_cancer, 0.95 on planar_flower); the others are assumed, not measured.
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
KEPT_BY_OTHERS = 1.0  # nothing is known about registered pruners


@dataclass(frozen=True)
class Course:
    """The expected training run of one trial: its number of chunks, and the seconds of all of them together."""

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
    """Return the expected seconds of a whole run, excluding the reading of data.

    Args:
        courses: expected training runs, used cyclically.
        trials: number of trials.
        jobs: number of worker processes.
        in_flight: number of trials open at the same time.
        cores: number of cores that all processes share.
        slowness: time that Python takes on this machine, relative to the one where the constants were measured.
        confirm: seconds of each training run after the search.
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
    """Return the seconds of the rounds: two groups of trials take turns, with one chunk per trial, longest first."""
    task = TASK * slowness if jobs > 1 else 0.0
    places = slots_of_groups(in_flight)
    groups = len(places)
    left: list[list[tuple[int, float]]] = [[] for _ in range(groups)]  # per open trial: chunks left, seconds of one
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
        now = ready[group] if jobs == 1 else now  # the coordinator itself trains
        turn += 1
    return max(now, *ready)


def _makespan(seconds: Sequence[float], jobs: int) -> float:
    """Return the time when the last of these tasks ends; each worker starts the longest remaining task when free."""
    free = [0.0] * jobs
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + each)
    return max(free)
