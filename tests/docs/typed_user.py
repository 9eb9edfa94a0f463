"""What a person who checks types writes with the public names. test_typed_user.py has mypy check it."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from engine import Architecture, predict, train
from study import Float, Int, Study, StudyClassifier, StudyRegressor
from study.errors import DataWarning


def search(table: pd.DataFrame, home: Path) -> Study:
    space = {"learning_rate": Float(0.03, 1.0, log=True), "depth": Int(1, 2), "optimizer": "adam"}
    study = Study(
        table, "species", name="iris", space=space, n_trials=12, folds=0, confirm={"top": 3, "seeds": 5}, home=home
    )
    return study.run(n_jobs=2, show_progress=False)


def results(study: Study) -> dict[str, float]:
    values: dict[str, float] = {}
    values["best"] = study.best_value
    for trial in study.trials:
        if trial.value is not None:
            values[f"{trial.number} {trial.state}"] = trial.value
    confirmation = study.confirm(top=3, seeds=5)
    recommended: int | None = confirmation.recommended
    values[f"confirmed {recommended}"] = confirmation.best.value
    final = study.finalize()
    values["test"] = final.opening.value or 0.0
    for opening in study.summary.finalized:
        values[f"test of trial {opening.trial}"] = opening.value or 0.0
    return values


def check_again(study: Study, table: pd.DataFrame) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        later = study.recheck(table, n_trials=4, show_progress=False)
    seconds: float = study.plan(n_jobs=2).times[2]
    return later.holds and seconds < 60


def draw(study: Study, folder: Path) -> None:
    axes = study.plot_curves()
    axes.set_title("cost")
    study.plot_contour("depth", "learning_rate", ax=axes)
    study.plot_confusion(trial="best", ax=axes)
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.savefig(folder / "curves.png")


def estimate(X: pd.DataFrame, y: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    classifier = StudyClassifier(n_trials=5, space={"depth": [0, 1]}, random_state=0).fit(X, y > 0)
    regressor = StudyRegressor(n_trials=5, folds=0, confirm={"top": 2, "seeds": 2}).fit(X, y, groups=None)
    errors = regressor.predict(X) - y
    labels: list[bool] = classifier.predict(X).tolist()
    return float(np.abs(errors).mean()) + classifier.best_score_ + sum(labels)


def network() -> float:
    X = np.random.default_rng(0).standard_normal((2, 400))
    Y = (X[:1] * X[1:] > 0).astype(float)
    shape = Architecture((2, 4, 1), "tanh")
    result = train(shape, X, Y, learning_rate=1.2, iterations=3000)
    return float(((predict(shape, result.parameters, X) > 0.5) == Y).mean())
