"""Turn the content of a report into HTML or Markdown: its sections and tables. The layout is in `templates/`."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from study.charts import setting_charts, trial_charts
from study.charts.trials import Curve
from study.charts.words import short, title_of
from study.ledger.answers import describe_study
from study.ledger.baselines import Baseline
from study.ledger.columns import cell_of, columns_of
from study.ledger.results import TrialRow
from study.report import winner_charts, wording
from study.report.facts import Facts
from study.text.colors import color_rules
from study.text.formatting import counted
from study.text.markdown import Markdown, block, inline
from study.text.printable import printable
from study.text.records import Json, to_json
from study.text.shell import command
from study.text.sparkline import sparkline

TOP = 20  # trials on the leaderboard; the table of all trials is collapsed
MOST_CLASSES = 20  # maximum size of a confusion matrix; with more classes, only the most frequent mistakes are listed
MOST_CONFUSIONS = 15
EVEN = 40  # evenly spaced points of a curve, from which a sparkline is drawn
NAMED = 40  # trials that are listed by number; further ones are only counted
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Line:
    """A trial in a table. Its curve of log J is `curve` as text for Markdown, and `spark` as an SVG path for HTML."""

    row: TrialRow
    values: tuple[str, ...]
    gap: str
    settings: tuple[str, ...]
    spark: str
    curve: str


def as_html(facts: Facts) -> str:
    """Return the report as one self-contained HTML page."""
    template = _environment(markdown=False).get_template("page.html")
    css, js = ((_TEMPLATES / f"page.{name}").read_text(encoding="utf-8") for name in ("css", "js"))
    files = {"css": Markup(color_rules() + css), "js": Markup(js)}  # noqa: S704 - files of this package
    return template.render(**_content(facts), **files, data=_embed(to_json(describe_study(facts.summary))))


def as_markdown(facts: Facts) -> str:
    """Return the report as Markdown, with the same values and tables, but sparklines instead of charts."""
    text = _environment(markdown=True).get_template("page.md").render(**_content(facts))
    return text.rstrip() + "\n"


@cache
def _environment(*, markdown: bool) -> jinja2.Environment:
    """Return the environment of the templates, which escapes all values for Markdown or HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=not markdown,  # noqa: S701 - `finalize` escapes Markdown
        finalize=_escape_markdown if markdown else _escape_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"short": short, "block": block, "title": title_of, "trials": _name_trials}
    environment.globals |= {"counted": counted, "interval": wording.interval}
    return environment


def _content(facts: Facts) -> dict[str, object]:
    """Return the variables of both templates."""
    summary = facts.summary
    several = len(summary.objectives) > 1
    ranked = [row for row in summary.ranking() if not several or row.number in summary.front][:TOP]
    names, all_names = columns_of(ranked), columns_of(summary.trials)
    winner = None if facts.main is None else summary.row(facts.main)
    look = facts.look
    slices, slices_cut = setting_charts.slices(facts)
    return {
        "facts": facts,
        "summary": summary,
        "standing": wording.standing(facts),
        "verdict": wording.verdict(facts),
        "objectives": summary.objectives if several else (summary.metric,),
        "columns": names,
        "lines": [_line(facts, row, names) for row in ranked],
        "all_columns": all_names,
        "all_lines": [_line(facts, row, all_names, bare=True) for row in summary.trials],
        "baselines": [_baseline(each) for each in summary.baselines],
        "winner": winner,
        "drawn": {} if winner is None else {k: v for k, v in winner.params.items() if k in facts.distributions},
        "fixed": {} if winner is None else {k: v for k, v in winner.params.items() if k not in facts.distributions},
        "winner_metrics": [] if winner is None else _metrics(winner),
        "confirmation": facts.confirmation,
        "candidates_chart": winner_charts.candidates(facts.confirmation) if facts.confirmation is not None else None,
        "front_chart": trial_charts.front(facts),
        "curves_chart": trial_charts.cost_curves(facts),
        "slices": slices,
        "slices_cut": slices_cut,
        "importance": facts.importance,
        "parallel_chart": setting_charts.parallel(facts),
        "progress_chart": None if several else trial_charts.progress(facts),
        "reach_chart": trial_charts.reach(facts),
        "states": wording.counts(facts),
        "prunings": wording.prunings(facts),
        "failures": wording.failures(facts),
        "work": _work(facts),
        "confusion": _confusion(facts),
        "confusions": _confusions(facts),
        "predictions_chart": winner_charts.predictions(facts.winner, look.target_name)
        if facts.winner is not None and look is not None
        else None,
        "boundary_chart": winner_charts.boundary(facts.winner) if facts.winner is not None else None,
        "classes": _classes(facts),
        "command": _command(facts),
        "versions": facts.kept.versions or {"dnn-study": facts.kept.version},
        "spec": facts.kept.spec or "",
    }


def _line(facts: Facts, row: TrialRow, names: Sequence[str], *, bare: bool = False) -> Line:
    summary = facts.summary
    several = len(summary.objectives) > 1
    values: list[float | None] = list(summary.values.get(row.number, [])) if several else [row.value]
    values += [None] * (max(1, len(summary.objectives)) - len(values))
    points = [] if bare else _logarithms(facts.curves.get(row.number, []))
    return Line(
        row=row,
        values=tuple("" if value is None else short(value) for value in values),
        gap="" if row.gap is None else f"{row.gap:+.4f}",
        settings=tuple(_setting(row, name) for name in names),
        spark=_spark(points),
        curve=sparkline(_even(points)),
    )


def _setting(row: TrialRow, name: str) -> str:
    value = cell_of(row, name)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _logarithms(curve: Curve) -> list[tuple[int, float]]:
    """Return (iteration, log J) where J is positive and finite."""
    return [(i, math.log(cost)) for i, cost in curve if cost > 0 and math.isfinite(cost)]


def _spark(points: Sequence[tuple[int, float]]) -> str:
    """Return a curve as an SVG path in a box of 100 by 24."""
    if len(points) < 2:
        return ""
    low, high, last = min(cost for _, cost in points), max(cost for _, cost in points), points[-1][0]
    return "M" + " ".join(
        f"{2 + i / last * 96:.0f} {22 - (cost - low) / (high - low or 1) * 20:.0f}" for i, cost in points
    )


def _even(points: Sequence[tuple[int, float]]) -> list[float]:
    """Return evenly spaced values of a curve by linear interpolation."""
    if len(points) < 2:
        return [cost for _, cost in points]
    iterations, costs = np.array(points, dtype=np.float64).T
    return [float(cost) for cost in np.interp(np.linspace(0, iterations[-1], EVEN), iterations, costs)]


def _baseline(baseline: Baseline) -> tuple[str, str, str, str]:
    """Return (title, value on dev, processor seconds, note)."""
    value = "" if baseline.value is None else short(baseline.value)
    return baseline.title, value, f"{baseline.seconds:.3g}", baseline.reason or baseline.note or ""


def _metrics(row: TrialRow) -> list[tuple[str, str, str]]:
    """Return (metric, on dev, on train) for each final metric of a trial."""
    names = [name.removeprefix("dev_") for name in row.metrics if name.startswith("dev_")]
    known = {"train_cost": row.metrics["cost"]} if "cost" in row.metrics else {}
    known |= row.metrics
    # Skip the metrics of single networks, whose names end in a number.
    return [
        (title_of(name), short(known.get(f"dev_{name}", "")), short(known.get(f"train_{name}", "")))
        for name in names
        if not name.rpartition("_")[2].isdigit()
    ]


def _work(facts: Facts) -> list[tuple[str, int, int, float, float]]:
    """Return (state, trials, iterations, CPU seconds, units of work) for each state and for all trials."""
    rows = facts.summary.trials
    sums = [_sum(state, [row for row in rows if row.state == state]) for state in wording.counts(facts)]
    return [*sums, _sum("all", rows)] if sums else []


def _sum(state: str, rows: Sequence[TrialRow]) -> tuple[str, int, int, float, float]:
    seconds, work = sum(row.seconds for row in rows), sum(row.work or 0.0 for row in rows)
    return state, len(rows), sum(row.iterations for row in rows), float(seconds), float(work)


def _confusion(facts: Facts) -> list[tuple[str, int, list[tuple[int, float]]]]:
    """Return (true class, examples, [(count, share)] by predicted class) for each row; [] if there are too many."""
    winner = facts.winner
    if winner is None or winner.confusion is None or len(winner.classes) > MOST_CLASSES:
        return []
    table = []
    for name, counts in zip(winner.classes, winner.confusion.tolist(), strict=True):
        total = sum(counts)
        table.append((name, total, [(count, count / total if total else 0.0) for count in counts]))
    return table


def _confusions(facts: Facts) -> list[tuple[str, str, int]]:
    """Return (true class, predicted class, examples) for the most frequent mistakes."""
    winner = facts.winner
    if winner is None or winner.confusion is None:
        return []
    found = [
        (winner.classes[truth], winner.classes[guess], count)
        for truth, counts in enumerate(winner.confusion.tolist())
        for guess, count in enumerate(counts)
        if truth != guess and count
    ]
    return sorted(found, key=lambda item: -item[2])[:MOST_CONFUSIONS]


def _classes(facts: Facts) -> list[tuple[str, int, int]]:
    """Return (class, examples in train, examples in dev) for each class."""
    dataset = facts.dataset
    if dataset is None or not dataset.classes:
        return []
    if dataset.task == "binary":
        ones = [int(part.Y.sum()) for part in (dataset.train, dataset.dev)]
        counts = [[dataset.train.m - ones[0], ones[0]], [dataset.dev.m - ones[1], ones[1]]]
    else:
        counts = [[int(count) for count in part.Y.sum(axis=1)] for part in (dataset.train, dataset.dev)]
    return list(zip(dataset.classes, *counts, strict=True))


def _command(facts: Facts) -> str:
    raised = facts.kept.raised
    return command("run", f"{facts.summary.name}.toml", *(["--trials", raised] if raised else []))


def _embed(value: Json) -> Markup:
    """Return JSON that is safe inside a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704 - escaped


def _name_trials(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:NAMED]))
    return f"{shown}, … ({len(numbers):,})" if len(numbers) > NAMED else shown


def _escape_markdown(value: object) -> Markdown:
    return value if isinstance(value, Markdown) else inline(short(value))


def _escape_html(value: object) -> object:
    """Return text with its control characters escaped; the template escapes HTML."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
