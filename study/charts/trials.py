"""What the charts of trials stand on: rows, curves and the space, read from the ledger and the trials' files."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from engine.activations import Array
from study.ledger.home import StudyFolder
from study.ledger.results import Summary
from study.ledger.trial_artifact import find_curve

POINTS, MANY, POINTS_OF_MANY = 60, 300, 24  # of a drawn curve; and of each where there are many

Curve = list[tuple[int, float]]
"""(iteration, J) at some of the iterations."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrialFacts:
    """What is known of the trials of a study.

    Attributes:
        summary: of the study.
        curves: of finished trials, by number.
        distributions: what each hyperparameter was drawn from.
    """

    summary: Summary
    curves: dict[int, Curve]
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)

    @property
    def main(self) -> int | None:
        """The trial that stands out: the confirmed one, or else the best in the search."""
        return self.summary.choice.main


def distributions_of(trials: Iterable[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return what each hyperparameter was drawn from."""
    return {name: kind for trial in trials for name, kind in trial.distributions.items()}


def thin_curves(folder: StudyFolder, summary: Summary) -> dict[int, Curve]:
    """Return the curves of finished trials, by number, with as many points as a picture needs."""
    count = POINTS if len(summary.trials) <= MANY else POINTS_OF_MANY
    curves = {}
    for row in summary.trials:
        costs = find_curve(folder.result(row.number))
        if costs is not None and len(costs):
            curves[row.number] = thin(costs, count)
    return curves


def thin(costs: Array, count: int = POINTS) -> Curve:
    """Return a curve with at most so many points."""
    return [(i, float(costs[i])) for i in _places(len(costs), count)]


def _places(n: int, count: int) -> list[int]:
    """Return at most `count` places in a curve of n, first and last among them, half of them where it is steep."""
    if n <= count:
        return list(range(n))
    steep = np.geomspace(1, n, count // 2) - 1
    return sorted({int(i) for i in np.concatenate([steep, np.linspace(0, n - 1, count - len(steep))])} | {n - 1})
