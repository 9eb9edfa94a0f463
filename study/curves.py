"""Curves of several trials in one picture: the cost of training, and the metric on dev. Called by `study.comparing`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.metrics import METRICS
from engine.quantum import mean_value
from study.errors import UserError
from study.trial_file import TrialFile

POINTS = 2000  # of a curve; more do not show


def draw_curves(path: Path, metric: str, trials: Sequence[tuple[str, TrialFile]]) -> None:
    """Draw the picture; the suffix of the path says its format.

    Raises:
        UserError: the path cannot be written, or its suffix is no format of a picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    cost, dev = figure.subplots(1, 2)
    for title, file in trials:
        steps = np.unique(np.linspace(0, len(file.costs) - 1, POINTS).astype(int))
        (line,) = cost.plot(steps, file.costs[steps], label=title, linewidth=1)
        iterations = [seen["iteration"] for seen in file.evaluations]
        values = [mean_value(seen, f"dev_{metric}") for seen in file.evaluations if f"dev_{metric}" in seen]
        if len(values) == len(iterations):
            dev.plot(iterations, values, color=line.get_color(), marker=".", linewidth=1)
    cost.set(xlabel="iteration", ylabel="cost on train", yscale="log")
    dev.set(xlabel="iteration", ylabel=f"{METRICS[metric].title} on dev")
    cost.legend()
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in canvas.get_supported_filetypes():
        raise UserError(f"--picture {path}: {path.suffix or 'no suffix'} is no picture; end it in .png, .svg or .pdf")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise UserError(f"--picture {path}: cannot be written ({error.strerror}); name a file elsewhere") from None
