"""A discrete-event simulation of one coordinator and many workers, with costs measured by `benchmarks/scaling.py`.

Open trials are in two groups that take turns. A round ends when all chunks of its group are done. The coordinator, a
single process, then records and replaces trials that ended and submits the group again, while workers train the other
group. No worker is idle while a chunk waits. All chunks have the same length, except the last one of a trial; long
trials have more chunks.
"""

import heapq
from dataclasses import dataclass

import numpy as np

SPREAD = 0.5  # standard deviation of the logarithm of a trial's seconds
GROUPS = 2


@dataclass(frozen=True)
class Costs:
    """The seconds that the coordinator needs.

    Attributes:
        trial: seconds for one trial in total.
        each_round: seconds for a round, regardless of its trials.
    """

    trial: float
    each_round: float


@dataclass(frozen=True)
class Simulated:
    """The result of a simulation.

    Attributes:
        seconds: time from start to end.
        busy: share of the time in which workers were busy, until no trial was left to ask for.
    """

    seconds: float
    busy: float


def simulate(costs: Costs, *, workers: int, trials: int, seconds: float, chunks: int, seed: int = 0) -> Simulated:
    """Simulate a study; return its time and how busy its workers were.

    Args:
        costs: costs of the coordinator.
        workers: number of workers; twice as many trials are open.
        trials: total number of trials.
        seconds: mean seconds of work per trial. Trials have different lengths, but their chunks do not.
        chunks: mean number of chunks per trial.
        seed: seed of the lengths of trials.
    """
    chunk = seconds / chunks
    rng = np.random.default_rng(seed)
    lengths = rng.lognormal(sigma=SPREAD, size=trials)
    lengths *= seconds / lengths.mean()
    free = [0.0] * workers  # time at which each worker is free again
    waiting = list(range(trials))[::-1]
    left = dict(enumerate(lengths.tolist()))
    groups: list[list[int]] = [[] for _ in range(GROUPS)]
    ends = [0.0] * GROUPS  # time at which all chunks of each group are done
    clock = worked = busy = 0.0
    turn = 0
    while waiting or any(groups):
        group = groups[turn]
        going_on = [trial for trial in group if left[trial] > 0]
        clock = max(clock, ends[turn]) + costs.each_round + costs.trial * (len(group) - len(going_on))
        group[:] = going_on
        while waiting and len(group) < workers:
            group.append(waiting.pop())
        for trial in sorted(group, key=lambda trial: -left[trial]):
            took = min(chunk, left[trial])
            left[trial] -= took
            began = max(clock, heapq.heappop(free))
            ends[turn] = max(ends[turn], began + took)
            worked += took
            heapq.heappush(free, began + took)
        if waiting:
            ahead = sum(max(0.0, until - clock) for until in free)
            busy = (worked - ahead) / (workers * clock) if clock else 0.0
        turn = (turn + 1) % GROUPS
    return Simulated(clock, busy)
