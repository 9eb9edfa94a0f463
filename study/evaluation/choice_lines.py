"""Sentences about the selected trials of a study, which are the same wherever they are shown."""

from collections.abc import Callable

from study.charts.words import short, title_of
from study.ledger.confirmation import Confirmation, recommendation, why_none_cheaper
from study.ledger.results import Summary
from study.text.formatting import counted, plain
from study.text.shell import command

NO_TEST_SET = "The study has no test set, since [data] split has two fractions, so it cannot be finalized."


def choice_lines(summary: Summary, command: Callable[..., str] = command) -> list[str]:
    """Return a line for each selected trial, and one on what `study finalize` would do.

    Args:
        summary: results of the study.
        command: formats command lines; use `next_command` for a terminal.
    """
    if summary.best is None:
        return []
    return [
        *(f"Trial {number}: {_reasons(summary, number)}." for number in summary.choice.numbers()),
        *_against_baselines(summary),
        _final_line(summary, command),
    ]


def _against_baselines(summary: Summary) -> list[str]:
    """Return how the selected network compares with the best baseline, if that is known."""
    found = summary.against_baselines
    return [] if found is None else [found.sentence(title_of(found.metric))]


def bound_lines(summary: Summary, command: Callable[..., str] = command) -> list[str]:
    """Return a line on the ends of ranges at which the winner lies, and how to widen them; none if it lies at none.

    Args:
        summary, command: as in `choice_lines`.
    """
    if not summary.at_bounds:
        return []
    sides = {"low": ("lower", "from"), "high": ("upper", "up to")}
    ends = [f"the {sides[each.end][0]} end of {each.key} ({plain(each.value)})" for each in summary.at_bounds]
    wider = [f"{each.key} {sides[each.end][1]} {plain(each.wider)}" for each in summary.at_bounds]
    return [
        f"Trial {summary.choice.main} is at {_listed(ends)} in [space], so better values may lie beyond; "
        f"`{command('init', '--from', summary.name)}` drafts a study with {_listed(wider)}."
    ]


def _listed(items: list[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def _final_line(summary: Summary, command: Callable[..., str]) -> str:
    """Return which trial `study finalize` uses and how to choose another, or why it cannot be used."""
    name, final = summary.name, summary.choice.final
    if not summary.has_test_set:
        again = f"The study has continued since it was confirmed; run `{command('confirm', name)}` again. "
        return f"{again if summary.choice.outdated else ''}{NO_TEST_SET}"
    if final is None:
        confirm, finalize = command("confirm", name), command("finalize", name)
        return f"The study has continued since it was confirmed; run `{confirm}` before `{finalize}`."
    words = ", ".join(summary.choice.words(final))
    finalize, other = command("finalize", name), command("finalize", name, "--trial", "N")
    return f"`{finalize}` uses trial {final} ({words}); `{other}` uses another trial."


def _reasons(summary: Summary, number: int) -> str:
    """Return the reasons why a trial was selected, with their values."""
    choice, metric = summary.choice, title_of(summary.metric)
    reasons = []
    if number == choice.best and summary.best is not None:
        reasons.append(f"best in the search ({metric} {short(summary.best.value)} on dev)")
    confirmation = summary.confirm
    if number == choice.confirmed and confirmation is not None:
        value, seeds = confirmation.best.value, counted(confirmation.seeds, "fresh seed")
        reasons.append(f"confirmed ({metric} {short(value)}, the best on {seeds})")
    if number == choice.recommended:
        margin = None if confirmation is None else confirmation.margin
        why = recommendation(margin)
        if number == choice.confirmed:
            why = why_none_cheaper(margin)
        reasons.append(f"recommended ({why})")
    return ", ".join(reasons)


def recommendation_lines(confirmation: Confirmation) -> list[str]:
    """Return a sentence about the recommended trial of a confirmation with several candidates."""
    cheapest, margin = confirmation.recommended, confirmation.margin
    if cheapest is None or len(confirmation.candidates) == 1:
        return []
    if cheapest != confirmation.winner:
        return [f"Recommended: trial {cheapest}, {recommendation(margin)} ({work_share(confirmation)})."]
    return [f"Recommended: trial {cheapest}; {why_none_cheaper(margin)}."]


def work_share(confirmation: Confirmation) -> str:
    """Return the cost of the recommended trial relative to the confirmed one."""
    recommended, theirs = confirmation.candidate(confirmation.recommended), confirmation.best.work
    share = recommended.work / theirs if recommended is not None and theirs else 1.0
    return (
        f"{100 * share:.0f}% of the work of trial {confirmation.winner}"
        if share < 0.995
        else "the same work, fewer parameters"
    )
