"""What `study confirm` and `study recheck` found, in the terminal: the verdict in plain words, then a table."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from engine.metrics import METRICS
from study.choice_lines import choice_lines, work_share
from study.formatting import figure, figures, signed
from study.results import Summary
from study.terminal import console_for_sentences


def print_confirmed(outcome: Mapping[str, Any], summary: Summary, *, table: bool = True) -> None:
    """Print an outcome.

    Args:
        outcome: as `study.confirming` keeps it.
        summary: of the study, with this outcome.
        table: whether the candidates follow the verdict.
    """
    console = console_for_sentences()
    for line in verdict_lines(outcome):
        console.print(line)
    if table:
        console.print(candidates_table(outcome), soft_wrap=False)
    for line in choice_lines(summary):
        console.print(line)


def verdict_lines(outcome: Mapping[str, Any]) -> list[str]:
    """Return the verdict, what it rests on, and what it does not say."""
    by_trial = {candidate["trial"]: candidate for candidate in outcome["candidates"]}
    winner = by_trial[outcome["winner"]]
    title = METRICS[outcome["metric"]].title
    examples = "dev examples" if outcome["part"] == "dev" else "examples set aside for it"
    lines = [
        f"Confirmed on {outcome['seeds']} fresh seeds and {outcome['m']:,} {examples}: trial {winner['trial']}, "
        f"{title} {_value(winner)}."
    ]
    equal = [c["trial"] for c in outcome["candidates"] if c["indistinguishable"] and c is not winner]
    if not equal:
        if len(by_trial) > 1:
            lines.append(f"All others ({len(by_trial) - 1}) are significantly worse (p < 0.05).")
    else:
        alike = f"Not significantly different from it (p ≥ 0.05): {_names(equal)}"
        cheapest = outcome["recommended"]
        if cheapest == winner["trial"]:
            lines.append(f"{alike}. Recommended: trial {cheapest}, the cheapest.")
        else:
            lines.append(f"{alike}. Recommended: trial {cheapest}, the cheapest ({work_share(outcome)}).")
    lines += _shrunk(outcome, by_trial)
    lines += [f"Trial {each['trial']} {each['reason']}." for each in outcome["failed"]]
    lines += _power(outcome, title)
    if outcome["seeds"] == 2:
        lines.append("Two seeds say little about how much seeds differ; use five or more.")
    if outcome["part"] == "dev":
        lines.append(
            "The candidates were chosen on these examples, so the values are slightly optimistic; "
            "[data] confirm = 0.1 sets other examples aside."
        )
    return lines


def print_rechecked(outcome: Mapping[str, Any]) -> None:
    """Print an outcome as `study.rechecking` keeps it."""
    console = console_for_sentences()
    by_name = {candidate["name"]: candidate for candidate in outcome["candidates"]}
    old, winner = outcome["old_best"]["name"], by_name[outcome["winner"]]
    title = METRICS[outcome["metric"]].title
    where = f"{outcome['seeds']} fresh seeds and {outcome['m']} examples of {outcome['data']}"
    if outcome["holds"] and old == winner["name"]:
        console.print(f"The old best still holds: {old} is best on {where}, {title} {_value(winner)}.")
    elif outcome["holds"]:
        console.print(
            f"The old best still holds: {old} is not significantly different from {winner['name']} on {where}."
        )
    elif old in by_name:
        console.print(
            f"The old best holds no longer: on {where} {winner['name']} is better, "
            f"{title} {_value(winner)} against {_value(by_name[old])}. Recommended: {outcome['recommended']}."
        )
    else:
        console.print(f"The old best holds no longer. Recommended: {outcome['recommended']}.")
    for line in (f"{each['name']} {each['reason']}." for each in outcome["failed"]):
        console.print(line)
    for line in _power(outcome, title):
        console.print(line)
    if outcome["part"] == "dev" and not outcome["holds"]:
        console.print("These examples chose the new settings, which favours them a little.")
    console.print(candidates_table(outcome), soft_wrap=False)
    if outcome["recommended"] in by_name and outcome["recommended"] != old:
        setting = by_name[outcome["recommended"]]["params"]
        console.print(f"{outcome['recommended']}: {', '.join(f'{key} = {_plain(v)}' for key, v in setting.items())}")


def candidates_table(outcome: Mapping[str, Any]) -> Table:
    """Return the candidates, the best confirmed value first."""
    sign = -1 if outcome["direction"] == "maximize" else 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("trial", justify="right", no_wrap=True)
    before = "search_best" in outcome  # values of the search on the same data
    titles = ("again", "95%\ninterval", "best\nwith", "difference\n95%", "p", "work", "para-\nmeters")
    best = max((c["work"] for c in outcome["candidates"] if c.get("name", c["trial"]) == outcome["winner"]), default=0)
    for title in ("search", *titles) if before else titles:
        table.add_column(title, justify="right", no_wrap=True)
    ranked = sorted(outcome["candidates"], key=lambda c: (sign * c["value"], c["trial"]))
    keys = ("search_value", "value", "low", "high") if before else ("value", "low", "high")
    values = figures([c[key] for c in ranked for key in keys], 3)
    gaps = signed([c["difference"][key] for c in ranked for key in ("low", "high")], 3)
    for place, c in enumerate(ranked):
        name = c.get("name", c["trial"])
        *shown, low, high = values[place * len(keys) : (place + 1) * len(keys)]
        won = name == outcome["winner"]
        table.add_row(
            f"{name}{'*' if name == outcome['recommended'] else ' '}",
            *shown,
            f"{low} {high}",
            f"{100 * c['probability_best']:.0f}%",
            "" if won else " ".join(gaps[2 * place : 2 * place + 2]),
            "" if won else _p(c["difference"]["p"]),
            f"{100 * c['work'] / best:.0f}%" if best else "",
            f"{c['parameters']:,}",
        )
    table.caption = (
        "* recommended: the cheapest that is not significantly different from the best\n"
        "work: of its training, relative to the best; best with: probability"
    )
    table.caption_justify = "left"
    return table


def _shrunk(outcome: Mapping[str, Any], by_trial: Mapping[int, Mapping[str, Any]]) -> list[str]:
    best = outcome["search_best"]
    again = by_trial.get(best["trial"])
    if again is None:
        return []
    half = (again["high"] - again["low"]) / 2
    return [
        f"The search's best, trial {best['trial']}: {_short(best['value'])} in the search, "
        f"{_short(again['value'])} ± {figure(half, 2)} confirmed."
    ]


def _power(outcome: Mapping[str, Any], title: str) -> list[str]:
    power = outcome["power"]
    if power is None:
        return []
    found = f"would be found with probability {power['power']:.2f}"
    said = f"A true difference of {figure(power['difference'], 3)} in {title} {found}"
    if power["power"] >= power["wanted"]:
        return [f"{said}; with {power['wanted']}, one of {figure(power['detectable'], 2)}."]
    ways = [
        f"{power[key]:,} {what}"
        for key, what in (("seeds_needed", "seeds"), ("examples_needed", "examples"))
        if power[key] is not None
    ]
    return [f"{said}; {power['wanted']} takes {' or '.join(ways) or 'more seeds and more examples'}."]


def _value(candidate: Mapping[str, Any]) -> str:
    return f"{_short(candidate['value'])} ({_short(candidate['low'])} to {_short(candidate['high'])})"


def _names(trials: list[int]) -> str:
    if len(trials) == 1:
        return f"trial {trials[0]}"
    return f"trials {', '.join(map(str, trials[:-1]))} and {trials[-1]}"


def _short(value: float) -> str:
    return f"{value:.3f}" if 1e-3 <= abs(value) < 100 else figure(value, 3)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
