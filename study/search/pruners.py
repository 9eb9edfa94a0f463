"""Pruners, which stop open trials early, by their names in the spec.

A decision depends only on the values that trials have reported, by trial number and iteration, and on no other state.
It is therefore the same after the study has been restored from its ledger. asha pauses trials and promotes the best of
them; see `study.search.asha` and `study.search.decide`.
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

STARTUP = 5  # number of complete trials before any trial is pruned
LEAST = 3  # how many of these must have a value at an iteration before trials are compared there


def make_pruner(search: SearchSpec, grid: tuple[int, ...], direction: str) -> BasePruner:
    """Return the pruner of a study.

    Args:
        search: the [search] table.
        grid: iterations at which trials report; the last one is the end of the longest training run.
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
        case _:  # none, and asha, whose trials are paused at rungs and pruned by `decide.end_paused`
            return NopPruner()


def rungs_from(grid: tuple[int, ...], warmup: int, reduction: int) -> tuple[int, ...]:
    """Return the rungs of successive halving, in ascending order.

    They are the longest training run divided by powers of `reduction`, down to the warm-up, each rounded up to a point
    of the grid.
    """
    rungs, share = set(), grid[-1] / reduction
    while share >= warmup:
        rungs.add(next(point for point in grid if point >= share))
        share /= reduction
    rungs = rungs or {next(point for point in grid if point >= warmup)}
    return tuple(sorted(rungs - {grid[-1]}))


class Halving(BasePruner):
    """Asynchronous successive halving (Li et al., 2020) in one bracket, or Hyperband (Li et al., 2018) in several.

    Optuna's own pruners store the value of a trial at a rung in its attributes; this one uses the reported values.

    Args:
        brackets: the rungs of each bracket, as iterations on the grid; the first bracket has the most.
        reduction: one in this many trials, the best ones, continues from each rung.
    """

    def __init__(self, brackets: Sequence[tuple[int, ...]], reduction: int) -> None:
        self._brackets, self._reduction = tuple(brackets), reduction
        # Relative sizes of the brackets, as in the paper: a factor of `reduction` for each rung that they have.
        most = len(self._brackets) - 1
        self._shares = [
            math.ceil(len(self._brackets) * reduction ** (most - skipped) / (most - skipped + 1))
            for skipped in range(len(self._brackets))
        ]

    def bracket(self, number: int) -> int:
        """Return the bracket of a trial, drawn at random as a function of its number."""
        drawn = zlib.crc32(f"bracket {number}".encode()) % sum(self._shares)
        ends = itertools.accumulate(self._shares)
        return next(bracket for bracket, end in enumerate(ends) if drawn < end)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether a trial, at a rung that it has reached, is not among the best trials of its bracket."""
        bracket = self.bracket(trial.number)
        reached = [rung for rung in self._brackets[bracket] if rung in trial.intermediate_values]
        if not reached:
            return False
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        for rung in reached:  # check all rungs, since one round may pass several
            value = sign * trial.intermediate_values[rung]
            rivals = sorted(
                sign * other.intermediate_values[rung]
                for other in study.get_trials(deepcopy=False)
                if rung in other.intermediate_values and self.bracket(other.number) == bracket
            )
            rivals = [rival for rival in rivals if not math.isnan(rival)]
            # With fewer than `reduction` trials, the best one continues, since trials cannot wait for others.
            if not rivals or math.isnan(value) or value > rivals[max(1, len(rivals) // self._reduction) - 1]:
                return True
        return False


class Stagnation(BasePruner):
    """Stops a trial that has not improved in its last reports, unless its best value already beats all complete trials.

    Optuna's PatientPruner waits until a trial gets worse, which a trial on a plateau never does.

    Args:
        patience: number of reports without a better value.
        warmup: no trial is stopped before this iteration.
    """

    def __init__(self, patience: int, warmup: int) -> None:
        self._patience, self._warmup = patience, warmup

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether a trial has stopped improving and is worse than the best complete trial."""
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        values = [sign * value for _, value in sorted(trial.intermediate_values.items())]
        known = [value if not math.isnan(value) else math.inf for value in values]
        if len(known) <= self._patience or (trial.last_step or 0) < self._warmup:
            return False
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not complete or min(known[: -self._patience]) > min(known[-self._patience :]):
            return False
        return bool(min(known) > min(sign * other.values[0] for other in complete))
