"""The results of `study confirm` as records: the retrained configurations and the selected one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from study.text.cards import CardTable, Interval
from study.text.formatting import agree, counted, figure, figures
from study.text.records import Record, from_json

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
        examples_range: the range of `examples_needed` with 80% probability, since the variance is an estimate.
        level: significance level of the test.
    """

    difference: float
    power: float
    detectable: float
    wanted: float
    seeds_needed: int | None
    examples_needed: int | None
    examples_range: tuple[int, int] | None = None
    level: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """The score of a configuration on fresh seeds, compared with the best candidate.

    Attributes:
        value: mean over seeds.
        low, high: ends of the 95% interval of the mean.
        by_seed: the value for each seed.
        indistinguishable: whether it is not significantly different from the best candidate.
        equivalent: whether the interval of the difference lies within the margin on both sides.
        difference: difference from the best candidate.
        power: probability of detecting the difference in `Power.difference` from the best; None for the best itself.
        work: units of work of its training in the search.
        parameters: number of weights and biases.
    """

    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    indistinguishable: bool
    equivalent: bool = False
    difference: Difference
    power: float | None = None
    work: float
    parameters: int


@dataclass(frozen=True, kw_only=True)
class Average:
    """The average of the networks of a configuration, such as the final model is.

    Attributes:
        networks: number of networks; one for each fresh seed.
        value: value of the averaged predictions.
        low, high: ends of its 95% interval.
        gain: by how much it is better than the mean of the single networks; negative if it is worse.
        gain_low, gain_high: ends of the 95% interval of the gain.
    """

    networks: int
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """A trial with its value in the search."""

    trial: int
    search_value: float | None


# Fields of the last base come first, as they do in JSON.
@dataclass(frozen=True, kw_only=True)
class Candidate(Score, _Trial):
    """A configuration that `study confirm` retrained.

    Attributes:
        seconds: CPU time.
        average: the average of its networks; None in results of versions up to 0.2.
    """

    seconds: float
    average: Average | None = None


@dataclass(frozen=True, kw_only=True)
class FailedCandidate:
    """A configuration whose training fails on fresh seeds."""

    trial: int
    search_value: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class SearchBest:
    """The best trial of the search."""

    trial: int
    value: float | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Confirmation(Record):
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
        margin: the loss that is accepted for a cheaper configuration; None in records of earlier versions.
        recommended: number of the cheapest trial that is not worse by more than the margin.
        power: power of the comparison; None with a single candidate.
        optimism: by how much the value of the winner is optimistic on average, because the same examples selected it;
            None if it is not known.
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
    margin: float | None = None
    recommended: int | None = None
    power: Power | None = None
    optimism: float | None = None
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

    def _lines(self) -> tuple[str, ...]:
        where = basis(self.seeds, self.m, self.part)
        lines = [f"Confirmation: trial {self.winner}, {score_text(self.metric, self.best)} on {where}"]
        if (average := self.best.average) is not None:
            lines.append(f"average of its {average.networks} networks: {score_text(self.metric, average)}")
        if len(self.candidates) == 1:
            return tuple(lines)
        if not self.equals:
            return (*lines, "none of the other candidates is the single best (p < 0.05)")
        equal = ", ".join(str(each.trial) for each in self.equals)
        trials = agree(len(self.equals), "trial", "trials")
        chosen = "" if self.recommended is None else f"; recommended: trial {self.recommended}"
        return (*lines, f"not significantly different from trial {self.winner}: {trials} {equal}{chosen}")

    def _tables(self) -> tuple[CardTable, ...]:
        scores = [(f"trial {each.trial}", each.search_value, each) for each in self.candidates]
        marked = f"trial {self.winner}", f"trial {self.recommended}"
        return (score_table(self.metric, self.direction, scores, *marked, self.margin),)


@dataclass(frozen=True, kw_only=True, repr=False)
class ConfirmAnswer(Confirmation):
    """A confirmation, and the trials that the study now selects.

    Attributes:
        confirmed: number of the confirmed trial.
        finalize: number of the trial that `study finalize` uses.
    """

    confirmed: int
    finalize: int | None


def read_confirmation(kept: Mapping[str, object] | None) -> Confirmation | None:
    """Return the confirmation that is stored in a ledger; None if there is none."""
    return None if kept is None else from_json(Confirmation, kept)


def basis(seeds: int, m: int, part: Part) -> str:
    """Return the basis of a score, such as "5 fresh seeds and 360 dev examples"."""
    return f"{counted(seeds, 'fresh seed')} and {counted(m, 'dev example' if part == 'dev' else 'example')}"


def recommendation(margin: float | None) -> str:
    """Return what a recommended trial is: the cheapest that is not worse by more than the margin.

    Args:
        margin: that of the confirmation; None if it is of an earlier version, which had none.
    """
    if margin is None:
        return "the cheapest that is not significantly different from the best"
    return f"the cheapest that is shown to be within {figure(margin, 2)} of the best"


def why_none_cheaper(margin: float | None) -> str:
    """Return why the confirmed trial itself is recommended; see `recommendation`."""
    if margin is None:
        return "every cheaper candidate is significantly worse"
    return f"no cheaper candidate is shown to be within {figure(margin, 2)} of it"


def score_text(metric: str, score: Score | Average) -> str:
    """Return a score with its interval: "accuracy 0.9412 (0.9301 to 0.9523)"."""
    value, low, high = figures([score.value, score.low, score.high])
    return f"{metric} {value} ({low} to {high})"


def score_table(
    metric: str,
    direction: str,
    scores: Sequence[tuple[str, float | None, Score]],
    best: str,
    recommended: str,
    margin: float | None,
) -> CardTable:
    """Return the table of candidates, the best value on fresh seeds first.

    Args:
        metric, direction: the metric that selects the best candidate, and its direction.
        scores: (name, value in the search, score) of each candidate; values of None are left out.
        best, recommended: names of candidates.
        margin: see `recommendation`.
    """
    sign = -1 if direction == "maximize" else 1
    ranked = sorted(scores, key=lambda each: sign * each[2].value)
    searched = any(value is not None for _, value, _ in ranked)
    averaged = any(_average(one) is not None for _, _, one in ranked)
    ends = [end for _, value, one in ranked for end in (value, one.value, one.low, one.high, _average(one))]
    texts = iter(figures(ends))
    rows: list[tuple[str | Interval, ...]] = []
    for name, _, one in ranked:
        in_search, value, low, high, average = (next(texts) for _ in range(5))
        rows.append(
            (
                f"{name}{' *' if name == recommended else ''}",
                *([in_search] if searched else []),
                value,
                f"{low} to {high}",
                Interval(one.value, one.low, one.high),
                *([average] if averaged else []),
                "" if name == best else f"{one.difference.p:.3f}",
                f"{one.parameters:,}",
            )
        )
    columns = ("trial", *(["in the search"] if searched else []), f"{metric} again", "95% interval", "")
    columns += ("average of networks",) if averaged else ()
    return CardTable(
        rows,
        (*columns, "p", "parameters"),
        f"* recommended: {recommendation(margin)}",
        next((place for place, (name, _, _) in enumerate(ranked) if name == best), None),
    )


def _average(score: Score) -> float | None:
    """Return the value of the average of a candidate's networks; None if it is unknown."""
    average = score.average if isinstance(score, Candidate) else None
    return None if average is None else average.value
