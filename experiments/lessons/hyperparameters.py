"""Lesson 12, weeks 2 to 4: a study for each hyperparameter, and a study of all of them with their importance."""

from pathlib import Path
from typing import Any

from experiments.lessons.pictures import Panel, figure, thin
from experiments.lessons.studies import EXPERIMENTS, search
from study.charts.scales import Choices, Numbers
from study.search.importance import estimate

FOLDER = EXPERIMENTS / "hyperparameters"
# The hyperparameter of each study: the name of the file, and the name in the configuration of a trial.
SINGLE = {
    "learning_rate": "learning_rate",
    "iterations": "iterations",
    "depth": "depth",
    "units": "units_1",
    "activation": "activation",
    "momentum": "momentum",
    "batch_size": "batch_size",
    "l2": "l2",
}
CURVES = {"too small": 0.001, "right": 0.3, "too large": 10.0}


def run(home: Path) -> dict[str, Any]:
    """Return dev and train accuracy by each hyperparameter, three cost curves, and the importance of all of them."""
    outcome: dict[str, Any] = {}
    for name, parameter in SINGLE.items():
        found = search(FOLDER / f"{name}.toml", home)
        trials = found.summary.trials
        outcome[name] = [
            [row.params[parameter], _rounded(row.value), _rounded(row.metrics.get("train_accuracy"))] for row in trials
        ]
        outcome[name].sort(key=lambda row: (isinstance(row[0], str), row[0]))
        if name == "learning_rate":
            numbers = {row.params["learning_rate"]: row.number for row in trials}
            outcome["curves"] = {word: thin(found.curve(numbers[rate]).tolist()) for word, rate in CURVES.items()}
    everything = search(FOLDER / "all.toml", home)
    trials = everything.optuna_study.trials
    importance = estimate(trials, everything.optuna_study.direction)
    best = everything.best_trial
    assert importance is not None  # noqa: S101 - most of the 60 trials are complete
    outcome["all"] = {
        "importance": {name: round(share, 3) for name, share in importance.variance.items()},
        "best": {"value": _rounded(best.value), **best.params},
    }
    return outcome


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def draw(outcome: dict[str, Any]) -> str:
    """Return the three curves, dev accuracy by each hyperparameter, and the importance."""
    drawn = [_curves(outcome["curves"])]
    for name in SINGLE:
        rows = outcome[name]
        values = tuple(str(row[0]) for row in rows)
        shown = Numbers.covering([share for row in rows for share in row[1:] if share is not None])
        panel = Panel(name, Choices(values), shown, " ", "accuracy", ((0, "train"), (1, "dev")))
        marks = ""
        for colour, place in ((0, 2), (1, 1)):
            known = [(str(row[0]), row[place]) for row in rows if row[place] is not None]
            marks += panel.line(known, colour) + panel.dots(known, colour, 3)  # type: ignore[arg-type] - names
        drawn.append((panel, marks))
    importance = list(outcome["all"]["importance"].items())[::-1]
    panel = Panel(
        "importance over all (share of the variance)",
        Numbers(0, 1),
        Choices(tuple(name for name, _ in importance)),
        " ",
        " ",
        width=280,
        left=142,
    )
    return figure("Accuracy by hyperparameter, and importance", [*drawn, (panel, panel.bars(importance))], columns=2)


def _curves(curves: dict[str, list[list[float]]]) -> tuple[Panel, str]:
    top = 5.0
    panel = Panel(
        "cost with three learning rates",
        Numbers(0, curves["right"][-1][0]),
        Numbers(0, top),
        "iteration",
        "J",
        tuple((k, f"{word}: α = {CURVES[word]:g}") for k, word in enumerate(CURVES)),
    )
    marks = "".join(
        panel.line([(k, min(cost, top)) for k, cost in curves[word]], colour) for colour, word in enumerate(CURVES)
    )
    return panel, marks
