"""What the search decides, as records: of the trials that were trained, and of those that come next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from optuna.trial import FrozenTrial

Outcome = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class TrialProgress:
    """How far a trial was trained, and what was measured on the way.

    Attributes:
        iterations: done.
        reports: value on dev by iteration, those that are new.
        work: units of work done on the trial.
        values: one for each objective, where training is complete.
        failure: why training failed, where it did.
    """

    iterations: int
    reports: Mapping[int, float] = field(default_factory=dict)
    work: float = 0.0
    values: tuple[float, ...] | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Slot:
    """The place of an open trial.

    Attributes:
        group: the group of trials that it takes turns with.
        iterations: done, as the ledger has them.
    """

    group: int
    iterations: int = 0


@dataclass(frozen=True)
class RoundEnded:
    """A round that is over; the decisions that follow are those of it."""


@dataclass(frozen=True)
class Continued:
    """A trial that stays open."""

    number: int
    iterations: int
    reports: Mapping[int, float]


@dataclass(frozen=True)
class Paused:
    """A trial that waits at a rung, the iteration that it has come to, until it is resumed or the search ends."""

    number: int
    iterations: int
    reports: Mapping[int, float]


@dataclass(frozen=True)
class Ended:
    """A trial that is complete, pruned or failed.

    Attributes:
        values: one for each objective; of a pruned trial the last value reported; None of a failed one.
        reason: why it was pruned or failed.
        work: units of work done on it.
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
    """A paused trial that goes on from its rung, in a group."""

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
        """Number of the trial."""
        return self.trial.number


@dataclass(frozen=True)
class Stopped:
    """No further trial is asked for.

    Attributes:
        reason: why.
        error: whether the user has to change something.
    """

    reason: str
    error: bool = False


Judged = Continued | Paused | Ended
Decision = RoundEnded | Judged | Resumed | Asked | Stopped
