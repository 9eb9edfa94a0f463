"""The target: task, labels of any kind, the default metric, and the unit of a regression."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.data import TargetScale, load
from study.spec.data import DataSpec

TASKS: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "text": (lambda i: ["ash", "oak", "elm"][i % 3], "multiclass", ("ash", "elm", "oak")),
    "truth": (lambda i: str(i % 2 == 0), "binary", ("False", "True")),
    "whole": (lambda i: i % 3 + 9, "multiclass", ("9", "10", "11")),
    "float that is whole": (lambda i: f"{i % 2}.0", "binary", ("0", "1")),
    "many whole numbers": (lambda i: i % 30, "regression", ()),
    "numbers": (lambda i: i / 7, "regression", ()),
}


def loaded(tmp_path: Path, value: Any, rows: int = 120, **keys: Any) -> Any:
    lines = "".join(f"{i % 11},{i * 0.5},{value(i)}\n" for i in range(rows))
    (tmp_path / "t.csv").write_text("a,b,y\n" + lines)
    return load(DataSpec(source="t.csv", **keys), tmp_path)


@pytest.mark.parametrize("case", TASKS)
def test_task_is_found_and_said(tmp_path: Path, case: str) -> None:
    value, task, classes = TASKS[case]
    data = loaded(tmp_path, value)
    assert (data.task, data.classes) == (task, classes)
    assert any(note.startswith(f"task: {task}") for note in data.notes)


def test_task_can_be_set(tmp_path: Path) -> None:
    assert loaded(tmp_path, lambda i: i % 30, task="multiclass").n_y == 30
    assert loaded(tmp_path, lambda i: i % 3, task="regression").n_y == 1


def test_two_classes_may_be_learned_as_several(tmp_path: Path) -> None:
    data = loaded(tmp_path, lambda i: i % 2, task="multiclass")
    assert (data.n_y, data.output_activation) == (2, "softmax")


def test_labels_are_those_of_the_rows(tmp_path: Path) -> None:
    data = loaded(tmp_path, lambda i: ["ash", "oak", "elm"][i % 3])
    expected = [["ash", "oak", "elm"][row % 3] for row in data.train.rows]
    assert [data.classes[k] for k in data.train.Y.argmax(axis=0)] == expected


@pytest.mark.parametrize(("every", "metric"), [(3, "accuracy"), (15, "balanced_accuracy")])
def test_default_metric(tmp_path: Path, every: int, metric: str) -> None:
    data = loaded(tmp_path, lambda i: "rare" if i % every == 0 else "common")
    assert data.default_metric == metric
    assert data.metric_reason == ("" if metric == "accuracy" else "the rarest class, 'rare', has 6.7% of the rows")


@pytest.mark.parametrize("log_target", [False, True])
def test_regression_comes_back_in_its_unit(tmp_path: Path, log_target: bool) -> None:
    data = loaded(tmp_path, lambda i: 1000 + 3.7 * i, log_target=log_target)
    assert data.default_metric == "rmse"
    np.testing.assert_allclose(data.train.Y.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.Y.std(), 1, atol=1e-5)
    for part in (data.train, data.dev):
        np.testing.assert_allclose(data.target_scale.to_units(part.Y)[0], 1000 + 3.7 * part.rows, rtol=1e-5)
    assert data.target_scale.log1p is log_target


def test_scale_by_hand() -> None:
    scale = TargetScale(mean=10.0, scale=2.0, log1p=False)
    assert scale.to_units(np.array([[0.0, 1.5]])).tolist() == [[10.0, 13.0]]
    assert scale.from_units(np.array([13.0])).tolist() == [1.5]


def test_rows_without_a_target_are_left_out(tmp_path: Path) -> None:
    data = loaded(tmp_path, lambda i: "" if i % 10 == 0 else "pq"[i % 2])
    assert not (np.concatenate([data.train.rows, data.dev.rows]) % 10 == 0).any()
    assert any("12 of 120 rows are excluded" in note for note in data.notes)


def test_more_markers_of_missing_cells_leave_the_target_alone(tmp_path: Path) -> None:
    data = loaded(tmp_path, lambda i: i % 2, missing=["0"])
    assert data.classes == ("0", "1")


@pytest.mark.parametrize(("target", "name"), [("b", "b"), (0, "a"), (-2, "b"), (None, "y")])
def test_target_by_name_position_or_guess(tmp_path: Path, target: Any, name: str) -> None:
    assert loaded(tmp_path, lambda i: i % 2, target=target).target_name == name


def test_a_telling_name_is_guessed_before_the_last_column(tmp_path: Path) -> None:
    lines = "".join(f"{i % 2},{i * 0.5},{i}\n" for i in range(50))
    (tmp_path / "t.csv").write_text("Label,b,c\n" + lines)
    data = load(DataSpec(source="t.csv"), tmp_path)
    assert data.target_name == "Label"
    assert any("'Label', from its name" in note for note in data.notes)
    (tmp_path / "t.csv").write_text("x,y,z\n" + lines)
    assert load(DataSpec(source="t.csv"), tmp_path).target_name == "z"
