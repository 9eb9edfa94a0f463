"""Each lesson shows what docs/lessons.md says it shows: in the outcome that is kept, and when it is run again.

Lessons that take more than a few seconds are run again by `make test-all` only.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.shell import ROOT, sections

import study.cli.main
from experiments.lessons import __main__ as lessons
from experiments.lessons import activations, dimensions, page, registry, vectorization
from experiments.lessons.registry import KEPT, LESSONS, kept

Run = Callable[[str], dict[str, Any]]
COSTLY = {"flower", "activations", "images", "parity", "hyperparameters"}


def shown_by(name: str) -> pytest.MarkDecorator:
    """Give a test the outcome of a lesson: the one that is kept, and that of another run."""
    marks = [pytest.mark.slow, *([pytest.mark.exhaustive] if name in COSTLY else [])]
    runs = [pytest.param((name, False), id="kept"), pytest.param((name, True), id="run again", marks=marks)]
    return pytest.mark.parametrize("outcome", runs, indirect=True)


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The outcome of a lesson; see shown_by."""
    name, again = request.param
    return request.getfixturevalue("run")(name) if again else kept(name)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give the commands that docs/lessons.md has for a lesson, as they stand; return the outcome that they keep.

    They run in this process, which has imported what they need, in a folder with the specs and the outcomes.
    """
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    shutil.copytree(KEPT, tmp_path / "docs/lessons")
    monkeypatch.chdir(tmp_path)
    for name in ("STUDY_HOME", "STUDY_STORAGE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(registry, "KEPT", tmp_path / "docs/lessons")
    monkeypatch.setattr(page, "PAGE", tmp_path / "docs/lessons.md")
    monkeypatch.setattr(vectorization, "NUMBERS", 10_000)  # loops over a million take seconds, and no test times them
    monkeypatch.setattr(vectorization, "ROWS", 100)

    def run(name: str) -> dict[str, Any]:
        command = f"python -m experiments.lessons {name}"
        (commands,) = (section for section in sections(KEPT.parent / "lessons.md").values() if command in section)
        for each in commands:
            monkeypatch.setattr(sys, "argv", shlex.split(each.removeprefix("python -m ")))
            assert _status(lessons.main if each.startswith("python -m ") else study.cli.main.app) == 0, (
                capsys.readouterr()
            )
        assert page.PAGE.read_text(encoding="utf-8") == page.page()  # written again
        if LESSONS[name].draw is not None:
            picture = (registry.KEPT / f"{name}.svg").read_text(encoding="utf-8")
            ElementTree.fromstring(picture)  # noqa: S314 - our own drawing
            assert "nan" not in picture
        return kept(name)

    return run


def _status(program: Callable[[], None]) -> object:
    try:
        program()
    except SystemExit as ended:
        return ended.code
    return 0


def test_the_page_is_that_of_the_kept_outcomes() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run make lessons"


@pytest.mark.parametrize("name", [name for name, lesson in LESSONS.items() if lesson.draw])
def test_the_pictures_are_those_of_the_kept_outcomes(name: str) -> None:
    drawn = LESSONS[name].draw(kept(name))  # type: ignore[misc] - those that draw
    assert (KEPT / f"{name}.svg").read_text(encoding="utf-8") == drawn + "\n", "run make lessons"


def test_the_page_shows_what_the_engine_says_of_wrong_shapes(tmp_path: Path) -> None:
    outcome = dimensions.run(tmp_path)
    assert outcome == kept("dimensions")
    assert outcome["wrong"] == 0
    assert outcome["examples"] == 11
    (command,) = sections(KEPT.parent / "lessons.md")["10. Matrix dimensions"]
    done = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == ""


@shown_by("graph")
def test_derivatives_by_hand_by_the_chain_rule_and_by_differences_agree(outcome: dict[str, Any]) -> None:
    assert outcome["J"] == 33
    assert outcome["by_hand"] == {"a": 3, "b": 6, "c": 9}
    assert outcome["by_chain_rule"] == {"v": 3, "u": 3} | outcome["by_hand"]
    assert outcome["by_differences"] == pytest.approx(outcome["by_hand"], abs=1e-5)


@shown_by("vectorization")
def test_python_interprets_each_number_of_a_loop(outcome: dict[str, Any]) -> None:
    interpreted = outcome["instructions"]
    assert interpreted["dot_loop"] > 5 * 1000  # several for each of 1,000 numbers
    assert interpreted["product_loops"] > 5 * 30 * 30
    assert interpreted["dot"] < 30
    assert interpreted["product"] < 30
    assert outcome["percent"][0] == [94.9, 0, 2.8, 88.4]
    a, b = vectorization.np.arange(5.0), vectorization.np.ones(5)
    assert vectorization.dot_loop(a, b) == vectorization.dot(a, b) == 10
    W = vectorization.np.arange(10.0).reshape(2, 5)
    assert vectorization.product_loops(W, b).tolist() == vectorization.product(W, b).tolist() == [10, 35]


def test_logistic_regression_is_the_same_with_two_loops_one_and_none() -> None:
    X, Y = vectorization.breast_cancer()
    w = vectorization.np.full((30, 1), 0.1)
    steps = (vectorization.logistic_loops, vectorization.logistic_one_loop, vectorization.logistic_vectorized)
    (J, dw, db), *others = [step(w, 0.2, X, Y) for step in steps]
    for other_J, other_dw, other_db in others:
        assert other_J == pytest.approx(J, rel=1e-10)
        assert other_dw == pytest.approx(dw, rel=1e-9)
        assert other_db == pytest.approx(db, rel=1e-10)


@shown_by("house_price")
def test_a_relu_gives_no_price_below_zero_and_a_line_does(outcome: dict[str, Any]) -> None:
    assert outcome["identity"]["prices"][0] < -5
    assert min(outcome["relu"]["prices"]) == 0
    assert outcome["relu"]["rmse"] < outcome["identity"]["rmse"]


@pytest.mark.slow
@shown_by("logistic")
def test_logistic_regression_is_enough_for_tumors_and_not_for_petals(outcome: dict[str, Any]) -> None:
    assert outcome["breast_cancer"]["dev_accuracy"] >= 0.95
    assert outcome["flower"]["accuracy"] == pytest.approx(0.47, abs=0.01)


@shown_by("cost_shape")
def test_the_squared_error_is_not_convex_and_flat_far_away(outcome: dict[str, Any]) -> None:
    squared, entropy = outcome["squared_error"], outcome["cross_entropy"]
    assert squared["least_bend"] < -1e-4
    assert entropy["least_bend"] >= 0
    assert abs(squared["slope_far"]) < abs(entropy["slope_far"]) / 10
    assert squared["steps"] > 3 * entropy["steps"]


@shown_by("flower")
def test_three_hidden_units_are_enough_for_the_flower(outcome: dict[str, Any]) -> None:
    by_units = {row["units"]: row for row in outcome["rows"]}
    assert list(by_units) == [1, 2, 3, 4, 5, 20, 50]
    for units, row in by_units.items():
        assert row["accuracy"] < 75 if units < 3 else row["accuracy"] >= 88
        assert row["accuracy"] == pytest.approx(row["course"], abs=1.5)


@pytest.mark.slow
@shown_by("starts")
def test_only_a_start_that_fits_learns(outcome: dict[str, Any]) -> None:
    assert outcome["zeros"]["apart"] == 0
    assert outcome["zeros"]["accuracy"] == 0.5
    assert outcome["Gaussian × 0.01"]["last"] > 0.69  # log 2 is the cost of knowing nothing
    assert outcome["Gaussian × 10"]["first"] > 2
    assert outcome["He"]["accuracy"] >= 0.88
    assert outcome["He"]["last"] == min(row["last"] for row in outcome.values())


@shown_by("activations")
def test_sigmoid_is_slow_since_little_gradient_reaches_the_first_layers(outcome: dict[str, Any]) -> None:
    slow = outcome["sigmoid"]["to_goal"] or activations.ITERATIONS
    for name in ("tanh", "relu", "leaky_relu"):
        assert outcome[name]["to_goal"] * 4 < slow
        norms = outcome[name]["norms"]
        assert norms[0] > norms[activations.DEEP - 1] / 10
    sigmoid = outcome["sigmoid"]["norms"]
    assert sigmoid[0] < sigmoid[activations.DEEP - 1] / 1000


@shown_by("images")
def test_hidden_layers_see_in_images_what_one_neuron_does_not(outcome: dict[str, Any]) -> None:
    rows = {row["depth"]: row for row in outcome["rows"]}
    assert list(rows) == [0, 1, 2, 3]
    assert rows[0]["dev_accuracy"] < 0.75
    assert max(rows[depth]["dev_accuracy"] for depth in (1, 2, 3)) > rows[0]["dev_accuracy"] + 0.1


@shown_by("parity")
def test_few_units_learn_all_of_parity_at_either_depth(outcome: dict[str, Any]) -> None:
    rows = {(row["bits"], row["depth"]): row for row in outcome["rows"]}
    assert list(rows) == [(4, 1), (4, 2), (8, 1), (8, 3)]
    for (bits, _), row in rows.items():
        assert row["units"] is not None, row
        fewest = row["best"][0]
        assert fewest[1] < 1.0  # the fewest units tried are too few
        assert row["units"] <= 2 * bits  # where AND and OR would need 2^(n − 1)


@shown_by("hyperparameters")
def test_each_hyperparameter_has_a_right_size(outcome: dict[str, Any]) -> None:
    dev = {name: {row[0]: row[1] for row in outcome[name]} for name in outcome if name not in ("curves", "all")}
    rates = dev["learning_rate"]
    assert rates[0.001] < 0.8 < 0.9 < rates[0.3]
    assert (rates[10.0] or 0) < 0.8
    assert dev["iterations"][10] < 0.85 < 0.93 < dev["iterations"][1000]
    assert dev["units"][1] < 0.5 < 0.93 < dev["units"][64]
    assert dev["momentum"][0.9] > dev["momentum"][0.0]
    assert dev["l2"][0.1] < dev["l2"][0.0001]
    assert max(dev["depth"].values()) >= 0.93
    assert dev["activation"]["sigmoid"] < min(dev["activation"]["tanh"], dev["activation"]["relu"])
    right = outcome["curves"]["right"]
    assert right[-1][1] < 0.2 < outcome["curves"]["too small"][-1][1]
    importance = outcome["all"]["importance"]
    assert importance["depth"] + importance["learning_rate"] > 0.5
    assert importance["l2"] < 0.2
    assert sum(importance.values()) == pytest.approx(1, abs=0.01)


@pytest.mark.slow
@shown_by("recheck")
def test_the_best_of_the_first_half_no_longer_holds_on_the_second(outcome: dict[str, Any]) -> None:
    assert outcome["old_best"] == "0"
    assert outcome["new_best"] != "0"
    assert outcome["holds"] is False
    assert outcome["second"][outcome["new_best"]]["low"] > outcome["second"]["0"]["high"]
