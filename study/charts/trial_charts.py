"""Charts with a mark for each trial: cost curves, dev value by trial, iterations by trial, and the Pareto front."""

import math
from collections.abc import Sequence

from study.charts.chart import Axis, Chart, Dots, Mark, path
from study.charts.scales import Numbers, robust
from study.charts.trials import TrialFacts
from study.charts.words import short, title_of
from study.ledger.results import TrialRow
from study.text.formatting import counted

STATES = {"complete": "complete", "pruned": "pruned", "failed": "failed", "running": "still running"}
FALL = 10.0  # ratio of the largest to the smallest value above which an axis is logarithmic


def cost_scales(facts: TrialFacts) -> tuple[Numbers, Numbers, float | None] | None:
    """Return the scales of iterations and of J, and the cost above which curves are cut; None without a finite cost."""
    costs = [cost for points in facts.curves.values() for _, cost in points if math.isfinite(cost)]
    if not costs:
        return None
    last = 1 + max(points[-1][0] for points in facts.curves.values())
    # End the axis at twice the highest initial cost, so that a diverging curve does not flatten all others.
    starts = [points[0][1] for points in facts.curves.values() if math.isfinite(points[0][1])]
    top = 2 * max(starts, default=1.0)
    shown = [min(cost, top) for cost in costs]
    positive = min(shown) > 0
    y = Numbers.covering(shown, log=positive and max(shown) / min(shown) > FALL)
    return Numbers(0, last, whole=True), y, top if max(costs) > top else None


def cost_curves(facts: TrialFacts) -> Chart | None:
    """Return a chart of J by iteration for all trials; the confirmed or best one is highlighted."""
    scales = cost_scales(facts)
    if scales is None:
        return None
    x, y, top = scales
    state, main = {row.number: row.state for row in facts.summary.trials}, facts.main
    marks = [
        Mark("line", f"faint {state[number]}", _curve(points, x, y), (number,))
        for number, points in facts.curves.items()
        if number != main
    ]
    best = None if main is None else facts.curves.get(main)
    legend = [(f"line faint {name}", text) for name, text in STATES.items() if name in state.values()]
    change = ""
    if main is not None and best is not None:
        marks.append(Mark("line", "best", _curve(best, x, y), (main,)))
        legend.insert(0, ("line best", facts.summary.choice.title(main)))
        change = f" The curve of trial {main} goes from {short(best[0][1])} to {short(best[-1][1])}."
    scaled = " The axis of J is logarithmic." if y.log else ""
    cut = "" if top is None else f" Costs above {short(top)} are cut off."
    return Chart(
        key="curves-chart",
        label=f"Cost J by iteration, {counted(len(facts.curves), 'curve')}.{change}",
        x=Axis.of("iteration", x),
        y=Axis.of("cost J", y),
        marks=tuple(marks),
        legend=tuple(legend),
        caption=f"Cost J before each update.{scaled}{cut}",
        usage="Hover over a curve to see its trial; click to pin it.",
        tall=24,
    )


def _curve(points: Sequence[tuple[int, float]], x: Numbers, y: Numbers) -> str:
    return path((x.place(i), y.place(cost) if math.isfinite(cost) else math.inf) for i, cost in points)


def progress(facts: TrialFacts) -> Chart | None:
    """Return a chart of the dev value of each trial, by number, with the best value so far."""
    summary = facts.summary
    valued = [row for row in summary.trials if row.value is not None]
    if len(valued) < 2:
        return None
    maximize = summary.direction == "maximize"
    y, cut = robust([float(row.value or 0) for row in valued], maximize=maximize)
    x = Numbers.covering([row.number for row in summary.trials], whole=True, margin=0.02)
    complete, pruned, best = Dots("complete"), Dots("pruned"), Dots("best big")
    steps: list[tuple[float, float]] = []
    so_far: float | None = None
    for row in valued:
        value = float(row.value or 0)
        at = (x.place(row.number), y.place(value))
        if row.state != "complete":
            pruned.add(*at, row.number)
            continue
        (best if row.number == facts.main else complete).add(*at, row.number)
        if so_far is None or ((value > so_far) == maximize and value != so_far):
            steps += [(at[0], y.place(so_far))] if so_far is not None else []
            so_far = value
            steps.append(at)
    if so_far is not None:
        steps.append((1.0, y.place(so_far)))
    metric = title_of(summary.metric)
    return Chart(
        key="progress-chart",
        label=f"Dev {metric} by trial, with the best value so far"
        + (f", which reaches {short(so_far)}." if so_far is not None else "."),
        x=Axis.of("trial", x),
        y=Axis.of(f"dev {metric}", y),
        marks=(pruned.mark(), complete.mark(), Mark("rule", "frontier", path(steps)), best.mark()),
        legend=(
            ("dots complete", "complete"),
            *((("dots pruned", "pruned, at its last report"),) if pruned.parts else ()),
            ("line frontier", "best so far"),
        ),
        caption="Dev value of each trial, in the order of the search." + _cut(cut),
        tall=16,
    )


def reach(facts: TrialFacts) -> Chart | None:
    """Return a chart of the number of iterations of each trial, by state."""
    rows = [row for row in facts.summary.trials if row.iterations]
    if len(rows) < 2:
        return None
    x = Numbers.covering([row.number for row in facts.summary.trials], whole=True, margin=0.02)
    y = Numbers(0, 1.05 * max(row.iterations for row in rows), whole=True)
    marks = []
    present = [state for state in STATES if any(row.state == state for row in rows)]
    for state in present:
        of_state = [row for row in rows if row.state == state]
        dots = Dots(state)
        for row in of_state:
            dots.add(x.place(row.number), y.place(row.iterations), row.number)
        sticks = "".join(_stick(row, x, y) for row in of_state)
        marks += [Mark("rule", f"stick {state}", sticks), dots.mark()]
    return Chart(
        key="reach-chart",
        label="Iterations of each trial: "
        + ", ".join(f"{sum(row.state == state for row in rows)} {STATES[state]}" for state in present)
        + ".",
        x=Axis.of("trial", x),
        y=Axis.of("iterations", y),
        marks=tuple(marks),
        legend=tuple((f"dots {state}", STATES[state]) for state in present),
        caption="Number of iterations until each trial was complete, was pruned, or failed.",
        tall=14,
    )


def _stick(row: TrialRow, x: Numbers, y: Numbers) -> str:
    at = x.place(row.number)
    return path([(at, 0.0), (at, y.place(row.iterations))])


def front(facts: TrialFacts) -> Chart | None:
    """Return a chart of the first two objectives with the Pareto front; None if there is only one objective."""
    summary = facts.summary
    if len(summary.objectives) < 2 or not summary.values:
        return None
    first, second = summary.objectives[:2]
    pairs = {number: values[:2] for number, values in summary.values.items()}
    x = _positive_scale([pair[1] for pair in pairs.values()])
    y = Numbers.covering([pair[0] for pair in pairs.values()])
    others, best = Dots("complete"), Dots("best big")
    for number, (down, across) in pairs.items():
        (best if number in summary.front else others).add(x.place(across), y.place(down), number)
    ordered = sorted((pairs[number][1], pairs[number][0]) for number in summary.front)
    line = path([(x.place(across), y.place(down)) for across, down in ordered])
    count = len(summary.objectives)
    more = f" Only the first two of {count} objectives are shown." if count > 2 else ""
    return Chart(
        key="front-chart",
        label=f"{title_of(first)} against {title_of(second)}: {counted(len(pairs), 'complete trial')}, "
        f"{len(summary.front)} of them on the Pareto front.",
        x=Axis.of(_on_dev(second), x),
        y=Axis.of(_on_dev(first), y),
        marks=(others.mark(), Mark("rule", "frontier", line), best.mark()),
        legend=(("dots best", "best trade-offs (Pareto front)"), ("dots complete", "other complete trials")),
        caption="Each dot is a complete trial." + more,
    )


def _positive_scale(values: Sequence[float]) -> Numbers:
    log = min(values) > 0 and max(values) / min(values) > FALL
    return Numbers.covering(values, log=log)


def _on_dev(objective: str) -> str:
    return title_of(objective) if objective in ("parameters", "work") else f"dev {title_of(objective)}"


def _cut(cut: bool) -> str:
    return " Values far worse than the others are drawn at the edge." if cut else ""
