"""Lesson 2, week 2: one neuron for the price of a house, with a straight line and with a relu."""

from pathlib import Path
from typing import Any

import numpy as np

from engine import Architecture, Parameters, predict, train
from experiments.lessons.pictures import Panel, figure
from study.charts.scales import Numbers
from study.data.synthetic import generate
from study.spec import DataSpec

SHOWN = [20.0, 30.0, 60.0, 120.0, 250.0]  # square meters


def run(_home: Path) -> dict[str, Any]:
    """Return the prices (in thousands) that both neurons predict for some sizes, and their errors."""
    sizes, prices, _, _ = generate(DataSpec(source="synthetic:house_price", seed=0))
    X, Y = sizes.T, prices.reshape(1, -1) / 100
    mean, deviation = X.mean(), X.std()
    wanted = (np.array([SHOWN]) - mean) / deviation
    outcome: dict[str, Any] = {"sizes": SHOWN, "points": np.round(np.vstack([X, 100 * Y]).T, 1).tolist()}
    for name in ("identity", "relu"):
        network = Architecture((1, 1), output_activation=name)
        start = Parameters.from_arrays([np.ones((1, 1))], [np.ones((1, 1))])
        result = train(network, (X - mean) / deviation, Y, learning_rate=0.1, iterations=1000, parameters=start)
        error = 100 * (predict(network, result.parameters, (X - mean) / deviation) - Y)
        outcome[name] = {
            "prices": np.round(100 * predict(network, result.parameters, wanted)[0], 1).tolist(),
            "rmse": round(float(np.sqrt((error**2).mean())), 2),
            "w": round(float(100 * result.parameters.W[0][0, 0] / deviation), 3),
            "zero_at": round(float(mean - deviation * result.parameters.b[0][0, 0] / result.parameters.W[0][0, 0]), 1),
        }
    return outcome


def draw(outcome: dict[str, Any]) -> str:
    """Return the houses and both neurons."""
    panel = Panel(
        "price of a house",
        Numbers(10, 250),
        Numbers(-80, 650),
        "m²",
        "thousands",
        ((0, "identity: a straight line"), (1, "relu: never below zero")),
        width=460,
    )
    marks = panel.dots(outcome["points"], 6, 1.6)
    for colour, name in enumerate(("identity", "relu")):
        w, zero = outcome[name]["w"], outcome[name]["zero_at"]
        ends = [(10, w * (10 - zero)), (250, w * (250 - zero))]
        if name == "relu":
            ends = [(10, 0), (zero, 0), ends[1]]
        marks += panel.line(ends, colour)
    return figure("Prices by size, with a line and with a relu", [(panel, marks)])
