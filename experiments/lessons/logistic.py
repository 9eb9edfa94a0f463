"""Lesson 3, week 2: logistic regression, on data where it is enough and on data where it fails."""

from pathlib import Path
from typing import Any

from engine import Architecture, train
from experiments.lessons.pictures import Panel, figure, thin
from experiments.lessons.points import SIDE, accuracy, flower_points, sides
from experiments.lessons.studies import EXPERIMENTS, search
from study.charts.scales import Numbers


def run(home: Path) -> dict[str, Any]:
    """Return the best dev accuracy on breast_cancer, found by a study, and the accuracy on the flower."""
    found = search(EXPERIMENTS / "logistic.toml", home)
    best = found.best_trial
    X, Y = flower_points()
    network = Architecture((2, 1))
    result = train(network, X, Y, learning_rate=1.2, iterations=5000)
    return {
        "breast_cancer": {
            "dev_accuracy": round(best.metrics["dev_accuracy"], 4),
            "learning_rate": float(f"{best.params['learning_rate']:.3g}"),
            "iterations": best.iterations,
            "curve": thin(found.curve(best.number)),
        },
        "flower": {"accuracy": accuracy(network, result.parameters, X, Y), "sides": sides(network, result.parameters)},
    }


def draw(outcome: dict[str, Any]) -> str:
    """Return the cost curve on breast_cancer, and the boundary on the flower."""
    curve = outcome["breast_cancer"]["curve"]
    right = outcome["breast_cancer"]["dev_accuracy"]
    panel = Panel(
        f"breast_cancer: {100 * right:.1f}% of dev correct",
        Numbers(0, curve[-1][0]),
        Numbers(0, curve[0][1]),
        "iteration",
        "J",
        height=260,
    )
    share = outcome["flower"]["accuracy"]
    plane = Panel(
        f"flower: {100 * share:.0f}% correct", Numbers(-SIDE, SIDE), Numbers(-SIDE, SIDE), width=260, height=260
    )
    X, Y = flower_points()
    marks = plane.regions(outcome["flower"]["sides"])
    marks += "".join(plane.dots(X[:, Y[0] == label].T.tolist(), label) for label in (0, 1))
    return figure("Logistic regression on two problems", [(panel, panel.line(curve)), (plane, marks)])
