"""The pictures on a study's parent run: best curves, dev value against each hyperparameter, importance, parallels."""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from optuna.study import StudyDirection

from study.home import StudyFolder
from study.importance import estimate
from study.ledger import Ledger
from study.results import Summary, TrialRow
from study.trial_file import read_result

CURVES = 10  # of the best trials
DPI = 90
_LOG_SPAN = 20.0  # from this ratio of largest to smallest on, an axis is logarithmic


def draw_pictures(ledger: Ledger, folder: StudyFolder, summary: Summary) -> dict[str, bytes]:
    """Return the pictures as PNG by file name; without a complete trial there is none."""
    ranking = summary.ranking()
    if not ranking:
        return {}
    with mpl.rc_context({"figure.dpi": DPI, "savefig.dpi": DPI, "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figures = {
            "best_curves.png": _best_curves(folder, ranking[:CURVES], summary.metric),
            "hyperparameters.png": _slices(ranking, summary.metric),
            "parallel_coordinates.png": _parallel(ranking, summary.metric),
            "importance.png": _importance(ledger, summary.metric),
        }
        return {name: _png(figure) for name, figure in figures.items() if figure is not None}


def _best_curves(folder: StudyFolder, rows: Sequence[TrialRow], metric: str) -> Figure:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for row in reversed(rows):
        costs = read_result(folder.result(row.number)).costs
        best = row is rows[0]
        label = f"trial {row.number}: {row.value:.4g}"
        axes.plot(costs, label=label, linewidth=2.2 if best else 1, zorder=3 if best else 2)
    axes.set(
        yscale="log", xlabel="iterations", ylabel="cost on train", title=f"The {len(rows)} best trials by dev {metric}"
    )
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], fontsize=8)
    return figure


def _slices(rows: Sequence[TrialRow], metric: str) -> Figure | None:
    names = _drawn(rows)
    if not names:
        return None
    columns = min(4, len(names))
    lines = math.ceil(len(names) / columns)
    figure = Figure(figsize=(2.6 * columns, 2.3 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for axes, name in zip(grid.flat, names, strict=False):
        known = [row for row in rows if name in row.params]
        places, ticks = _places([row.params[name] for row in known])
        axes.scatter(places, [row.value for row in known], s=14, alpha=0.7)
        axes.set(xlabel=name)
        if ticks is not None:
            axes.set_xticks(range(len(ticks)), ticks, rotation=20)
        elif _spans(places):
            axes.set_xscale("log")
    for axes in grid.flat[len(names) :]:
        axes.remove()
    figure.supylabel(f"dev {metric}")
    return figure


def _parallel(rows: Sequence[TrialRow], metric: str) -> Figure | None:
    names = [name for name in _drawn(rows) if all(name in row.params for row in rows)]
    if not names:
        return None
    figure = Figure(figsize=(1.6 * (len(names) + 1) + 1.5, 4), layout="constrained")
    axes = figure.subplots()
    lines, spans = [], []
    for name in [*names, metric]:
        values: Sequence[Any] = [row.value if name == metric else row.params[name] for row in rows]
        places, ticks = _places(values)
        numbers = np.log(places) if ticks is None and _spans(places) else np.asarray(places, float)
        low, high = float(numbers.min()), float(numbers.max())
        lines.append((numbers - low) / (high - low) if high > low else np.full(len(rows), 0.5))
        shown = (ticks[0], ticks[-1]) if ticks is not None else (f"{min(places):.3g}", f"{max(places):.3g}")
        spans.append(shown)
    table = np.array(lines)
    colours = mpl.colormaps["viridis"]
    for index in reversed(range(len(rows))):
        axes.plot(table[:, index], color=colours(1 - index / max(1, len(rows) - 1)), alpha=0.6, linewidth=1)
    for place, (low_text, high_text) in enumerate(spans):
        axes.text(place, -0.04, low_text, ha="center", va="top", fontsize=8)
        axes.text(place, 1.04, high_text, ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(spans)), [*names, f"dev {metric}"], rotation=20)
    axes.tick_params(axis="x", pad=14)
    axes.set(yticks=[], ylim=(-0.1, 1.1))
    return figure


def _importance(ledger: Ledger, metric: str) -> Figure | None:
    found = estimate(ledger.trials(), StudyDirection[ledger.direction.upper()])
    if found is None:
        return None
    names = found.names[::-1]
    figure = Figure(figsize=(7, 0.45 * len(names) + 1.4), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(names))
    axes.barh(places + 0.2, [found.variance.get(name, 0.0) for name in names], 0.38, label="of the variance (fANOVA)")
    axes.barh(places - 0.2, [found.best.get(name, 0.0) for name in names], 0.38, label="among the best (PED-ANOVA)")
    axes.set_yticks(places, names)
    rough = ", too few to rely on" if found.few else ""
    axes.set(xlabel="share", title=f"Importance for dev {metric}, from {found.trials} trials{rough}")
    axes.legend(fontsize=8)
    return figure


def _drawn(rows: Sequence[TrialRow]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row.params)
    return [name for name in names if len({str(row.params.get(name)) for row in rows}) > 1]


def _places(values: Sequence[Any]) -> tuple[list[float], list[str] | None]:
    """Return where values go on an axis, and the names of its ticks where they are no numbers."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return [float(value) for value in values], None
    ticks = sorted({str(value) for value in values})
    return [float(ticks.index(str(value))) for value in values], ticks


def _spans(places: Sequence[float]) -> bool:
    return min(places) > 0 and max(places) / min(places) >= _LOG_SPAN


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
