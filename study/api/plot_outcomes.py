"""Plots of the quality of the best trials: confirmed values, residuals, the confusion matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.api.axes_style import add_legend, make_axes, mix, palette_of, set_x, set_y, style_axes
from study.api.outcomes import Outcome
from study.charts.scales import Choices, Numbers
from study.charts.words import shorten, title_of
from study.errors import UserError
from study.ledger.confirmation import Candidate, Confirmation, basis
from study.ledger.results import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES = 20  # maximum number of classes for which counts are written in the cells
_NAMES = 60  # maximum number of characters in all class names below the matrix


@dataclass(frozen=True, eq=False)
class _Dots:
    """Dots of one style: their (x, y), label, name of the color, size in square points, and shape."""

    points: list[tuple[float, float]]
    label: str
    color: str
    size: float
    marker: str = "o"


def draw_confirmation(summary: Summary, ax: "Axes | None") -> "Axes":
    """Draw the confirmed value of each candidate with its interval, the value of each seed, and that of the search."""
    found = _confirmation(summary)
    ranked = sorted(found.candidates, key=lambda one: one.value, reverse=found.direction != "maximize")
    names = Choices(tuple(f"trial {one.trial}{' *' if one.trial == found.recommended else ''}" for one in ranked))
    ax = make_axes(ax, (7.2, 0.55 * len(ranked) + 1.5))
    colors = palette_of(ax)
    low, high = [one.low for one in ranked], [one.high for one in ranked]
    ax.hlines(range(len(ranked)), low, high, color=colors["text"], linewidth=1.5, zorder=2, label="95% interval")
    series = _confirmed_dots(found, ranked)
    for order, dots in enumerate(series, start=3):
        x, y = [x for x, _ in dots.points], [y for _, y in dots.points]
        color = colors[dots.color]
        ax.scatter(x, y, dots.size, color=color, marker=dots.marker, linewidths=0, zorder=order, label=dots.label)
    set_x(ax, Numbers.covering([*low, *high, *(x for dots in series for x, _ in dots.points)]))
    set_y(ax, names)
    marked = "; *: recommended" if found.recommended is not None else ""
    title = f"Confirmed on {basis(found.seeds, found.m, found.part)}{marked}"
    style_axes(ax, title, shorten(title_of(found.metric)), "", lined=(True, False))
    add_legend(ax, [dots.label for dots in reversed(series)])
    return ax


def _confirmed_dots(found: Confirmation, ranked: Sequence[Candidate]) -> list[_Dots]:
    """Return the dots of a confirmation, with those to draw on top last; row k belongs to the k-th given candidate."""
    rows = list(enumerate(ranked))
    seeds = [(value, row + (k % 5 - 2) * 0.08) for row, one in rows for k, value in enumerate(one.by_seed)]
    searched = [(one.search_value, float(row)) for row, one in rows if one.search_value is not None]
    others = [(one.value, float(row)) for row, one in rows if one.trial != found.winner]
    winner = [(one.value, float(row)) for row, one in rows if one.trial == found.winner]
    series = [
        _Dots(seeds, "one seed", "pruned", 12),
        _Dots(searched, "value in the search", "failed", 28, "s"),
        _Dots(others, "other candidates on fresh seeds", "complete", 60),
        _Dots(winner, f"confirmed: trial {found.winner}", "best", 75),
    ]
    return [dots for dots in series if dots.points]


def _confirmation(summary: Summary) -> Confirmation:
    if summary.confirm is None:
        raise UserError(f"study {summary.name!r} has not been confirmed; call confirm() first")
    if summary.choice.outdated:
        raise UserError(f"study {summary.name!r} has continued since it was confirmed; call confirm() again")
    return summary.confirm


def draw_residuals(outcome: Outcome, name: str, ax: "Axes | None") -> "Axes":
    """Draw true minus predicted values against the predicted ones."""
    if outcome.confusion is not None:
        raise UserError(f"study {name!r} predicts classes, which have no residuals; use plot_confusion()")
    ax = make_axes(ax)
    colors, target = palette_of(ax), shorten(outcome.target, 24)
    residuals = outcome.truth - outcome.prediction
    finite = np.isfinite(residuals)
    lost = int((~finite).sum())
    ax.axhline(0, color=colors["best"], linewidth=1.5, zorder=2, label="predicted = true")
    ax.scatter(
        outcome.prediction[finite],
        residuals[finite],
        s=20,
        color=colors["complete"],
        alpha=0.6,
        linewidths=0,
        zorder=3,
        label="an example",
    )
    set_x(ax, Numbers.covering(outcome.prediction[finite].tolist()))
    set_y(ax, Numbers.covering([*residuals[finite].tolist(), 0.0], margin=0.06))
    missing = f"; {lost} non-finite omitted" if lost else ""
    style_axes(
        ax,
        f"Residuals of {outcome.trial}, {outcome.examples}{missing}",
        f"predicted {target}",
        f"true − predicted {target}",
        (True, True),
    )
    add_legend(ax, ["an example"])
    return ax


def draw_confusion(outcome: Outcome, name: str, ax: "Axes | None") -> "Axes":
    """Draw how often each true class (row) was predicted as each class (column), colored by the share of the row."""
    counts = outcome.confusion
    if counts is None:
        raise UserError(f"study {name!r} predicts numbers, not classes; use plot_residuals()")
    K = len(counts)
    side = min(9.0, max(4.0, 0.48 * K + 1.6))
    ax = make_axes(ax, (side + 0.6, side))
    colors = palette_of(ax)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    cells = np.array([[_cell_color(colors, shares[i, j], right=i == j) for j in range(K)] for i in range(K)])
    ax.imshow(cells, aspect="equal", interpolation="nearest")
    if K <= MOST_CLASSES:
        for (i, j), count in np.ndenumerate(counts):
            weight = "bold" if i == j else "normal"
            text = f"{count:,}" if count else "·"
            ax.text(j, i, text, ha="center", va="center", color=colors["text"], fontsize="small", fontweight=weight)
    step = 1 if K <= 2 * MOST_CLASSES else -(-K // MOST_CLASSES)
    names = [shorten(outcome.classes[k], 20) for k in range(0, K, step)]
    ax.set_xticks(range(0, K, step), labels=names, rotation=90 if sum(map(len, names)) > _NAMES else 0)
    ax.set_yticks(range(0, K, step), labels=names)
    right = int(np.trace(counts))
    title = f"{outcome.trial}\n{outcome.examples}: {right:,} right, {int(counts.sum()) - right:,} wrong"
    target = shorten(outcome.target, 24)
    style_axes(ax, title, f"predicted {target}", f"true {target}", lined=(False, False))
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xticks(np.arange(K + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(K + 1) - 0.5, minor=True)
    ax.grid(which="minor", color=colors["ground"], linewidth=1)
    ax.tick_params(which="minor", length=0)
    return ax


def _cell_color(colors: Mapping[str, str], share: float, *, right: bool) -> tuple[float, float, float]:
    """Return the color of a cell, as in the report: blue on the diagonal, orange elsewhere."""
    if right:
        return mix(colors["complete"], colors["raised"], 0.45 * share)
    return mix(colors["best"], colors["raised"], min(2 * share, 0.5))
