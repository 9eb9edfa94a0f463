"""Records of the results of `study confirm` and `study recheck`: retrained configurations, and the selected ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from study.spec.parameters import ParameterValue
from study.text.records import from_json

Part = Literal["dev", "confirm"]
"""The examples that are predicted."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A candidate's value minus that of the best candidate, with a 95% interval.

    Attributes:
        estimate: the estimated difference.
        low, high: ends of the interval.
        p: p-value, adjusted because the same data selected the best candidate.
    """

    estimate: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Power:
    """The statistical power of a comparison.

    Attributes:
        difference: the true difference that `power` refers to, in the unit of the metric.
        power: the probability of detecting `difference`.
        detectable: the smallest difference that is detected with probability `wanted`.
        wanted: the desired power.
        seeds_needed, examples_needed: the number that is needed to detect `difference` with probability `wanted`; None
            if no number suffices.
        level: significance level of the test.
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
    """The score of a configuration on fresh seeds, compared with the best candidate.

    Attributes:
        value: mean over seeds.
        low, high: ends of the 95% interval of the mean.
        by_seed: the value for each seed.
        probability_best: probability that this configuration is the best candidate.
        indistinguishable: whether it is not significantly different from the best candidate.
        difference: difference from the best candidate.
        work: units of work of its training in the search.
        parameters: number of weights and biases.
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
    """A configuration that `study confirm` retrained.

    Attributes:
        seconds: processor time.
    """

    seconds: float


@dataclass(frozen=True, kw_only=True)
class RecheckCandidate(Score, _NamedTrial):
    """A configuration that `study recheck` retrained.

    Attributes:
        seconds: processor time.
    """

    seconds: float


@dataclass(frozen=True, kw_only=True)
class FailedCandidate:
    """A configuration whose training fails on fresh seeds."""

    trial: int
    search_value: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class FailedRecheck:
    """A configuration whose training fails on the new data."""

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
    """The best configurations of a search on fresh seeds, as stored in the ledger.

    Attributes:
        metric: the metric that is compared.
        direction: direction of the metric.
        part: the examples that are predicted.
        m: number of examples.
        seeds: number of fresh seeds for each candidate.
        top: number of the search's best trials that were retrained.
        search_best: the best trial of the search.
        candidates: the retrained configurations.
        failed: the configurations whose training failed.
        winner: number of the confirmed trial.
        recommended: number of the cheapest trial that is not significantly different from it.
        power: power of the comparison; None with a single candidate.
        of: digest of everything that the result was computed from.
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
        """Return the candidate of a trial; None if the trial is not a candidate."""
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
    """A confirmation, and the trials that the study now selects.

    Attributes:
        confirmed: number of the confirmed trial.
        finalize: number of the trial that `study finalize` uses.
    """

    confirmed: int
    finalize: int | None


@dataclass(frozen=True, kw_only=True)
class Recheck:
    """Whether the best configuration of a study still holds on current or other data, as stored in the ledger.

    Attributes:
        metric: the metric that is compared.
        direction: direction of the metric.
        part: the examples that are predicted.
        m: number of examples.
        seeds: number of fresh seeds for each candidate.
        old_best: the best trial of the study.
        holds: whether `old_best` is the best candidate, or not significantly different from it.
        candidates: the retrained configurations.
        failed: the configurations whose training failed.
        winner: name of the best candidate.
        recommended: name of the cheapest candidate that is not significantly different from the best.
        power: power of the comparison; None with a single candidate.
        data: source of the data.
        same_data: whether the data are the same as when the study ran.
        trials: number of trials of the search on these data.
        of: digest of everything that the result was computed from.
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
        """Return the candidate with this name; None if there is none."""
        return next((each for each in self.candidates if each.name == name), None)


def read_confirmation(kept: Mapping[str, object] | None) -> Confirmation | None:
    """Return the confirmation that is stored in a ledger; None if there is none."""
    return None if kept is None else from_json(Confirmation, kept)
