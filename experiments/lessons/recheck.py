"""Lesson 13, week 4: a study on the first half of a drifting stream, and `recheck` on the second half.

The label is the side of a boundary on which two of the eight features lie; one label in eight is wrong. In the first
half, the boundary is a straight line; in the second half, it bends into a parabola.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.lessons.pictures import Panel, figure
from experiments.lessons.studies import EXPERIMENTS, search
from study.charts.scales import Choices, Numbers
from study.evaluation.recheck import recheck
from study.ledger.home import Home

ROWS, FEATURES, WRONG, BEND = 1600, 8, 0.12, 4.0


def run(home: Path) -> dict[str, Any]:
    """Return the dev accuracy by depth on the first half, and the result of recheck on the second half."""
    folder = home / "lessons" / "stream"
    folder.mkdir(parents=True, exist_ok=True)
    write_stream(folder)
    spec = folder / "stream.toml"
    spec.write_text((EXPERIMENTS / "stream.toml").read_text(encoding="utf-8"), encoding="utf-8")
    found = search(spec, home)
    first = {str(row.params["depth"]): round(row.value or 0.0, 4) for row in found.summary.ranking()}
    said = recheck(Home(home), "stream", data=folder / "second.csv", trials=3, said=lambda _line: None)
    second = {str(each.params["depth"]): each for each in said.candidates}
    return {
        "first": dict(sorted(first.items())),
        "second": {
            depth: {"value": round(each.value, 4), "low": round(each.low, 4), "high": round(each.high, 4)}
            for depth, each in sorted(second.items())
        },
        "old_best": next(depth for depth, each in second.items() if each.name == said.old_best.name),
        "new_best": next(depth for depth, each in second.items() if each.name == said.winner),
        "holds": said.holds,
    }


def write_stream(folder: Path) -> None:
    """Write first.csv and second.csv: eight features and the label, in the order of time."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, FEATURES))
    bend = BEND * np.clip(8 * np.arange(ROWS) / ROWS - 4, 0, 1)  # no bend in the first half
    above = X[:, 0] + bend * (X[:, 1] ** 2 - 0.455) > 0  # 0.455 is the median of a squared standard normal number
    label = above ^ (rng.random(ROWS) < WRONG)
    table = pd.DataFrame(X.round(4), columns=[f"x_{k}" for k in range(FEATURES)])
    table["label"] = np.where(label, "above", "below")
    table[: ROWS // 2].to_csv(folder / "first.csv", index=False)
    table[ROWS // 2 :].to_csv(folder / "second.csv", index=False)


def draw(outcome: dict[str, Any]) -> str:
    """Return accuracy by depth on both halves."""
    depths = tuple(outcome["first"])
    panel = Panel(
        "accuracy by number of hidden layers",
        Choices(depths),
        Numbers(0.4, 0.95),
        "hidden layers",
        "accuracy",
        ((0, "first half, dev"), (1, "second half, fresh seeds, with 95% interval")),
    )
    first = [(depth, outcome["first"][depth]) for depth in depths]
    second = {depth: outcome["second"][depth] for depth in depths if depth in outcome["second"]}
    values = [(depth, each["value"]) for depth, each in second.items()]
    marks = panel.line(first, 0) + panel.dots(first, 0, 4)  # type: ignore[arg-type] - x is an axis of names
    marks += panel.line(values, 1) + panel.dots(values, 1, 4)  # type: ignore[arg-type]
    for depth, each in second.items():
        marks += panel.line([(depth, each["low"]), (depth, each["high"])], 1)  # type: ignore[list-item]
    return figure("Accuracy by depth on two halves of a stream", [(panel, marks)])
