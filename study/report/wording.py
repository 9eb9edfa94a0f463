"""The report in sentences: numbers as text, the verdict, and what a reader should keep in mind about it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.charts.words import short, title_of
from study.evaluation.choice_lines import choice_lines
from study.ledger.confirmation import Confirmation
from study.report.facts import Facts
from study.report.openings import TestEvaluation
from study.text.formatting import counted
from study.text.shell import command

_COMMAND = re.compile("`(.+?)`")
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.]\w)")


@dataclass(frozen=True)
class Figure:
    """A number that the verdict stands on. note: where it comes from."""

    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Verdict:
    """What the study found.

    headline: a sentence; remarks: what to keep in mind, a sentence or two each; warnings: what is wrong with the data,
    so that all the rest means something else than it seems to.
    """

    headline: str
    figures: tuple[Figure, ...] = ()
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def interval(low: float | None, high: float | None) -> str:
    """Return an interval as text; "" where there is none."""
    return "" if low is None or high is None else f"{short(low)} to {short(high)}"


def counts(facts: Facts) -> dict[str, int]:
    """Return the number of trials by state, those states that there are."""
    states = [row.state for row in facts.summary.trials]
    return {state: states.count(state) for state in ("complete", "pruned", "failed", "running") if state in states}


def standing(facts: Facts) -> str:
    """Return how the study stands, in a sentence."""
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
    """Return what the study found so far."""
    summary = facts.summary
    if summary.best is None:
        found = _nothing(facts)
    else:
        found = _trade_offs(facts) if len(summary.objectives) > 1 else _winner(facts)
    return replace(found, warnings=severe_warnings(facts))


def severe_warnings(facts: Facts) -> tuple[str, ...]:
    """Return what the run said of the data; of a study that is older than such warnings, what is found in them now."""
    if facts.kept.cautions is not None or facts.look is None:
        return facts.summary.warnings
    return tuple(warning.message for warning in facts.look.warnings if warning.severe)


def _nothing(facts: Facts) -> Verdict:
    states = counts(facts)
    if states.get("failed", 0) and set(states) == {"failed"}:
        reasons = failures(facts)
        most = f" Most often: {reasons[0][0]}." if reasons else ""
        return Verdict(f"All {counted(states['failed'], 'trial')} failed.{most}")
    return Verdict("No trial is complete yet, so none is the best.")


def _trade_offs(facts: Facts) -> Verdict:
    summary = facts.summary
    several = " and ".join(map(title_of, summary.objectives))
    return Verdict(
        f"{counted(len(summary.front), 'trial')} of {len(summary.values):,} complete ones "
        f"{'is' if len(summary.front) == 1 else 'are'} the best trade-offs between {several}.",
        remarks=("No other trial is at least as good in all of them and better in one.",),
    )


def _winner(facts: Facts) -> Verdict:
    summary, confirmation = facts.summary, facts.confirmation
    best = summary.best
    assert best is not None  # noqa: S101 - `verdict` asked; this tells the type checker
    metric = title_of(summary.metric)
    figures: list[Figure] = []
    headline = f"Trial {best.number} has the best {metric} on dev: {short(best.value)}."
    remarks = []
    if summary.choice.outdated:
        remarks.append("The study went on after it was confirmed, so what was confirmed no longer counts.")
    elif confirmation is None:
        remarks.append(
            f"It was picked among {counted(len(summary.trials), 'trial')} by the very value that is shown, so it is "
            f"optimistic; “{command('confirm', summary.name)}” trains the best settings again on fresh seeds."
        )
    else:
        figure, headline = _confirmed(confirmation)
        figures.append(figure)
        remarks += _after_confirmation(confirmation)
    remarks += [_COMMAND.sub(r"“\1”", line) for line in choice_lines(summary)]
    remarks += _opened(facts.openings, figures)
    figures.append(Figure(f"Best dev {metric} in the search", short(best.value), f"trial {best.number}"))
    return Verdict(headline, tuple(figures), (*remarks, *_warnings(facts)))


def _confirmed(confirmation: Confirmation) -> tuple[Figure, str]:
    """Return the confirmed value, and the headline about it."""
    metric, best = title_of(confirmation.metric), confirmation.best
    value, within = short(best.value), interval(best.low, best.high)
    part = "dev" if confirmation.part == "dev" else "a part held back for it"
    note = f"trial {confirmation.winner}, {counted(confirmation.seeds, 'fresh seed')}, on {part}"
    bounds = f" (95% interval {within})" if within else ""
    seeds = counted(confirmation.seeds, "fresh seed")
    headline = f"Trial {confirmation.winner} is confirmed: {metric} {value}{bounds} on {seeds}."
    return Figure(f"Confirmed {metric}", value, f"{within}; {note}" if within else note), headline


def _after_confirmation(confirmation: Confirmation) -> list[str]:
    remarks = []
    again = confirmation.candidate(confirmation.search_best.trial)
    if again is not None:
        remarks.append(
            f"Trial {again.trial}, the best of the search with {short(again.search_value)}, comes to "
            f"{short(again.value)} on fresh seeds."
        )
    alike = [str(candidate.trial) for candidate in confirmation.equals]
    if alike:
        trials = f"Trial {alike[0]} is" if len(alike) == 1 else f"Trials {', '.join(alike)} are"
        remarks.append(f"{trials} not significantly different from it (p ≥ 0.05).")
    return remarks


def _opened(openings: Sequence[TestEvaluation], figures: list[Figure]) -> list[str]:
    """Add the first score on test to the figures; return what is to be said about it."""
    if not openings:
        return ["The test set has not been opened."]
    first = openings[0]
    within = interval(first.low, first.high)
    examples = "" if first.m is None else f", {counted(first.m, 'example')}"
    note = f"trial {first.trial}{examples}, opened {first.at}"
    figures.append(Figure(f"Test {title_of(first.metric)}", _score(first), f"{within}; {note}" if within else note))
    if len(openings) == 1:
        return ["The test set was opened once."]
    later = ", ".join(f"trial {one.trial}: {_score(one)}" for one in openings[1:])
    return [
        f"The test set was opened {len(openings)} times, so its score is no longer untouched; the first one is shown. "
        f"Later: {later}."
    ]


def _score(opening: TestEvaluation) -> str:
    return "undefined" if opening.value is None else short(opening.value)


def _warnings(facts: Facts) -> list[str]:
    look, summary = facts.look, facts.summary
    if look is None or summary.best is None:
        return []
    remarks = []
    if summary.metric == "accuracy":
        near = [row for row in summary.ranking() if abs((row.value or 0) - (summary.best.value or 0)) < _apart(facts)]
        remarks.append(
            f"{counted(look.compared_on, 'dev example')} can tell apart differences from about "
            f"{100 * look.smallest_difference:.1f} points of accuracy on; {counted(len(near), 'trial')} "
            f"{'lies' if len(near) == 1 else 'lie'} within that of the best."
        )
    return remarks


def _apart(facts: Facts) -> float:
    return facts.look.smallest_difference if facts.look is not None else 0.0


def failures(facts: Facts) -> list[tuple[str, list[int]]]:
    """Return why trials failed, without the figures in it, each with its trials; the most frequent first."""
    return _by_reason(facts, "failed")


def prunings(facts: Facts) -> list[tuple[str, list[int]]]:
    """Return why trials were pruned, each with its trials."""
    return _by_reason(facts, "pruned")


def _by_reason(facts: Facts, state: str) -> list[tuple[str, list[int]]]:
    reasons: dict[str, list[int]] = {}
    for row in facts.summary.trials:
        if row.state == state:
            lines = (row.reason or "no reason was kept").strip().splitlines()
            reasons.setdefault(_NUMBER.sub("…", lines[-1]), []).append(row.number)
    return sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
