"""Lesson 7, week 3: four activations on one problem, and the size of the gradient in the first layers."""

from pathlib import Path
from typing import Any

import numpy as np

from engine import Architecture, initialize, train, train_stack
from experiments.lessons.pictures import Panel, figure, thin
from experiments.lessons.points import flower_points
from study.charts.scales import Numbers

NAMES = ("sigmoid", "tanh", "relu", "leaky_relu")
RATE, ITERATIONS, GOAL = 0.3, 4000, 0.3
HIDDEN = (16, 16)
DEEP = 8  # number of hidden layers of the network whose gradients are shown
SEEDS = (0, 1, 2)


def run(_home: Path) -> dict[str, Any]:
    """Return for each activation a curve, the iterations to a cost of GOAL, and ‖dW[l]‖ by layer of a deep network."""
    X, Y = flower_points()
    outcome: dict[str, Any] = {"goal": GOAL, "iterations": ITERATIONS}
    for name in NAMES:
        network = Architecture((2, *HIDDEN, 1), name)
        stack = train_stack(network, X, Y, learning_rate=RATE, iterations=ITERATIONS, seeds=SEEDS)
        taken = sorted(reached(result.costs.tolist()) for result in stack)
        middle = next(result for result in stack if reached(result.costs.tolist()) == taken[1])
        outcome[name] = {
            "curve": thin(middle.costs.tolist()),
            "to_goal": taken[1] if taken[1] <= ITERATIONS else None,
            "norms": [float(f"{norm:.3g}") for norm in gradient_norms(name)],
        }
    return outcome


def reached(costs: list[float]) -> int:
    """Return the iterations until the cost is at most GOAL, or one more than their number if that never happens."""
    return next((k for k, cost in enumerate(costs) if cost <= GOAL), ITERATIONS + 1)


def gradient_norms(name: str) -> list[float]:
    """Return ‖dW[l]‖ at the start, l = 1, …: one step with α = 1 changes W[l] by −dW[l]."""
    X, Y = flower_points()
    network = Architecture((2, *[16] * DEEP, 1), name)
    start = initialize(network, 0, "auto")
    moved = train(network, X, Y, learning_rate=1.0, iterations=1, parameters=start).parameters
    return [float(np.linalg.norm(before - after)) for before, after in zip(start.W, moved.W, strict=True)]


def draw(outcome: dict[str, Any]) -> str:
    """Return the curves, and the norm of the gradient in each layer."""
    legend = tuple((k, name) for k, name in enumerate(NAMES))
    curves = Panel(
        "cost on the flower, two hidden layers", Numbers(0, ITERATIONS), Numbers(0, 0.8), "iteration", "J", legend
    )
    marks = "".join(curves.line(outcome[name]["curve"], k) for k, name in enumerate(NAMES))
    marks += curves.line([(0, GOAL), (ITERATIONS, GOAL)], 6, dashed=True, width=1)
    norms = [norm for name in NAMES for norm in outcome[name]["norms"]]
    layers = Panel(
        f"‖dW[l]‖ at the start, {DEEP} hidden layers",
        Numbers(0.5, DEEP + 1.5, whole=True),
        Numbers.covering(norms, log=True),
        "layer l",
        "‖dW[l]‖",
        legend,
    )
    drawn = ""
    for k, name in enumerate(NAMES):
        points = [(layer + 1, norm) for layer, norm in enumerate(outcome[name]["norms"])]
        drawn += layers.line(points, k) + layers.dots(points, k, 3)
    return figure("Cost curves of four activations, and their gradients by layer", [(curves, marks), (layers, drawn)])
