"""Records of the decisions of a search about trained trials and about the next trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from optuna.trial import FrozenTrial

Outcome = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class TrialProgress:
    """The progress of a trial in a round, with its new measurements.

    Attributes:
        iterations: number of completed iterations.
        reports: new values on dev, by iteration.
        work: units of work done on the trial.
        values: one value per objective, once training is complete.
        failure: the reason why training failed, if it did.
    """

    iterations: int
    reports: Mapping[int, float] = field(default_factory=dict)
    work: float = 0.0
    values: tuple[float, ...] | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Slot:
    """The slot of an open trial.

    Attributes:
        group: the group that the trial belongs to.
        iterations: number of completed iterations, according to the ledger.
    """

    group: int
    iterations: int = 0


@dataclass(frozen=True)
class RoundEnded:
    """A round has ended; the decisions that follow belong to it."""


@dataclass(frozen=True)
class Continued:
    """A trial that stays open."""

    number: int
    iterations: int
    reports: Mapping[int, float]


@dataclass(frozen=True)
class Paused:
    """A trial that waits at a rung, `iterations`, until it is resumed or the search ends."""

    number: int
    iterations: int
    reports: Mapping[int, float]


@dataclass(frozen=True)
class Ended:
    """A trial that is complete, pruned or failed.

    Attributes:
        values: one value per objective; the last reported value of a pruned trial; None for a failed trial.
        reason: why the trial was pruned or failed.
        work: units of work done on the trial.
    """

    number: int
    iterations: int
    reports: Mapping[int, float]
    outcome: Outcome
    values: tuple[float, ...] | None
    reason: str | None
    work: float


@dataclass(frozen=True)
class Resumed:
    """A paused trial that resumes from its rung, in a group."""

    number: int
    rung: int
    group: int


@dataclass(frozen=True)
class Asked:
    """A new trial, in a group."""

    trial: FrozenTrial
    group: int

    @property
    def number(self) -> int:
        """The number of the trial."""
        return self.trial.number


@dataclass(frozen=True)
class Stopped:
    """No further trial is asked for.

    Attributes:
        reason: the reason.
        error: whether the user has to change the spec.
    """

    reason: str
    error: bool = False


Judged = Continued | Paused | Ended
Decision = RoundEnded | Judged | Resumed | Asked | Stopped
