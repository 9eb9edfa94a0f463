"""Matplotlib axes in the style of the report's charts: its colors and scales, and a legend beside the data."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from study.charts.scales import Choices, Numbers, Scale
from study.charts.words import shorten
from study.errors import needs_package
from study.spec.parameters import ParameterValue
from study.text.colors import DARK, LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.ticker import Locator

SIZE = (7.2, 4.2)  # inches
_BESIDE: Mapping[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
_WRAPPED = 24  # maximum number of characters in a line of a legend
_LONG = 36  # maximum number of characters in all names below an axis; longer ones would overlap


def make_axes(ax: "Axes | None", size: tuple[float, float] = SIZE) -> "Axes":
    """Return the given axes, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    made: Axes = make_grid(1, 1, size)[0]
    return made


def make_grid(rows: int, columns: int, size: tuple[float, float]) -> "Sequence[Axes]":
    """Return the axes of a new figure, row by row.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise needs_package("a plot", "matplotlib") from None
    _, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    return list(grid.flat)


def palette_of(ax: "Axes") -> Mapping[str, str]:
    """Return the report's colors for a light background, or for a dark one if the axes are dark."""
    from matplotlib.colors import to_rgba

    ground = to_rgba(ax.get_facecolor())
    if ground[3] < 0.5:
        ground = to_rgba(ax.figure.get_facecolor())
    luminance = 0.2126 * ground[0] + 0.7152 * ground[1] + 0.0722 * ground[2]
    return DARK if ground[3] >= 0.5 and luminance < 0.4 else LIGHT


def value_colors(palette: Mapping[str, str], *, maximize: bool, strength: float = 1.0) -> "Colormap":
    """Return the colors of values from low to high; the best values have the report's color for the best fifth.

    strength: 1 for the full colors, less for paler ones.
    """
    from matplotlib.colors import LinearSegmentedColormap

    worst_first = [mix(palette[f"band-{k}"], palette["ground"], strength) for k in (4, 3, 2, 1, 0)]
    return LinearSegmentedColormap.from_list("study", worst_first if maximize else worst_first[::-1])


def style_axes(ax: "Axes", title: str, x: str, y: str, lined: tuple[bool, bool] = (False, True)) -> None:
    """Set the title, labels, colors and grid of axes.

    Args:
        title: title of the plot.
        x, y: labels.
        lined: whether to draw grid lines at the ticks of x and of y.
    """
    colors = palette_of(ax)
    ax.set_title(title, loc="left", color=colors["text"], fontsize="medium")
    ax.set_xlabel(x, color=colors["quiet"])
    ax.set_ylabel(y, color=colors["quiet"])
    ax.tick_params(which="both", colors=colors["quiet"], length=0, labelsize="small")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colors["line"])
    ax.set_axisbelow(True)
    for axis, wanted in zip((ax.xaxis, ax.yaxis), lined, strict=True):
        axis.grid(wanted, which="major", **({"color": colors["grid"], "linewidth": 0.8} if wanted else {}))


def set_x(ax: "Axes", scale: Scale) -> None:
    """Set the limits and ticks of the x axis from a scale. The axis is logarithmic if the scale is."""
    if isinstance(scale, Choices):
        ax.set_xlim(-0.5, len(scale.names) - 0.5)
        long = sum(map(len, scale.names)) > _LONG
        ax.set_xticks(range(len(scale.names)), labels=[shorten(name, 20) for name in scale.names])
        if long:
            ax.tick_params(axis="x", labelrotation=30)
            for label in ax.get_xticklabels():
                label.set_horizontalalignment("right")
    elif isinstance(scale, Numbers):
        if scale.log:
            ax.set_xscale("log")
        ax.set_xlim(scale.low, scale.high)
        _set_ticks(ax, "x", scale)


def set_y(ax: "Axes", scale: Scale) -> None:
    """Set the limits and ticks of the y axis from a scale. The axis is logarithmic if the scale is."""
    if isinstance(scale, Choices):
        ax.set_ylim(-0.5, len(scale.names) - 0.5)
        ax.set_yticks(range(len(scale.names)), labels=[shorten(name, 30) for name in scale.names])
    elif isinstance(scale, Numbers):
        if scale.log:
            ax.set_yscale("log")
        ax.set_ylim(scale.low, scale.high)
        _set_ticks(ax, "y", scale)


def at(scale: Scale, place: float, value: ParameterValue) -> float:
    """Return the coordinate of a value on an axis with this scale: the number itself, or the position of a name."""
    if isinstance(scale, Choices):
        return place * len(scale.names) - 0.5
    return float(value or 0)


def add_legend(ax: "Axes", order: Sequence[str] = ()) -> None:
    """Put a legend to the right of the axes, outside the data; `order` lists the labels to put first."""
    handles, labels = ax.get_legend_handles_labels()
    places = {label: place for place, label in enumerate(order)}
    pairs = sorted(zip(handles, labels, strict=True), key=lambda pair: places.get(pair[1], len(places)))
    if pairs:
        handles, labels = (list(each) for each in zip(*pairs, strict=True))
        quiet = palette_of(ax)["quiet"]
        labels = ["\n".join(textwrap.wrap(label, _WRAPPED)) for label in labels]
        ax.legend(handles, labels, frameon=False, fontsize="small", labelcolor=quiet, **_BESIDE)


def mix(color: str, ground: str, share: float) -> tuple[float, float, float]:
    """Return a blend of a color and a background; share 0 is the background and 1 is the color."""
    from matplotlib.colors import to_rgb

    red, green, blue = share * np.array(to_rgb(color)) + (1 - share) * np.array(to_rgb(ground))
    return float(red), float(green), float(blue)


def _set_ticks(ax: "Axes", which: str, scale: Numbers) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(_locator(scale))
    if scale.log:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())


def _locator(scale: Numbers) -> "Locator":
    """Return a locator of round numbers: 1, 3, 10 and so on for a long logarithmic axis."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    decades = math.log10(scale.high / scale.low) if scale.log else 0.0
    if decades < 1:
        return MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=scale.whole)
    subs = (1.0,) if decades >= 3 else (1.0, 3.0) if decades >= 1.7 else (1.0, 2.0, 5.0)
    return LogLocator(base=10, subs=subs)
