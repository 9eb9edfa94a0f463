"""Lesson 6, weeks 3 and 4: the effect of the initialization on training."""

from pathlib import Path
from typing import Any

import numpy as np

from engine import Architecture, initialize, train
from experiments.lessons.pictures import Panel, figure, thin
from experiments.lessons.points import accuracy, flower_points
from study.charts.scales import Numbers

STARTS = {
    "zeros": ("zeros", 1.0),
    "Gaussian × 0.01": ("gaussian", 0.01),
    "Gaussian × 10": ("gaussian", 10.0),
    "He": ("he", 1.0),
}
NETWORK = Architecture((2, 16, 16, 16, 1), "tanh")
RATE, ITERATIONS = 0.3, 2000


def run(_home: Path) -> dict[str, Any]:
    """Return for each initialization the curve, the accuracy, and how far the units of layer 1 end apart."""
    X, Y = flower_points()
    outcome: dict[str, Any] = {}
    for name, (scheme, scale) in STARTS.items():
        start = initialize(NETWORK, 0, scheme, scale)
        result = train(NETWORK, X, Y, learning_rate=RATE, iterations=ITERATIONS, parameters=start)
        outcome[name] = {
            "curve": thin(result.costs.tolist()),
            "first": float(f"{result.costs[0]:.4g}"),
            "last": float(f"{result.costs[-1]:.4g}"),
            "accuracy": accuracy(NETWORK, result.parameters, X, Y),
            "apart": float(f"{np.ptp(result.parameters.W[0], axis=0).max():.3g}"),
        }
    return outcome


def draw(outcome: dict[str, Any]) -> str:
    """Return the four cost curves."""
    costs = [cost for name in STARTS for _, cost in outcome[name]["curve"]]
    panel = Panel(
        "four initializations of one network",
        Numbers(0, ITERATIONS),
        Numbers.covering(costs, log=True),
        "iteration",
        "J",
        tuple((k, f"{name}: {100 * outcome[name]['accuracy']:.0f}% correct") for k, name in enumerate(STARTS)),
        width=480,
    )
    marks = "".join(panel.line(outcome[name]["curve"], k) for k, name in enumerate(STARTS))
    return figure("Cost curves for four initializations", [(panel, marks)])
