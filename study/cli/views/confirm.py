"""Print the results of `study confirm` and `study recheck`: first in words, then as a table."""

from rich import box
from rich.table import Table

from engine.metrics import METRICS
from study.cli.terminal import console_for_sentences
from study.evaluation.choice_lines import choice_lines, recommendation_lines
from study.ledger.confirmation import Average, Candidate, Confirmation, Power, Score, recommendation
from study.ledger.recheck import Recheck, RecheckCandidate
from study.ledger.results import Summary
from study.text.formatting import agree, counted, figure, figures, signed
from study.text.shell import next_command


def print_confirmed(confirmation: Confirmation, summary: Summary, *, table: bool = True) -> None:
    """Print a confirmation.

    Args:
        confirmation: confirmation to print.
        summary: summary of the study, including this confirmation.
        table: print a table of the candidates after the sentences.
    """
    console = console_for_sentences()
    for line in confirmation_lines(confirmation):
        console.print(line)
    if table:
        console.print(candidates_table(confirmation), soft_wrap=False)
    for line in choice_lines(summary, next_command):
        console.print(line)


def confirmation_lines(confirmation: Confirmation) -> list[str]:
    """Return sentences about the selected trial, the evidence for it, and its limits."""
    best, title = confirmation.best, METRICS[confirmation.metric].title
    seeds = counted(confirmation.seeds, "fresh seed")
    examples = counted(confirmation.m, "dev example" if confirmation.part == "dev" else "example")
    aside = "" if confirmation.part == "dev" else " set aside for confirmation"
    lines = [f"Confirmed on {seeds} and {examples}{aside}: trial {best.trial}, {title} {_value(best)}."]
    lines += average_lines(best.average, title)
    equal = [candidate.trial for candidate in confirmation.equals]
    if not equal:
        if len(confirmation.candidates) > 1:
            others = agree(len(confirmation.candidates) - 1, "The other one is", "None of the others is")
            lines.append(f"{others}{' not' if len(confirmation.candidates) == 2 else ''} the single best (p < 0.05).")
    else:
        lines.append(f"Not significantly different from trial {best.trial} (p ≥ 0.05): {_names(equal)}.")
    lines += recommendation_lines(confirmation)
    lines += _shrunk(confirmation)
    lines += [f"Trial {each.trial} {each.reason}." for each in confirmation.failed]
    lines += _power(confirmation.power, title)
    if confirmation.seeds == 2:
        lines.append("Two seeds give a poor estimate of the variation between seeds; use five or more.")
    lines += _optimism(confirmation)
    return lines


def _optimism(confirmation: Confirmation) -> list[str]:
    """Return a sentence about the optimism of the confirmed value, if there is any."""
    best, optimism = confirmation.best, confirmation.optimism
    on_dev = confirmation.part == "dev"
    aside = "; set [data] confirm = 0.1 to confirm on other examples" if on_dev else ""
    if optimism is None:
        return (
            [f"The candidates were chosen on these examples, so their values are slightly optimistic{aside}."]
            if on_dev
            else []
        )
    if not optimism:
        return []
    expected = best.value - optimism * (1 if confirmation.direction == "maximize" else -1)
    return [
        f"Trial {best.trial} was chosen on the same examples, so its value is optimistic by about "
        f"{figure(optimism, 2)} on average; expect about {_short(expected)} on new examples{aside}."
    ]


def average_lines(average: Average | None, title: str) -> list[str]:
    """Return a sentence on the average of the confirmed trial's networks."""
    if average is None:
        return []
    gain, low, high = signed([average.gain, average.gain_low, average.gain_high], 3)
    return [
        f"Average of its {average.networks} networks: {title} {_value(average)}; "
        f"gain from averaging: {gain} ({low} to {high})."
    ]


def print_rechecked(recheck: Recheck) -> None:
    """Print the result of a recheck."""
    console = console_for_sentences()
    title = METRICS[recheck.metric].title
    for line in (*_holding_lines(recheck, title), *(f"{each.name} {each.reason}." for each in recheck.failed)):
        console.print(line)
    for line in _power(recheck.power, title):
        console.print(line)
    if recheck.part == "dev" and not recheck.holds:
        console.print("The new configurations were chosen on these examples, which gives them a slight advantage.")
    console.print(candidates_table(recheck), soft_wrap=False)
    recommended = recheck.candidate(recheck.recommended)
    if recommended is not None and recommended.name != recheck.old_best.name:
        drawn = ", ".join(f"{key} = {_plain(value)}" for key, value in recommended.params.items())
        console.print(f"{recommended.name}: {drawn}")


def _holding_lines(recheck: Recheck, title: str) -> list[str]:
    """Return the sentence that says whether the old best is still the best."""
    old, best = recheck.candidate(recheck.old_best.name), recheck.candidate(recheck.winner)
    where = f"{counted(recheck.seeds, 'fresh seed')} and {counted(recheck.m, 'example')} of {recheck.data}"
    if old is None or best is None:
        return [f"The old best is no longer the best. Recommended: {recheck.recommended}."]
    if recheck.holds and old is best:
        return [f"The old best is still the best: {old.name} is best on {where}, {title} {_value(best)}."]
    if recheck.holds:
        same = f"{old.name} is not significantly different from {best.name} on {where}"
        return [f"The old best is still among the best: {same}."]
    return [
        f"The old best is no longer the best: on {where} {best.name} is better, "
        f"{title} {_value(best)} against {_value(old)}. Recommended: {recheck.recommended}."
    ]


def candidates_table(found: Confirmation | Recheck) -> Table:
    """Return a table of the candidates, sorted by their values on fresh seeds, best first."""
    sign = -1 if found.direction == "maximize" else 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("trial", justify="right", no_wrap=True)
    same_data = isinstance(found, Confirmation)  # only then are the values of the search comparable
    titles = ["fresh\nseeds", "95%\ninterval", "difference\n95%", "p", "work", "para-\nmeters"]
    averaged = any(_average(c) is not None for c in found.candidates)
    if averaged:
        titles.insert(2, "aver-\nage")
    for title in ("search", *titles) if same_data else titles:
        table.add_column(title, justify="right", no_wrap=True)
    candidates: tuple[Candidate | RecheckCandidate, ...] = found.candidates
    ranked = sorted(candidates, key=lambda c: (sign * c.value, c.trial))
    most = max((c.work for c in ranked if _name(c) == found.winner), default=0)
    shown = [[c.search_value] * same_data + [c.value, c.low, c.high, _average(c)] for c in ranked]
    values = iter(figures([value for row in shown for value in row], 3))
    gaps = iter(signed([end for c in ranked for end in (c.difference.low, c.difference.high)], 3))
    for c, row in zip(ranked, shown, strict=True):
        *before, low, high, average = (next(values) for _ in row)
        gap = f"{next(gaps)} {next(gaps)}"
        best = _name(c) == found.winner
        table.add_row(
            f"{_name(c)}{'*' if _name(c) == found.recommended else ' '}",
            *before,
            f"{low} {high}",
            *([average] if averaged else []),
            "" if best else gap,
            "" if best else _p(c.difference.p),
            f"{100 * c.work / most:.0f}%" if most else "",
            f"{c.parameters:,}",
        )
    table.caption = f"* recommended: {recommendation(found.margin)}\nwork: training work relative to the best" + (
        "\naverage: value of the average of the networks of all seeds" if averaged else ""
    )
    table.caption_justify = "left"
    return table


def _average(candidate: Candidate | RecheckCandidate) -> float | None:
    """Return the value of the average of a candidate's networks; None if it is unknown."""
    found = candidate.average if isinstance(candidate, Candidate) else None
    return None if found is None else found.value


def _name(candidate: Candidate | RecheckCandidate) -> int | str:
    return candidate.name if isinstance(candidate, RecheckCandidate) else candidate.trial


def _shrunk(confirmation: Confirmation) -> list[str]:
    best = confirmation.search_best
    again = confirmation.candidate(best.trial)
    if again is None or best.value is None:
        return []
    return [f"The search's best, trial {best.trial}: {_short(best.value)} in the search, {_value(again)} confirmed."]


def _power(power: Power | None, title: str) -> list[str]:
    if power is None:
        return []
    found = f"would be detected with probability {power.power:.2f}"
    statement = f"A true difference of {figure(power.difference, 3)} in {title} {found}"
    if power.power >= power.wanted:
        detectable = figure(power.detectable, 2)
        return [f"{statement}; a difference of {detectable} would be detected with probability {power.wanted}."]
    options = [f"{power.seeds_needed:,} seeds"] if power.seeds_needed is not None else []
    if power.examples_range is not None:
        low, high = (f"{float(f'{count:.2g}'):,.0f}" for count in power.examples_range)
        options.append(f"{low} to {high} examples" if low != high else f"{low} examples")
    more = f"about {' or '.join(options)}" if options else "more seeds and more examples"
    return [f"{statement}; raising that probability to {power.wanted} would take {more}."]


def _value(score: Score | Average) -> str:
    return f"{_short(score.value)} ({_short(score.low)} to {_short(score.high)})"


def _names(trials: list[int]) -> str:
    if len(trials) == 1:
        return f"trial {trials[0]}"
    return f"trials {', '.join(map(str, trials[:-1]))} and {trials[-1]}"


def _short(value: float) -> str:
    return f"{value:.3f}" if 1e-3 <= abs(value) < 100 else figure(value, 3)


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
