"""What `study confirm` and `study recheck` find, as records: configurations trained again, and what was selected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from study.spec.parameters import ParameterValue
from study.text.records import from_json

Part = Literal["dev", "confirm"]
"""Which examples are predicted."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A candidate's value less that of the selected one, with a 95% interval.

    Attributes:
        p: adjusted, since the same data selected the best.
    """

    estimate: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Power:
    """How sure it is that a true difference is found.

    Attributes:
        difference: that `power` is stated for, in the unit of the metric.
        power: the probability that it is found.
        detectable: the smallest difference that is found with the probability `wanted`.
        seeds_needed, examples_needed: to find `difference` with the probability `wanted`; None where no number does.
        level: of the test.
    """

    difference: float
    power: float
    detectable: float
    wanted: float
    seeds_needed: int | None
    examples_needed: int | None
    level: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a configuration does on fresh seeds, beside the best of those that were trained with it.

    Attributes:
        value: mean over seeds; low, high: its 95% interval.
        by_seed: the value of each seed.
        probability_best: that it is the best of them.
        indistinguishable: whether it is not significantly different from the best.
        difference: from the best.
        work, parameters: what it costs: units of work of its training in the search, weights and biases.
    """

    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    probability_best: float
    indistinguishable: bool
    difference: Difference
    work: float
    parameters: int


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """A trial with its value in the search."""

    trial: int
    search_value: float | None


@dataclass(frozen=True, kw_only=True)
class _NamedTrial:
    """A trial of the study, or of the search on new data, with the parameters that the space draws."""

    name: str
    trial: int
    search_value: float | None
    params: dict[str, ParameterValue]


# Fields of the last base come first, as they do in JSON.
@dataclass(frozen=True, kw_only=True)
class Candidate(Score, _Trial):
    """A configuration that `study confirm` trained again. seconds: of processor time."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class RecheckCandidate(Score, _NamedTrial):
    """A configuration that `study recheck` trained again. seconds: of processor time."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class FailedCandidate:
    """A configuration that does not train on fresh seeds."""

    trial: int
    search_value: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class FailedRecheck:
    """A configuration that does not train on new data."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class SearchBest:
    """The best trial of the search."""

    trial: int
    value: float | None


@dataclass(frozen=True, kw_only=True)
class OldBest:
    """The best trial of a study before it was rechecked."""

    name: str
    trial: int
    value: float | None


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """The best configurations of a search on fresh seeds, as the ledger keeps it.

    Attributes:
        metric, direction: that decides.
        part: the examples; m: how many.
        seeds: fresh ones for each candidate.
        top: best trials of the search that were trained.
        search_best: the best of them in the search.
        winner: the confirmed trial.
        recommended: the cheapest that is not significantly different from it.
        power: None with a single candidate.
        of: digest of all that it is computed from.
    """

    metric: str
    direction: str
    part: Part
    m: int
    seeds: int
    top: int
    search_best: SearchBest
    candidates: tuple[Candidate, ...]
    failed: tuple[FailedCandidate, ...] = ()
    winner: int
    recommended: int | None = None
    power: Power | None = None
    of: str

    def candidate(self, trial: int | None) -> Candidate | None:
        """Return the candidate of a trial; None where it is not one."""
        return next((each for each in self.candidates if each.trial == trial), None)

    @property
    def best(self) -> Candidate:
        """The confirmed candidate."""
        return next(each for each in self.candidates if each.trial == self.winner)

    @property
    def equals(self) -> tuple[Candidate, ...]:
        """The other candidates that are not significantly different from the confirmed one."""
        return tuple(each for each in self.candidates if each.indistinguishable and each.trial != self.winner)


@dataclass(frozen=True, kw_only=True)
class ConfirmAnswer(Confirmation):
    """A confirmation, and what it means for the study.

    Attributes:
        confirmed: the confirmed trial.
        finalize: the trial that `study finalize` takes.
    """

    confirmed: int
    finalize: int | None


@dataclass(frozen=True, kw_only=True)
class Recheck:
    """Whether the best of a study still holds on other data, as the ledger keeps it.

    Attributes:
        metric, direction: that decides.
        part: the examples; m: how many.
        seeds: fresh ones for each candidate.
        old_best: the best of the study.
        holds: whether it is the best, or not significantly different from the best.
        winner, recommended: names of candidates: the best, and the cheapest that is not significantly different.
        power: None with a single candidate.
        data: the source; same_data: whether it is as it was when the study ran.
        trials: of the search on these data.
        of: digest of all that it is computed from.
    """

    metric: str
    direction: str
    part: Part
    m: int
    seeds: int
    old_best: OldBest
    holds: bool
    candidates: tuple[RecheckCandidate, ...]
    failed: tuple[FailedRecheck, ...] = ()
    winner: str
    recommended: str
    power: Power | None = None
    data: str
    same_data: bool
    trials: int
    of: str

    def candidate(self, name: str) -> RecheckCandidate | None:
        """Return the candidate of this name; None where there is none."""
        return next((each for each in self.candidates if each.name == name), None)


def read_confirmation(kept: Mapping[str, object] | None) -> Confirmation | None:
    """Return the confirmation that a ledger keeps; None where there is none."""
    return None if kept is None else from_json(Confirmation, kept)
