"""The sentences of the report: the state of the study, its result, and the limits of the result."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.charts.words import short, title_of
from study.evaluation.choice_lines import bound_lines, choice_lines
from study.ledger.confirmation import Confirmation
from study.ledger.test_evaluation import TestEvaluation
from study.report.facts import Facts
from study.text.formatting import agree, counted
from study.text.shell import command

_COMMAND = re.compile("`(.+?)`")
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.]\w)")


@dataclass(frozen=True)
class Figure:
    """A number that supports the result. `note` says where it comes from."""

    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Verdict:
    """The result of a study in words.

    Attributes:
        headline: the result in one sentence.
        figures: numbers that support it.
        remarks: notes on its limits, one or two sentences each.
        warnings: problems of the data that may make the result misleading.
    """

    headline: str
    figures: tuple[Figure, ...] = ()
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def interval(low: float | None, high: float | None) -> str:
    """Return an interval as text; "" if there is none."""
    return "" if low is None or high is None else f"{short(low)} to {short(high)}"


def counts(facts: Facts) -> dict[str, int]:
    """Return the number of trials in each state that occurs."""
    states = [row.state for row in facts.summary.trials]
    return {state: states.count(state) for state in ("complete", "pruned", "failed", "running") if state in states}


def standing(facts: Facts) -> str:
    """Return the state of the study as a sentence."""
    summary = facts.summary
    finished = sum(row.state != "running" for row in summary.trials)
    by_state = ", ".join(f"{count:,} {state}" for state, count in counts(facts).items())
    state = {
        "complete": f"Complete: {counted(finished, 'trial')}",
        "running": f"Still running: {finished:,} of {counted(summary.planned, 'trial')}",
        "interrupted": f"Interrupted: {finished:,} of {counted(summary.planned, 'trial')}",
    }[summary.state]
    return f"{state} ({by_state})." if by_state else f"{state}."


def verdict(facts: Facts) -> Verdict:
    """Return the result of the study so far."""
    summary = facts.summary
    if summary.best is None:
        found = _nothing(facts)
    else:
        found = _trade_offs(facts) if len(summary.objectives) > 1 else _winner(facts)
    return replace(found, warnings=severe_warnings(facts))


def severe_warnings(facts: Facts) -> tuple[str, ...]:
    """Return the severe data warnings of the run; if an older version did not store them, those of the current data."""
    if facts.kept.cautions is not None or facts.look is None:
        return facts.summary.warnings
    return tuple(warning.message for warning in facts.look.warnings if warning.severe)


def _nothing(facts: Facts) -> Verdict:
    states = counts(facts)
    if states.get("failed", 0) and set(states) == {"failed"}:
        reasons = failures(facts)
        most = f" Most often: {reasons[0][0]}." if reasons else ""
        return Verdict(f"All {counted(states['failed'], 'trial')} failed.{most}")
    return Verdict("No trial is complete yet, so there is no best trial.")


def _trade_offs(facts: Facts) -> Verdict:
    summary = facts.summary
    several = " and ".join(map(title_of, summary.objectives))
    return Verdict(
        f"The best trade-offs between {several}: {len(summary.front):,} of "
        f"{counted(len(summary.values), 'complete trial')}.",
        remarks=("For each of these trials, no other trial is at least as good in all objectives and better in one.",),
    )


def _winner(facts: Facts) -> Verdict:
    summary, confirmation = facts.summary, facts.confirmation
    best = summary.best
    assert best is not None  # noqa: S101 - checked in `verdict`; for the type checker
    metric = title_of(summary.metric)
    figures: list[Figure] = []
    headline = f"Trial {best.number} has the best {metric} on dev: {short(best.value)}."
    remarks = []
    if summary.choice.outdated:
        remarks.append("The confirmation is outdated, because trials were added after it.")
    elif confirmation is None:
        remarks.append(
            "This value is optimistic, because it was used to select the best of "
            f"{counted(len(summary.trials), 'trial')}; "
            f"“{command('confirm', summary.name)}” retrains the best configurations on fresh seeds."
        )
    else:
        confirmed, headline = _confirmed(confirmation)
        figures += confirmed
        remarks += _after_confirmation(confirmation)
    remarks += [_COMMAND.sub(r"“\1”", line) for line in (*choice_lines(summary), *bound_lines(summary))]
    if summary.has_test_set:
        remarks += _opened(facts.openings, figures)
    figures.append(Figure(f"Best dev {metric} in the search", short(best.value), f"trial {best.number}"))
    return Verdict(headline, tuple(figures), (*remarks, *_warnings(facts)))


def _confirmed(confirmation: Confirmation) -> tuple[list[Figure], str]:
    """Return the confirmed values of one network and of the average, and a headline about the first."""
    metric, best = title_of(confirmation.metric), confirmation.best
    value, within = short(best.value), interval(best.low, best.high)
    part = "dev" if confirmation.part == "dev" else "examples set aside for confirmation"
    note = f"trial {confirmation.winner}, {counted(confirmation.seeds, 'fresh seed')}, on {part}"
    bounds = f" (95% interval {within})" if within else ""
    seeds = counted(confirmation.seeds, "fresh seed")
    headline = f"Trial {confirmation.winner} is confirmed: {metric} {value}{bounds} on {seeds}."
    figures = [Figure(f"Confirmed {metric}", value, f"{within}; {note}" if within else note)]
    if (average := best.average) is not None:
        gain = f"gain from averaging {short(average.gain)} ({interval(average.gain_low, average.gain_high)})"
        note = f"{interval(average.low, average.high)}; {gain}"
        figures.append(Figure(f"Confirmed {metric} of the average of {average.networks}", short(average.value), note))
    return figures, headline


def _after_confirmation(confirmation: Confirmation) -> list[str]:
    remarks = []
    again = confirmation.candidate(confirmation.search_best.trial)
    if again is not None:
        remarks.append(
            f"Trial {again.trial}, the best in the search with {short(again.search_value)}, reaches "
            f"{short(again.value)} on fresh seeds."
        )
    alike = [str(candidate.trial) for candidate in confirmation.equals]
    if alike:
        trials = f"Trial {alike[0]} is" if len(alike) == 1 else f"Trials {', '.join(alike)} are"
        remarks.append(f"{trials} not significantly different from trial {confirmation.winner} (p ≥ 0.05).")
    return remarks


def _opened(openings: Sequence[TestEvaluation], figures: list[Figure]) -> list[str]:
    """Add the first test score to the figures, and return remarks about it."""
    if not openings:
        return ["The test set has not been opened."]
    first = openings[0]
    within = interval(first.low, first.high)
    examples = f", {counted(first.m, 'example')}" if first.m else ""
    note = f"trial {first.trial}, {first.description}{examples}, opened {first.at[:10]}"
    figures.append(Figure(f"Test {title_of(first.metric)}", _score(first), f"{within}; {note}" if within else note))
    if len(openings) == 1:
        return ["The test set was opened once."]
    later = ", ".join(f"trial {one.trial}: {_score(one)}" for one in openings[1:])
    return [
        f"The test set was opened {len(openings)} times, so later scores may be biased; the first one is shown. "
        f"Later scores: {later}."
    ]


def _score(opening: TestEvaluation) -> str:
    return "undefined" if opening.value is None else short(opening.value)


def _warnings(facts: Facts) -> list[str]:
    look, summary = facts.look, facts.summary
    if look is None or summary.best is None:
        return []
    remarks = []
    if summary.metric == "accuracy":
        others = [row for row in summary.ranking() if row.number != summary.best.number]
        near = [row for row in others if abs((row.value or 0) - (summary.best.value or 0)) < _apart(facts)]
        remarks.append(
            f"With {counted(look.compared_on, 'dev example')}, differences of about "
            f"{100 * look.smallest_difference:.1f} percentage points of accuracy or more can be detected; "
            f"{counted(len(near), 'other trial')} {agree(len(near), 'is', 'are')} closer than that to the best."
        )
    return remarks


def _apart(facts: Facts) -> float:
    return facts.look.smallest_difference if facts.look is not None else 0.0


def failures(facts: Facts) -> list[tuple[str, list[int]]]:
    """Return (reason, trials) of failed trials, the most frequent reason first; numbers in reasons are masked."""
    return _by_reason(facts, "failed")


def prunings(facts: Facts) -> list[tuple[str, list[int]]]:
    """Return (reason, trials) of pruned trials, the most frequent reason first; numbers in reasons are masked."""
    return _by_reason(facts, "pruned")


def _by_reason(facts: Facts, state: str) -> list[tuple[str, list[int]]]:
    reasons: dict[str, list[int]] = {}
    for row in facts.summary.trials:
        if row.state == state:
            lines = (row.reason or "unknown reason").strip().splitlines()
            reasons.setdefault(_NUMBER.sub("…", lines[-1]), []).append(row.number)
    return sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
