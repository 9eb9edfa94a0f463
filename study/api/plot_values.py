"""Plots of the dev value against hyperparameters: one of them, or two."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from study.api.axes_style import (
    add_legend,
    at,
    make_axes,
    make_grid,
    palette_of,
    set_x,
    set_y,
    style_axes,
    value_colors,
)
from study.charts.scales import Choices, Numbers, Scale, robust
from study.charts.setting_charts import place_trials, scale_of, searched, value_of
from study.charts.trials import TrialFacts
from study.charts.words import shorten, title_of
from study.errors import UserError, did_you_mean
from study.ledger.results import TrialRow
from study.search.importance import Importance
from study.text.formatting import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

COLUMNS = 3  # columns of slices in a figure
LEVELS = 16  # color bands of the averages
POINTS = 80  # points of the grid of averages along each axis
FEWEST = 5  # minimum number of trials for which averages are drawn
REACH = 0.08  # width of the Gaussian for averages, as a share of an axis

Floats = npt.NDArray[np.float64]
_GRID = np.linspace(0, 1, POINTS)  # positions on an axis


def draw_slice(facts: TrialFacts, name: str, ax: "Axes | None") -> "Axes":
    """Draw the dev value of the complete trials against one hyperparameter."""
    _check_name(facts, name)
    ax = make_axes(ax)
    _draw_slice(facts, name, ax)
    add_legend(ax)
    return ax


def draw_slices(facts: TrialFacts, names: Sequence[str] | None, axes: "Sequence[Axes] | None") -> "list[Axes]":
    """Draw a slice for each hyperparameter, side by side."""
    varying = _complete_and_varying(facts) if names is None else names
    for name in varying:
        _check_name(facts, name)
    if axes is None:
        columns = min(COLUMNS, len(varying))
        rows = -(-len(varying) // columns)
        axes = make_grid(rows, columns, (3.4 * columns + 1.2, 2.9 * rows))
        for ax in axes[len(varying) :]:
            ax.remove()
        inner = [ax for k, ax in enumerate(axes[: len(varying)]) if k % columns]
    elif len(axes) == len(varying):
        inner = []
    else:
        raise UserError(
            f"ax must have {len(varying)} axes, one for each of {', '.join(varying)}, got {len(axes)}; "
            "to plot a single hyperparameter, pass its name"
        )
    drawn = list(axes[: len(varying)])
    for name, ax in zip(varying, drawn, strict=True):
        _draw_slice(facts, name, ax)
    for ax in inner:
        ax.set_ylabel("")
    add_legend(drawn[min(len(drawn), COLUMNS) - 1])
    return drawn


def _draw_slice(facts: TrialFacts, name: str, ax: "Axes") -> None:
    rows = [row for row in facts.summary.ranking() if name in row.params]
    x, y = scale_of(facts, name), _value_scale(facts)
    places = place_trials(x, rows, name)
    strong = facts.summary.front or (facts.main,)
    _dots(ax, [row for row in rows if row.number not in strong], x, y, places, name, strong=False)
    best = [row for row in rows if row.number in strong]
    label = "best trade-offs" if facts.summary.front else _main_title(facts)
    _dots(ax, best, x, y, places, name, strong=True, label=label)
    set_x(ax, x)
    set_y(ax, y)
    style_axes(ax, "", name, f"dev {shorten(title_of(facts.summary.metric))}", lined=(isinstance(x, Numbers), True))


def _dots(
    ax: "Axes",
    rows: Sequence[TrialRow],
    x: Scale,
    y: Numbers,
    places: dict[int, float],
    name: str,
    *,
    strong: bool,
    label: str = "complete trial",
) -> None:
    """Draw trials as dots, and values far worse than the rest as triangles at the edge."""
    color = palette_of(ax)["best" if strong else "complete"]
    inside = [row for row in rows if y.low <= value_of(row) <= y.high]
    beyond = [row for row in rows if not y.low <= value_of(row) <= y.high]
    for shown, marker, text in ((inside, "o", label), (beyond, "v", "far worse, drawn at the edge")):
        if shown:
            ax.scatter(
                [at(x, places[row.number], row.params[name]) for row in shown],
                [min(max(value_of(row), y.low), y.high) for row in shown],
                s=70 if strong else 24,
                marker=marker if marker == "o" or value_of(shown[0]) < y.low else "^",
                color=color,
                alpha=1.0 if strong else 0.65,
                linewidths=0,
                zorder=4 if strong else 3,
                label=text,
                clip_on=False,
            )


@dataclass(frozen=True, eq=False)
class _Plane:
    """Complete trials over two hyperparameters.

    Attributes:
        rows: the trials, best first.
        scales: of both axes.
        places: (trials, 2), positions on the drawn axes, 0 to 1.
        x, y: coordinates.
        values: values on dev; those far worse than the rest are clipped.
    """

    rows: Sequence[TrialRow]
    scales: tuple[Scale, Scale]
    places: Floats
    x: Floats
    y: Floats
    values: Floats

    @classmethod
    def of(cls, facts: TrialFacts, x: str, y: str, value: Numbers) -> "_Plane":
        """Return the trials that have both hyperparameters."""
        rows = [row for row in facts.summary.ranking() if x in row.params and y in row.params]
        if not rows:
            raise UserError(
                f"no complete trial of study {facts.summary.name!r} has both {x} and {y}; choose another pair"
            )
        scales, places, coordinates = [], [], []
        for name in (x, y):
            scale = scale_of(facts, name)
            of_trial = place_trials(scale, rows, name)
            scales.append(scale)
            places.append([of_trial[row.number] for row in rows])
            coordinates.append(np.array([at(scale, of_trial[row.number], row.params[name]) for row in rows]))
        values = np.clip([value_of(row) for row in rows], value.low, value.high)
        return cls(rows, (scales[0], scales[1]), np.array(places).T, coordinates[0], coordinates[1], values)


def draw_contour(facts: TrialFacts, x: str, y: str, ax: "Axes | None") -> "Axes":
    """Draw the complete trials over two hyperparameters, colored by dev value, over local averages."""
    for name in (x, y):
        _check_name(facts, name)
    if x == y:
        raise UserError(f"x and y are both {x!r}; name two different hyperparameters")
    value = _value_scale(facts)
    plane = _Plane.of(facts, x, y, value)
    ax = make_axes(ax)
    colors = palette_of(ax)
    set_x(ax, plane.scales[0])
    set_y(ax, plane.scales[1])
    dots = _draw_plane(ax, plane, value, maximize=facts.summary.direction == "maximize")
    main = np.array([row.number == facts.main for row in plane.rows])
    if main.any():
        ring = ax.scatter(plane.x[main], plane.y[main], s=130, zorder=4, label=_main_title(facts))
        ring.set(facecolor="none", edgecolor=colors["best"], linewidth=2)
    metric, circled = (
        f"dev {shorten(title_of(facts.summary.metric))}",
        f"; circled: trial {facts.main}" if main.any() else "",
    )
    title = f"{metric}, {counted(len(plane.rows), 'complete trial')}{circled}"
    style_axes(ax, title, x, y, lined=(False, False))
    bar = ax.figure.colorbar(dots, ax=ax, pad=0.02)
    bar.set_label(metric, color=colors["quiet"])
    bar.ax.tick_params(colors=colors["quiet"], length=0, labelsize="small")
    bar.outline.set_visible(False)
    return ax


def _draw_plane(ax: "Axes", plane: _Plane, value: Numbers, *, maximize: bool) -> "PathCollection":
    """Draw the trials as dots, with local averages behind them if both hyperparameters are numbers."""
    from matplotlib.colors import Normalize
    from matplotlib.patches import Polygon

    palette, norm = palette_of(ax), Normalize(value.low, value.high)
    corners = _corners(plane)
    if corners is not None:
        pale = value_colors(palette, maximize=maximize, strength=0.4)
        at_x, at_y = ([scale.value(place) for place in _GRID] for scale in plane.scales if isinstance(scale, Numbers))
        levels = np.linspace(value.low, value.high, LEVELS)
        ground = ax.contourf(at_x, at_y, _local_averages(plane), levels=levels, cmap=pale, norm=norm)
        outline = np.stack([plane.x[corners], plane.y[corners]], axis=1)
        ground.set_clip_path(Polygon(outline, transform=ax.transData))
    return ax.scatter(
        plane.x,
        plane.y,
        c=plane.values,
        s=34,
        edgecolors=palette["ground"],
        linewidths=0.8,
        zorder=3,
        cmap=value_colors(palette, maximize=maximize),
        norm=norm,
    )


def _corners(plane: _Plane) -> npt.NDArray[np.intp] | None:
    """Return the outermost trials in order; None if they enclose no area."""
    from scipy.spatial import ConvexHull, QhullError

    if any(isinstance(scale, Choices) for scale in plane.scales) or len(plane.rows) < FEWEST:
        return None
    try:
        found: npt.NDArray[np.intp] = ConvexHull(plane.places).vertices
    except QhullError:  # all on one line
        return None
    return found


def _local_averages(plane: _Plane) -> Floats:
    """Return local averages of the values, (POINTS, POINTS), where row 0 has the lowest y.

    The weight of a trial decreases with its distance as a Gaussian of width REACH (Nadaraya, 1964; Watson, 1964), so no
    average lies outside the range of the values.
    """
    points = np.stack(np.meshgrid(_GRID, _GRID), axis=-1)
    distances = ((points[:, :, None, :] - plane.places) ** 2).sum(axis=-1)
    # The nearest trial has weight 1, so the weights never all vanish.
    weights = np.exp((distances.min(axis=-1, keepdims=True) - distances) / (2 * REACH**2))
    averages: Floats = (weights * plane.values).sum(axis=-1) / weights.sum(axis=-1)
    return averages


def most_important(facts: TrialFacts, importance: Importance | None) -> tuple[str, str]:
    """Return the two most important numeric hyperparameters, or else the first two that differ."""
    varying = _complete_and_varying(facts)
    ranked = [name for name in (importance.names if importance else ()) if name in varying]
    names = [*ranked, *(name for name in varying if name not in ranked)]
    names.sort(key=lambda name: isinstance(scale_of(facts, name), Choices))
    if len(names) < 2:
        raise UserError(
            f"study {facts.summary.name!r}: only {names[0]} differs between complete trials, and a contour needs two "
            "hyperparameters; use plot_slice()"
        )
    return names[0], names[1]


def _complete_and_varying(facts: TrialFacts) -> list[str]:
    varying = searched(facts)
    if not varying:
        raise UserError(
            f"study {facts.summary.name!r} has no hyperparameter that varies across at least three complete trials; "
            f"run more trials"
        )
    return varying


def _check_name(facts: TrialFacts, name: str) -> None:
    """Raise UserError if no complete trial has a hyperparameter of this name."""
    given = {each for row in facts.summary.ranking() for each in row.params}
    if not given:
        raise UserError(f"study {facts.summary.name!r} has no complete trial yet; run it first")
    if name not in facts.distributions:
        if name in given:
            raise UserError(
                f"{name!r} has only one value in this study; choose {', '.join(sorted(facts.distributions))}"
            )
        raise UserError(f"no hyperparameter {name!r}; {did_you_mean(name, facts.distributions)}")
    if name not in given:
        raise UserError(f"no complete trial has {name!r}; choose one of {', '.join(sorted(given))}")


def _value_scale(facts: TrialFacts) -> Numbers:
    values = [value_of(row) for row in facts.summary.ranking()]
    finite = [value for value in values if math.isfinite(value)]
    return robust(finite, maximize=facts.summary.direction == "maximize")[0]


def _main_title(facts: TrialFacts) -> str:
    return "" if facts.main is None else facts.summary.choice.title(facts.main)
