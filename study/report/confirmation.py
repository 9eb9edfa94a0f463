"""What `study confirm` and `study finalize` left in the ledger, as records; what they left out is None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """A candidate's value less the confirmed trial's, with its interval and p-value."""

    estimate: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Candidate:
    """A setting that was trained again.

    Attributes:
        trial: that it was in the search.
        search_value, value: in the search, and on fresh seeds.
        low, high: interval of the value.
        by_seed: the value of each seed.
        probability_best: share of resamples in which it is the best.
        indistinguishable: whether the seeds cannot tell it from the confirmed trial.
        difference: from the confirmed trial.
        parameters: weights and biases.
    """

    trial: int
    search_value: float | None
    value: float | None
    low: float | None
    high: float | None
    by_seed: tuple[float, ...]
    probability_best: float | None
    indistinguishable: bool
    difference: Difference
    parameters: int | None


@dataclass(frozen=True)
class Confirmation:
    """The candidates on fresh seeds.

    Attributes:
        metric: that was measured.
        part: "dev", or "confirm" where one was held back; m: its examples.
        seeds: fresh ones for each candidate.
        search_best: the best trial of the search.
        winner, recommended: the confirmed and the recommended trial.
    """

    metric: str
    part: str
    m: int | None
    seeds: int
    candidates: tuple[Candidate, ...]
    search_best: int | None
    winner: int
    recommended: int | None

    def candidate(self, trial: int | None) -> Candidate | None:
        """Return the candidate of a trial; None where it was not one."""
        return next((one for one in self.candidates if one.trial == trial), None)


@dataclass(frozen=True)
class TestEvaluation:
    """An opening of the test set. value: None where the metric is undefined there; at: the day; m: examples."""

    trial: int
    metric: str
    value: float | None
    low: float | None
    high: float | None
    m: int | None
    at: str


def read_confirmation(kept: Mapping[str, Any] | None) -> Confirmation | None:
    """Return what the ledger keeps of a confirmation; None where there was none."""
    if kept is None:
        return None
    return Confirmation(
        metric=str(kept["metric"]),
        part=str(kept.get("part", "dev")),
        m=kept.get("m"),
        seeds=int(kept["seeds"]),
        candidates=tuple(_candidate(one) for one in kept["candidates"]),
        search_best=(kept.get("search_best") or {}).get("trial"),
        winner=int(kept["winner"]),
        recommended=kept.get("recommended"),
    )


def _candidate(kept: Mapping[str, Any]) -> Candidate:
    difference = kept.get("difference") or {}
    return Candidate(
        trial=int(kept["trial"]),
        search_value=kept.get("search_value"),
        value=kept.get("value"),
        low=kept.get("low"),
        high=kept.get("high"),
        by_seed=tuple(value for value in kept.get("by_seed", ()) if value is not None),
        probability_best=kept.get("probability_best"),
        indistinguishable=bool(kept.get("indistinguishable")),
        difference=Difference(*(difference.get(key) for key in ("estimate", "low", "high", "p"))),
        parameters=kept.get("parameters"),
    )


def read_test_evaluations(kept: Sequence[Mapping[str, Any]]) -> tuple[TestEvaluation, ...]:
    """Return the openings of the test set, oldest first."""
    return tuple(
        TestEvaluation(
            trial=int(one["trial"]),
            metric=str(one["metric"]),
            value=one.get("value"),
            low=one.get("low"),
            high=one.get("high"),
            m=one.get("m"),
            at=str(one.get("at", ""))[:10],
        )
        for one in kept
    )
