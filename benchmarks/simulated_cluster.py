"""A discrete-event simulation of one coordinator and many workers; `benchmarks/scaling.py` gives it measured costs.

Trials are open in two groups that take turns. A round ends when all chunks of its group are done; the coordinator, one
process, then tells and replaces trials that ended and hands the group out again, while workers do the other group. No
worker is idle while a chunk waits. Chunks are equal, but for the last of a trial; long trials have more of them.
"""

import heapq
from dataclasses import dataclass

import numpy as np

SPREAD = 0.5  # standard deviation of the logarithm of a trial's seconds
GROUPS = 2


@dataclass(frozen=True)
class Costs:
    """Seconds of the coordinator.

    Attributes:
        trial: for one trial over its whole life.
        each_round: for a round, whatever is in it.
    """

    trial: float
    each_round: float


@dataclass(frozen=True)
class Simulated:
    """What came out.

    Attributes:
        seconds: from the beginning to the end.
        busy: share of the workers' time in which they had work, up to when no trial was left to ask for.
    """

    seconds: float
    busy: float


def simulate(costs: Costs, *, workers: int, trials: int, seconds: float, chunks: int, seed: int = 0) -> Simulated:
    """Return how long a study takes.

    Args:
        costs: of the coordinator.
        workers: that work at once; twice as many trials are open.
        trials: in all.
        seconds: of work of a trial, on average; trials are of different length, their chunks are not.
        chunks: of a trial, on average.
        seed: of the trials' lengths.
    """
    chunk = seconds / chunks
    rng = np.random.default_rng(seed)
    lengths = rng.lognormal(sigma=SPREAD, size=trials)
    lengths *= seconds / lengths.mean()
    free = [0.0] * workers  # when each worker is free again
    waiting = list(range(trials))[::-1]
    left = dict(enumerate(lengths.tolist()))
    groups: list[list[int]] = [[] for _ in range(GROUPS)]
    ends = [0.0] * GROUPS  # when the chunks of each group are all done
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
