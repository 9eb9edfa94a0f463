"""Plots of the trials of a study: cost curves, and the dev value against hyperparameters."""

from typing import TYPE_CHECKING

import numpy as np

from study.api.axes_style import (
    add_legend,
    make_axes,
    palette_of,
    set_x,
    set_y,
    style_axes,
)
from study.charts.setting_charts import (
    BANDS,
    NONE,
    name_of_band,
    parallel_rows,
)
from study.charts.trial_charts import STATES, cost_scales
from study.charts.trials import TrialFacts
from study.charts.words import short
from study.errors import UserError
from study.search.importance import LEAST, Importance
from study.text.formatting import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY = 100  # number of curves from which they are drawn fainter
COLUMNS = 3  # columns of slices in a figure
_DASHES = {"failed": (0, (5, 3)), "running": (0, (1, 3))}
_OF_BANDS = (0.8, 0.55, 0.45, 0.5, 0.5)  # opacity, as in the report


def draw_curves(facts: TrialFacts, ax: "Axes | None") -> "Axes":
    """Draw J by iteration, with all trials faint and the confirmed or best one strong."""
    scales = cost_scales(facts)
    if scales is None:
        raise UserError(f"study {facts.summary.name!r} has no training curves yet; run it first")
    x, y, top = scales
    ax = make_axes(ax)
    colors, named = palette_of(ax), set[str]()
    states = {row.number: row.state for row in facts.summary.trials}
    alpha = 0.45 if len(facts.curves) < MANY else 0.15
    for number, points in facts.curves.items():
        iterations, costs = np.array(points, dtype=np.float64).T
        state = states[number]
        if number == facts.main:
            title = facts.summary.choice.title(number)
            ax.plot(iterations, costs, color=colors["best"], linewidth=2.5, zorder=3, label=title)
            continue
        label = f"_trial {number}" if state in named else STATES[state]
        named.add(state)
        style = _DASHES.get(state, "-")
        ax.plot(iterations, costs, color=colors[state], linewidth=1, alpha=alpha, linestyle=style, label=label)
    set_x(ax, x)
    set_y(ax, y)
    cut = "" if top is None else f" (costs above {short(top)} are cut off)"
    style_axes(ax, f"Cost by iteration, {counted(len(facts.curves), 'trial')}{cut}", "iteration", "cost J on train")
    add_legend(ax, [] if facts.main is None else [facts.summary.choice.title(facts.main)])
    return ax


def draw_parallel(facts: TrialFacts, ax: "Axes | None") -> "Axes":
    """Draw parallel coordinates of the complete trials, with a row per hyperparameter and the value in the last one."""
    found = parallel_rows(facts)
    if found is None:
        raise UserError(
            f"study {facts.summary.name!r}: parallel coordinates need two complete trials and two hyperparameters that "
            "differ between trials; run more trials"
        )
    count = len(found.scales)
    ax = make_axes(ax, (8.4, 0.75 * count + 1.0))
    colors = palette_of(ax)
    rows, named = list(range(count)), set[str]()
    for row in rows:
        ax.axhline(row, color=colors["line"], linewidth=1, zorder=1)
    for line in reversed(found.lines):  # the best on top
        best = line.trial == facts.main
        key, title = ("best", _main_title(facts)) if best else (f"band-{line.band}", name_of_band(line.band))
        label = f"_trial {line.trial}" if title in named else title
        named.add(title)
        alpha = 1.0 if best else _OF_BANDS[line.band]
        width, order = (2.8, 4) if best else (1.2, 3)
        ax.plot(line.places, rows, color=colors[key], alpha=alpha, linewidth=width, zorder=order, label=label)
    missing = any(place == NONE for line in found.lines for place in line.places)
    without = "; at the far left: without the hyperparameter" if missing else ""
    ax.set_xlim(0, 1)
    ax.set_ylim(count - 0.5, -0.5)
    ax.set_xticks([])
    ax.set_yticks(rows, labels=found.labels)
    style_axes(
        ax,
        f"{counted(len(found.lines), 'complete trial')}",
        f"each row from low to high{without}",
        "",
        lined=(False, False),
    )
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_visible(False)
    add_legend(ax, [_main_title(facts), *map(name_of_band, range(BANDS))])
    return ax


def draw_importance(importance: Importance | None, name: str, ax: "Axes | None") -> "Axes":
    """Draw how much each hyperparameter matters, by two estimates."""
    if importance is None:
        raise UserError(
            f"study {name!r}: importance needs at least {LEAST} complete trials whose values differ; run more trials"
        )
    names = importance.names
    ax = make_axes(ax, (6.8, 0.5 * len(names) + 1.3))
    colors = palette_of(ax)
    for shares, offset, color, label in (
        (importance.variance, -0.19, "complete", "share of the variance\n(fANOVA)"),
        (importance.best, 0.19, "best", "importance for the\nbest tenth (PED-ANOVA)"),
    ):
        rows = [k for k, each in enumerate(names) if each in shares]
        widths = [shares[names[k]] for k in rows]
        ax.barh([k + offset for k in rows], widths, height=0.34, color=colors[color], label=label)
    ax.set_yticks(range(len(names)), labels=names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 1.0 if max([*importance.variance.values(), *importance.best.values()]) > 0.8 else None)
    few = "; too few for a reliable estimate" if importance.few else ""
    title = f"Importance of hyperparameters, {counted(importance.trials, 'complete trial')}{few}"
    style_axes(ax, title, "share, 0 to 1", "", lined=(True, False))
    add_legend(ax)
    return ax


def _main_title(facts: TrialFacts) -> str:
    return "" if facts.main is None else facts.summary.choice.title(facts.main)
