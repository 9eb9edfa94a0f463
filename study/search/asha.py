"""Pausing and promotion: the iterations at which trials are paused, and which of them are resumed.

This is asynchronous successive halving (Li et al., 2020), except that nothing is discarded: a paused trial keeps its
training state, from which it resumes if it turns out to be among the best.
"""

from collections.abc import Mapping


def rungs_of(grid: tuple[int, ...], reduction: int) -> tuple[int, ...]:
    """Return the iterations at which trials are paused, in ascending order. All of them are on the grid.

    Args:
        grid: iterations at which values are reported; the last one is the end of the longest training run.
        reduction: one in this many trials is promoted from each rung.
    """
    longest, rungs = grid[-1], set()
    share = longest / reduction
    while share >= grid[0]:
        rungs.add(min(grid, key=lambda point: (abs(point - share), point)))
        share /= reduction
    return tuple(sorted(rungs - {longest}))


def to_promote(
    reached: Mapping[int, Mapping[int, float]], paused: Mapping[int, int], reduction: int, *, maximize: bool
) -> int | None:
    """Return the trial to promote next, or None: the best candidate of the highest rung that has one.

    Args:
        reached: for each rung, the values of the trials that reached it, by trial number.
        paused: the rung at which each paused trial waits, by trial number.
        reduction: one in this many trials is promoted.
        maximize: whether larger values are better.
    """
    for rung in sorted(reached, reverse=True):
        values = reached[rung]
        best = sorted(values, key=lambda number: (-values[number] if maximize else values[number], number))
        for number in best[: len(values) // reduction]:
            if paused.get(number) == rung:
                return number
    return None
