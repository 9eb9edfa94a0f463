"""Pruners by the name in the spec: which open trials are stopped early.

A decision is a function of the values that trials have reported, by trial number and iteration, and of nothing else:
no state in a process, no attribute on the side. So it is the same after the study has been rebuilt from its ledger.
asha pauses trials and promotes the best of them: `study.search.asha` and `study.search.decide`.
"""

import itertools
import math
import zlib
from collections.abc import Sequence

import optuna
from optuna.pruners import BasePruner, NopPruner, PercentilePruner, ThresholdPruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from study.spec.extensions import PRUNERS
from study.spec.search import SearchSpec

STARTUP = 5  # complete trials before the first is compared with them
LEAST = 3  # of them that have a value at an iteration before one is compared there


def make_pruner(search: SearchSpec, grid: tuple[int, ...], direction: str) -> BasePruner:
    """Return the pruner of a study.

    Args:
        search: the [search] table.
        grid: iterations at which trials report, the last is the longest training.
        direction: "maximize" or "minimize".
    """
    warmup = max(grid[0], math.ceil(search.warmup * grid[-1]))
    if search.pruner in PRUNERS:
        return PRUNERS[search.pruner].make(grid, warmup)
    match search.pruner:
        case "median":
            return PercentilePruner(50.0, n_startup_trials=STARTUP, n_warmup_steps=warmup, n_min_trials=LEAST)
        case "percentile":
            return PercentilePruner(
                search.percentile, n_startup_trials=STARTUP, n_warmup_steps=warmup, n_min_trials=LEAST
            )
        case "successive_halving":
            return Halving([rungs_from(grid, warmup, search.reduction)], search.reduction)
        case "hyperband":
            rungs = rungs_from(grid, warmup, search.reduction)
            return Halving([rungs[skipped:] for skipped in range(len(rungs) + 1)], search.reduction)
        case "patient":
            return Stagnation(search.patience, warmup)
        case "threshold":
            lower, upper = (search.threshold, None) if direction == "maximize" else (None, search.threshold)
            return ThresholdPruner(lower, upper, n_warmup_steps=warmup)
        case _:  # none; and asha, whose trials are paused at rungs and pruned by `decide.end_paused`
            return NopPruner()


def rungs_from(grid: tuple[int, ...], warmup: int, reduction: int) -> tuple[int, ...]:
    """Return the iterations at which successive halving compares: a `reduction`-th of the longest training, a
    `reduction`-th of that, …, down to the warm-up; each the next point of the grid."""
    rungs, share = set(), grid[-1] / reduction
    while share >= warmup:
        rungs.add(next(point for point in grid if point >= share))
        share /= reduction
    rungs = rungs or {next(point for point in grid if point >= warmup)}
    return tuple(sorted(rungs - {grid[-1]}))


class Halving(BasePruner):
    """Asynchronous successive halving (Li et al., 2020) in one bracket, or Hyperband (Li et al., 2018) in several.

    Optuna's own write what a trial had at a rung to attributes of the trial; this reads it from the reported values.

    Args:
        brackets: for each bracket its rungs, iterations on the grid; the first has the most.
        reduction: of those at a rung the best one in so many goes on.
    """

    def __init__(self, brackets: Sequence[tuple[int, ...]], reduction: int) -> None:
        self._brackets, self._reduction = tuple(brackets), reduction
        # Trials of a bracket, as in the paper: a reduction more for each rung it has, shared among the brackets.
        most = len(self._brackets) - 1
        self._shares = [
            math.ceil(len(self._brackets) * reduction ** (most - skipped) / (most - skipped + 1))
            for skipped in range(len(self._brackets))
        ]

    def bracket(self, number: int) -> int:
        """Return the bracket of a trial: drawn by its number alone."""
        drawn = zlib.crc32(f"bracket {number}".encode()) % sum(self._shares)
        ends = itertools.accumulate(self._shares)
        return next(bracket for bracket, end in enumerate(ends) if drawn < end)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether a trial is not among the best of the trials of its bracket, at the last rung it reached."""
        bracket = self.bracket(trial.number)
        reached = [rung for rung in self._brackets[bracket] if rung in trial.intermediate_values]
        if not reached:
            return False
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        for rung in reached:  # all, since one round may have passed several
            value = sign * trial.intermediate_values[rung]
            rivals = sorted(
                sign * other.intermediate_values[rung]
                for other in study.get_trials(deepcopy=False)
                if rung in other.intermediate_values and self.bracket(other.number) == bracket
            )
            rivals = [rival for rival in rivals if not math.isnan(rival)]
            # Among fewer than `reduction` the best goes on, there being no pause to wait for more.
            if not rivals or math.isnan(value) or value > rivals[max(1, len(rivals) // self._reduction) - 1]:
                return True
        return False


class Stagnation(BasePruner):
    """Stops a trial that has not improved over its last reports, unless it would win as it stands.

    Optuna's PatientPruner waits for a trial to become worse, which one that stands still never does.

    Args:
        patience: reports without a better value.
        warmup: iterations before which nothing is stopped.
    """

    def __init__(self, patience: int, warmup: int) -> None:
        self._patience, self._warmup = patience, warmup

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether a trial stands still below the best complete one."""
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        values = [sign * value for _, value in sorted(trial.intermediate_values.items())]
        known = [value if not math.isnan(value) else math.inf for value in values]
        if len(known) <= self._patience or (trial.last_step or 0) < self._warmup:
            return False
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not complete or min(known[: -self._patience]) > min(known[-self._patience :]):
            return False
        return bool(min(known) > min(sign * other.values[0] for other in complete))
