"""The results of `study recheck` as records: whether the best trial of a study is still the best on other data."""

from dataclasses import dataclass

from study.ledger.confirmation import Part, Power, Score, basis, score_table, score_text
from study.spec.parameters import ParameterValue
from study.text.cards import CardTable
from study.text.formatting import plain
from study.text.records import Record


@dataclass(frozen=True, kw_only=True)
class _NamedTrial:
    """A trial of the study, or of the search on new data, with the parameters that the space draws."""

    name: str
    trial: int
    search_value: float | None
    params: dict[str, ParameterValue]


# Fields of the last base come first, as they do in JSON.
@dataclass(frozen=True, kw_only=True)
class RecheckCandidate(Score, _NamedTrial):
    """A configuration that `study recheck` retrained.

    Attributes:
        seconds: CPU time.
    """

    seconds: float


@dataclass(frozen=True, kw_only=True)
class FailedRecheck:
    """A configuration whose training fails on the new data."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OldBest:
    """The best trial of a study before it was rechecked."""

    name: str
    trial: int
    value: float | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Recheck(Record):
    """Whether the best configuration of a study is still the best on current or other data, as stored in the ledger.

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
        margin: the loss that is accepted for a cheaper configuration; None in records of earlier versions.
        recommended: name of the cheapest candidate that is not worse than the best by more than the margin.
        power: power of the comparison; None with a single candidate.
        data: source of the data.
        same_data: whether the data is the same as when the study ran.
        trials: number of trials of the search on this data.
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
    margin: float | None = None
    recommended: str
    power: Power | None = None
    data: str
    same_data: bool
    trials: int
    of: str

    def candidate(self, name: str) -> RecheckCandidate | None:
        """Return the candidate with this name; None if there is none."""
        return next((each for each in self.candidates if each.name == name), None)

    def _lines(self) -> tuple[str, ...]:
        finding = "is still among the best" if self.holds else "is no longer the best"
        where = basis(self.seeds, self.m, self.part)
        title = f"Recheck on {self.data}: the old best, {self.old_best.name}, {finding} on {where}"
        best = self.candidate(self.winner)
        found = "" if best is None else f"best: {best.name}, {score_text(self.metric, best)}; "
        return (title, f"{found}recommended: {self.recommended}")

    def _tables(self) -> tuple[CardTable, ...]:
        # Values from the search are on other data and thus not comparable with these.
        scores = [(each.name, None, each) for each in self.candidates]
        tables = (score_table(self.metric, self.direction, scores, self.winner, self.recommended, self.margin),)
        recommended = self.candidate(self.recommended)
        if recommended is None:
            return tables
        rows = [(name, plain(value)) for name, value in recommended.params.items()]
        return (*tables, CardTable(rows, caption=f"Configuration of {recommended.name}"))
