"""The input of charts of trials: rows, curves and distributions, from the ledger and the files of the trials."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from engine.activations import Array
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import Ledger
from study.ledger.results import Summary, summarize_ledger
from study.ledger.trial_artifact import find_curve

POINTS, MANY, POINTS_OF_MANY = 60, 300, 24  # points per curve, and points per curve if there are more than MANY trials

Curve = list[tuple[int, float]]
"""(iteration, J) at a subset of the iterations."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrialFacts:
    """The data of a study's trials that charts use.

    Attributes:
        summary: summary of the study.
        curves: curves of finished trials, by number.
        distributions: distribution of each hyperparameter.
    """

    summary: Summary
    curves: dict[int, Curve]
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)

    @property
    def main(self) -> int | None:
        """The main trial: the confirmed one, or else the best in the search."""
        return self.summary.choice.main


def read_facts(home: Home, name: str) -> TrialFacts:
    """Read the data of a study's trials.

    Raises:
        UserError: if the study does not exist.
    """
    folder = home.existing(name)
    ledger = Ledger(folder, name)
    summary = summarize_ledger(ledger, folder)
    return TrialFacts(
        summary=summary, curves=thin_curves(folder, summary), distributions=distributions_of(ledger.trials())
    )


def distributions_of(trials: Iterable[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return the distribution of each hyperparameter."""
    return {name: kind for trial in trials for name, kind in trial.distributions.items()}


def thin_curves(folder: StudyFolder, summary: Summary) -> dict[int, Curve]:
    """Return the curves of finished trials by number, with only as many points as a chart needs."""
    count = POINTS if len(summary.trials) <= MANY else POINTS_OF_MANY
    curves = {}
    for row in summary.trials:
        costs = find_curve(folder.result(row.number))
        if costs is not None and len(costs):
            curves[row.number] = thin(costs, count)
    return curves


def thin(costs: Array, count: int = POINTS) -> Curve:
    """Return a curve with at most `count` points."""
    return [(i, float(costs[i])) for i in _places(len(costs), count)]


def _places(n: int, count: int) -> list[int]:
    """Return at most `count` indices of a curve of length n, half of them concentrated at its steep start."""
    if n <= count:
        return list(range(n))
    steep = np.geomspace(1, n, count // 2) - 1
    return sorted({int(i) for i in np.concatenate([steep, np.linspace(0, n - 1, count - len(steep))])} | {n - 1})
