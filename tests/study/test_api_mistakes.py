"""What `Study` answers to mistakes: in terms of Python, not of the command line or of a spec file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from study import Study, StudyClassifier
from study.errors import UserError

FRAME = pd.DataFrame({"x": range(40), "label": [k % 2 for k in range(40)]})
ACTIONS: list[Callable[[Study], object]] = [
    lambda study: study.confirm(),
    lambda study: study.compare(0, 1),
    lambda study: study.recheck(),
    lambda study: study.report(),
    lambda study: study.finalize(),
    lambda study: study.predict(FRAME),
    lambda study: study.evaluate(FRAME),
    lambda study: study.summary,
    lambda study: study.curve(0),
    lambda study: study.runs(),
    lambda study: study.plot_curves(),
    lambda study: study.plot_importance(),
    lambda study: study.plot_confirmation(),
    lambda study: study.plot_confusion(),
]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_study_that_has_not_run_says_so(tmp_path: Path, action: Callable[[Study], object]) -> None:
    study = Study(FRAME, "label", name="new", home=tmp_path)
    with pytest.raises(UserError, match=r"study 'new' has not run yet; call run\(\) first|has no complete trial yet"):
        action(study)


def test_columns_in_place_of_a_target_are_taken_for_a_pair(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"got a Series; for arrays X and y, use Study\(\(X, y\)\)"):
        Study(FRAME[["x"]], FRAME["label"], home=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_jobs", [0, -3, 1.5])
def test_numbers_of_jobs_are_checked(tmp_path: Path, n_jobs: Any) -> None:
    study = Study(FRAME, "label", name="new", home=tmp_path)
    with pytest.raises(ValueError, match=f"n_jobs must be (at least 1|a whole number), got {n_jobs}"):
        study.run(n_jobs=n_jobs)
    with pytest.raises(ValueError, match=r"n_trials must be a whole number, got 2\.5"):
        study.run(n_trials=2.5)  # type: ignore[arg-type]


def test_a_finalized_study_answers_in_python(finalized: Path) -> None:
    study = Study.load("table", finalized / "home")
    with pytest.raises(UserError, match=r"\nfinalize\(again=True\) opens the test set once more"):
        study.finalize()
    with pytest.raises(UserError, match="the table has no rows to predict"):
        study.predict(FRAME.head(0))
    before = set((finalized / "home").rglob("*"))
    with pytest.raises(UserError, match="target: column 'kind' not found"):
        study.recheck(FRAME)
    with pytest.raises(UserError, match="data: "):
        study.recheck(FRAME.assign(kind="same"))
    assert not {path for path in set((finalized / "home").rglob("*")) - before if path.is_file()}


def test_numbers_given_to_a_classifier_are_noticed() -> None:
    with pytest.raises(ValueError, match="got 1 of class '1'; to predict numbers, use StudyRegressor"):
        StudyClassifier().fit(FRAME[["x"]], [0] * 39 + [1])


def test_test_evaluations_are_records(finalized: Path) -> None:
    (opening,) = Study.load("table", finalized / "home").summary.finalized
    assert (opening.metric, opening.with_dev) == ("accuracy", True)
    assert opening.value == opening.metrics["accuracy"]
