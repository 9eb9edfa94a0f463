"""The final classifier is calibrated, and decides as its metric or the user's costs require."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.command import run_study

from study.evaluation.calibration import temper
from study.ledger.home import Home
from study.model.evaluate import evaluate
from study.model.finalize import finalize
from study.model.pipeline import NetworkClassifier
from study.model.predict import predict_table

pytestmark = pytest.mark.slow
SPEC = """
name = "rare"
[data]
source = "rare.csv"
target = "y"
[space]
learning_rate = 0.02
iterations = 150
depth = 0
optimizer = "adam"
[search]
trials = 1
metric = "METRIC"
[final]
networks = 2
[baselines]
enabled = false
"""


def table(m: int = 900, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((m, 3))
    y = rng.random(m) < 1 / (1 + np.exp(3.2 - 1.5 * x[:, 0]))
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": np.where(y, "yes", "no")})


def finished(folder: Path, metric: str = "balanced_accuracy", final: str = "", space: str = "") -> Home:
    table().to_csv(folder / "rare.csv", index=False)
    spec = folder / "rare.toml"
    spec.write_text(
        SPEC.replace("METRIC", metric)
        .replace("networks = 2\n", f"networks = 2\n{final}")
        .replace("[search]", f"{space}[search]")
    )
    done = run_study("run", spec, "--home", folder, "--no-tracking", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    return Home(folder)


def test_threshold_for_balanced_accuracy_is_the_prior_and_is_kept_with_the_model(tmp_path: Path) -> None:
    home = finished(tmp_path)
    opening = finalize(home, "rare").opening
    assert opening.threshold is not None
    assert 0.03 < opening.threshold < 0.15
    fresh = table(4000, seed=1)
    found = evaluate(home, "rare", fresh)
    shown = run_study("finalize", "rare", "--home", tmp_path, "--again", "--networks", 2, "--jobs", 1)
    assert "The second class is predicted if its probability is at least" in shown.stdout
    plain = finished_elsewhere(tmp_path / "plain")
    finalize(plain, "rare")
    without = evaluate(plain, "rare", fresh)
    assert (found.value or 0) > (without.metrics["balanced_accuracy"] or 0) + 0.1
    assert found.metrics["auc"] == pytest.approx(without.metrics["auc"], abs=0.02)


@pytest.mark.parametrize("weight", ["none", "balanced"])
def test_probabilities_are_calibrated_with_and_without_class_weights(weight: str, tmp_path: Path) -> None:
    home = finished(tmp_path, space=f'class_weight = "{weight}"\n')
    finalize(home, "rare")
    fresh = table(4000, seed=1)
    found = evaluate(home, "rare", fresh)
    share = predict_table(home, "rare", fresh.drop(columns="y"))["probability_yes"]
    assert share.mean() == pytest.approx((fresh["y"] == "yes").mean(), abs=0.02)
    assert (found.metrics["balanced_accuracy"] or 0) > 0.7


def finished_elsewhere(folder: Path) -> Home:
    folder.mkdir()
    return finished(folder, metric="accuracy")


def test_costs_of_the_spec_decide_and_leave_probabilities_as_they_are(tmp_path: Path) -> None:
    home = finished(tmp_path, metric="accuracy", final="costs = [[0, 1], [9, 0]]\ncalibrate = false\n")
    opening = finalize(home, "rare").opening
    assert (opening.threshold, opening.temperature) == (pytest.approx(0.1), 1)
    assert opening.calibration is not None
    path = tmp_path / "fresh.csv"
    table(500, seed=2).drop(columns="y").to_csv(path, index=False)
    done = run_study("predict", "rare", path, "-o", tmp_path / "out.csv", "--home", tmp_path)
    assert done.returncode == 0, done.stderr
    out = pd.read_csv(tmp_path / "out.csv")
    assert ((out["prediction"] == "yes") == (out["probability_yes"] >= 0.1)).all()
    assert 20 < (out["prediction"] == "yes").sum() < 400


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ("[[0, 1]]", "costs: must have a row and a column for each class"),
        ("[[1, 0], [1, 0]]", "costs: must be at least 0 and lowest for the true class"),
        (
            "[[0, 1, 1], [1, 0, 1], [1, 1, 0]]",
            "[final] costs must have a row for each of the classes 'no', 'yes', got 3",
        ),
    ],
)
def test_costs_that_do_not_fit_are_answered(costs: str, words: str, tmp_path: Path) -> None:
    table(200).to_csv(tmp_path / "rare.csv", index=False)
    spec = tmp_path / "rare.toml"
    spec.write_text(SPEC.replace("METRIC", "accuracy").replace("networks = 2", f"networks = 2\ncosts = {costs}"))
    done = run_study("run", spec, "--home", tmp_path / "home", "--no-tracking", "--jobs", 1)
    if done.returncode == 0:
        done = run_study("finalize", "rare", "--home", tmp_path / "home")
    assert done.returncode == 2
    assert words in done.stderr


def test_temperature_is_applied_to_the_average(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    network = {"layer_sizes": [3, 4], "hidden_activation": "relu", "output_activation": "softmax"}
    plain = NetworkClassifier([{**network, "vectors": rng.standard_normal((2, 16))}], list("abcd"))
    warm = NetworkClassifier(plain.networks, plain.classes, temperature=2.0)
    X = rng.standard_normal((10, 3)).astype(np.float32)
    np.testing.assert_allclose(warm.predict_proba(X).T, temper(plain.predict_proba(X).T, 2.0))
    assert (warm.predict(X) == plain.predict(X)).all()
