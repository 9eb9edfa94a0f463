"""Lesson 5, week 3: the planar flower with 1 to 50 hidden units."""

from pathlib import Path
from typing import Any

import numpy as np

from engine import Architecture, train_stack
from experiments.lessons.pictures import Panel, figure
from experiments.lessons.points import SIDE, accuracy, flower_points, sides
from study.charts.scales import Numbers

COURSE = {1: 67.5, 2: 67.25, 3: 90.75, 4: 90.5, 5: 91.25, 20: 90.5, 50: 90.75}  # in percent, from week 3
SEEDS = (0, 1, 2)


def run(_home: Path) -> dict[str, Any]:
    """Return for each number of units the accuracy of three initializations, and the boundary of the median one."""
    X, Y = flower_points()
    rows = []
    for units, course in COURSE.items():
        network = Architecture((2, units, 1), "tanh")
        stack = train_stack(network, X, Y, learning_rate=1.2, iterations=5000, seeds=SEEDS, initialization="gaussian")
        scores = [100 * accuracy(network, result.parameters, X, Y) for result in stack]
        middle = int(np.argsort(scores, kind="stable")[len(scores) // 2])
        rows.append(
            {
                "units": units,
                "course": course,
                "accuracy": scores[middle],
                "lowest": min(scores),
                "highest": max(scores),
                "sides": sides(network, stack[middle].parameters),
            }
        )
    return {"rows": rows}


def draw(outcome: dict[str, Any]) -> str:
    """Return the decision boundaries, with a panel for each number of units."""
    X, Y = flower_points()
    panels = []
    for row in outcome["rows"]:
        title = f"{row['units']} unit{'s' * (row['units'] > 1)}: {row['accuracy']:.4g}%"
        panel = Panel(title, Numbers(-SIDE, SIDE), Numbers(-SIDE, SIDE), width=190, height=190, left=16)
        marks = panel.regions(row["sides"])
        marks += "".join(panel.dots(X[:, Y[0] == label].T.tolist(), label, 1.3) for label in (0, 1))
        panels.append((panel, marks))
    return figure("Decision boundaries on the flower for 1 to 50 hidden units", panels, columns=4)
