"""Lesson 4, week 2: for logistic regression, the cross-entropy is convex in w, and the squared error is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.reference import sigmoid
from experiments.lessons.pictures import Panel, figure
from study.charts.scales import Numbers

Array = np.ndarray[Any, np.dtype[Any]]
X = np.array([-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0])
Y = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])  # two examples lie on the wrong side
FAR, RATE = -8.0, 1.0  # start of gradient descent, on the wrong side, and its learning rate
W = np.linspace(-12, 12, 241)


def squared_error(w: float) -> tuple[float, float]:
    """Return J = (1/m) Σ ½ (a − y)², a = σ(w x), and dJ/dw."""
    a = sigmoid(w * X)
    return float(((a - Y) ** 2).mean() / 2), float(((a - Y) * a * (1 - a) * X).mean())


def cross_entropy(w: float) -> tuple[float, float]:
    """Return J = −(1/m) Σ (y log a + (1 − y) log(1 − a)) and dJ/dw."""
    wrong = (1 - 2 * Y) * w * X  # the loss is log(1 + e^wrong), which avoids the log of a rounded 0
    return float(np.logaddexp(0, wrong).mean()), float(((sigmoid(w * X) - Y) * X).mean())


COSTS = {"squared_error": squared_error, "cross_entropy": cross_entropy}


def run(_home: Path) -> dict[str, Any]:
    """Return both costs over w, their smallest second difference, and the steps of gradient descent from far away."""
    outcome: dict[str, Any] = {}
    for name, cost in COSTS.items():
        J = np.array([cost(w)[0] for w in W])
        outcome[name] = {
            "curve": [[round(float(w), 2), float(f"{j:.5g}")] for w, j in zip(W, J, strict=True)][::2],
            "least_bend": float(f"{np.diff(J, 2).min() / (W[1] - W[0]) ** 2:.3g}"),
            "slope_far": float(f"{cost(FAR)[1]:.3g}"),
            "steps": steps(cost, float(W[J.argmin()])),
        }
    return outcome


def steps(cost: Callable[[float], tuple[float, float]], best: float) -> int:
    """Return the steps of gradient descent from FAR until w is within 0.5 of the best one."""
    w, taken = FAR, 0
    while abs(w - best) > 0.5 and taken < 100_000:
        w -= RATE * cost(w)[1]
        taken += 1
    return taken


def draw(outcome: dict[str, Any]) -> str:
    """Return both costs over w, side by side."""
    panels = []
    for colour, (name, title) in enumerate(
        (("squared_error", "squared error: flat far away"), ("cross_entropy", "cross-entropy: a bowl"))
    ):
        curve = outcome[name]["curve"]
        panel = Panel(title, Numbers(-12, 12), Numbers.covering([j for _, j in curve]), "w", "J")
        panels.append((panel, panel.line(curve, colour)))
    return figure("Two costs of logistic regression over w", panels)
