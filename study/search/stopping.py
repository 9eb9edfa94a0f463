"""The budget of a search: a limit on trials, on work, or on trials without an improvement."""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from study.ledger.ledger import RESULT
from study.text.formatting import agree, counted


@dataclass(frozen=True)
class Budget:
    """The limits of a search; None means no limit.

    Attributes:
        trials: number of trials.
        work: units of work of all trials that have ended.
        stop_after: number of trials without an improvement.
        maximize: whether larger values are better.
    """

    trials: int
    work: float | None
    stop_after: int | None
    maximize: bool

    def spent(self, trials: Sequence[FrozenTrial]) -> str | None:
        """Return the reason why the budget is spent, or None; it depends only on the trials in the ledger."""
        if len(trials) >= self.trials:
            return f"{counted(self.trials, 'trial')} {agree(self.trials, 'is', 'are')} done"
        if self.work is None and self.stop_after is None:
            return None
        ended = [trial for trial in trials if trial.state.is_finished()]
        if self.work is not None:
            done = sum(trial.user_attrs.get(RESULT, {}).get("work", 0.0) for trial in ended)
            if done >= self.work:
                return f"{done:.3g} units of work are done (budget: {self.work:.3g})"
        complete = [trial for trial in ended if trial.state == TrialState.COMPLETE]
        if self.stop_after is not None and complete:
            sign = -1 if self.maximize else 1
            best = min(complete, key=lambda trial: (sign * trial.values[0], trial.number))
            since = sum(trial.number > best.number for trial in ended)
            if since >= self.stop_after:
                return f"no better trial among the last {since}"
        return None
