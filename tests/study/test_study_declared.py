"""What `Study(...)` says of its data and its arguments when it is made, before anything is trained."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study import Float, Study
from study.errors import DataWarning, UserError

ROWS = 120
QUICK: dict[str, Any] = {"space": {"iterations": 5, "depth": 0}, "folds": 0, "confirm": False, "n_trials": 1}


@pytest.fixture
def frame() -> pd.DataFrame:
    """A table of numbers with two classes."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, ROWS))
    return pd.DataFrame({"a": a, "b": b, "kind": np.where(a + b + rng.normal(size=ROWS) > 0, "p", "q")})


def with_losses(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with rows without a target, and columns that are of little use."""
    return frame.assign(
        kind=frame["kind"].where(frame.index % 10 > 0),
        none=np.nan,
        infinite=np.where(frame.index % 9 == 0, np.inf, frame["b"].round(1)),
        same=1.5,
        number=range(1000, 1000 + ROWS),
    )


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_lost_of_a_table_is_warned_of_at_the_line_of_the_user(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.warns(DataWarning) as warned:
        study = Study(with_losses(frame), "kind", name="lost", home=tmp_path, **QUICK)
    assert {warning.filename for warning in warned} == {__file__}
    said = "\n".join(str(warning.message) for warning in warned)
    assert "target 'kind': 12 of 120 rows are excluded because their target is empty" in said
    assert 'columns that have no values in train are not used: none; consider data_options["drop"]' in said
    assert "'inf' is treated as missing in infinite (" in said
    assert "constant columns in train: same" in said
    assert 'columns that only identify rows are not used: number; data_options["ignore"] = [] keeps them' in said
    assert "[data]" not in said
    assert ".csv" not in said
    with warnings.catch_warnings(action="error"):
        study.run(n_jobs=1, tracking=False, show_progress=False)


def test_a_table_of_which_nothing_is_lost_gives_no_warning(frame: pd.DataFrame, tmp_path: Path) -> None:
    with warnings.catch_warnings(action="error"):
        Study(frame, "kind", home=tmp_path, **QUICK)


def test_a_column_that_identifies_rows_can_be_kept(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = frame.assign(number=range(1000, 1000 + ROWS))
    study = Study(table, "kind", home=tmp_path, data_options={"ignore": []}, **QUICK)
    assert study.spec.data.ignore == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "rmse"}, "metric: must be one of accuracy, balanced_accuracy, f1, auc, log_loss for a binary task"),
        ({"metric": ["accuracy", "mae"]}, "metric: must be one of accuracy"),
        ({"search": {"enqueue": [{"depth": 9}]}}, 'search["enqueue"]: '),
        ({"space": {"max_parameters": 1}}, 'space["max_parameters"] = 1: no network that small was found'),
        ({"folds": 100}, "data: with folds = 100, a fold would be empty; use fewer folds"),
        ({"metric": len}, "metric: must be a name, got builtin_function_or_method; register it with engine."),
    ],
)
def test_a_mistake_that_needs_no_training_is_answered_at_once_and_leaves_no_file(
    arguments: dict[str, Any], message: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        Study(frame, "kind", home=tmp_path / "home", **(QUICK | arguments))
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "home").exists()
    with pytest.raises(UserError, match=f"^{re.escape(message[:4])}"):
        frame.to_csv(tmp_path / "data.csv", index=False)
        Study(tmp_path / "data.csv", "kind", home=tmp_path / "home", **(QUICK | arguments))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b": [1e300, -1e300] * 60}, "data: 'b' has values that are too large for float32"),
        ({"a": np.nan, "b": np.nan}, "data: there are no usable columns: a (no values in train), b"),
        ({"kind": "p"}, "data: "),
    ],
)
def test_an_error_in_a_table_in_memory_names_what_was_given(
    change: dict[str, Any], words: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        Study(frame.assign(**change), "kind", home=tmp_path / "home", **QUICK)
    assert str(caught.value).startswith(words)
    assert not re.search(r"\.csv|[0-9a-f]{16}|\[data\]", str(caught.value))
    assert files(tmp_path) == []


def test_an_error_of_an_action_names_what_was_given_too(frame: pd.DataFrame, tmp_path: Path) -> None:
    study = Study(frame, "kind", home=tmp_path, **QUICK)
    (table,) = (tmp_path / "data").glob("*.csv")
    table.unlink()
    for action in (study.plan, lambda: study.run(n_jobs=1, tracking=False), Study.load(study.name, tmp_path).plan):
        with pytest.raises(UserError) as caught:
            action()
        assert str(caught.value).startswith("data: file data not found")


def test_a_name_that_belongs_to_another_table_is_refused_at_once(frame: pd.DataFrame, tmp_path: Path) -> None:
    first = Study(frame, "kind", name="one", home=tmp_path, **QUICK)
    first.run(n_jobs=1, tracking=False, show_progress=False)
    before = sorted(files(tmp_path))
    with pytest.raises(
        UserError, match=r"^name: study 'one' in .* already exists for another table; choose another name"
    ):
        Study(frame.tail(100), "kind", name="one", home=tmp_path, **QUICK)
    with pytest.raises(UserError, match="undo the change, or give the study another name"):
        space = {"iterations": 6, "depth": 0}
        Study(frame, "kind", name="one", home=tmp_path, **(QUICK | {"space": space}))
    assert sorted(files(tmp_path)) == before
    assert Study.load("one", tmp_path).to_toml() == first.to_toml()
    assert Study(frame, "kind", name="one", home=tmp_path, **(QUICK | {"n_trials": 2})).state == "complete"


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"hidden_layer_sizes": (100,)}, 'space["hidden_layer_sizes"]: unknown key; use depth, the number of hidden'),
        ({"alpha": 1e-4}, 'space["alpha"]: unknown key; use l2'),
        ({"max_iter": 200}, 'space["max_iter"]: unknown key; use iterations, the number of updates'),
        ({"learning_rate_init": 0.1}, 'space["learning_rate_init"]: unknown key; use learning_rate'),
        ({"activation": "logistic"}, 'space["activation"]: unknown activation \'logistic\'; use "sigmoid"'),
        ({"optimizer": "sgd"}, "space[\"optimizer\"]: unknown optimizer 'sgd'; use gradient_descent, momentum"),
        ({"batch_size": "auto"}, 'space["batch_size"]: must be a whole number, or "full", got \'auto\''),
        (
            {"learning_rate": (1e-4, 1e-1)},
            'space["learning_rate"]: a tuple may be a range or two choices, got (0.0001, 0.1); '
            "use Float(0.0001, 0.1, log=True), or [0.0001, 0.1]",
        ),
        (
            {"depth": (0, 3)},
            'space["depth"]: a tuple may be a range or two choices, got (0, 3); use Int(0, 3), or [0, 3]',
        ),
        ({"depth": lambda trial: trial}, 'space["depth"]: must be a range, a list or a fixed value, got a function'),
        (lambda _: {}, "space: must be a dict, such as {"),
    ],
)
def test_names_and_ranges_of_other_libraries_are_answered_with_ours(
    space: Any, message: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        Study(frame, "kind", home=tmp_path, space=space)
    assert str(caught.value).startswith(message)


def test_distributions_of_optuna_are_answered_with_the_range_that_they_are(frame: pd.DataFrame, tmp_path: Path) -> None:
    from optuna import distributions, pruners, samplers

    cases = {
        distributions.FloatDistribution(1e-4, 0.1, log=True): "use Float(0.0001, 0.1, log=True)",
        distributions.FloatDistribution(0.5, 1, step=0.25): "use Float(0.5, 1.0, step=0.25)",
        distributions.IntDistribution(0, 3): "use Int(0, 3)",
        distributions.CategoricalDistribution((1, 2)): "use [1, 2]",
    }
    for given, words in cases.items():
        with pytest.raises(UserError, match=re.escape(words)):
            Study(frame, "kind", home=tmp_path, space={"learning_rate": given})
    with pytest.raises(UserError, match='sampler: must be a name, got TPESampler; use "tpe"'):
        Study(frame, "kind", home=tmp_path, sampler=samplers.TPESampler())  # type: ignore[arg-type]
    with pytest.raises(UserError, match='pruner: must be a name, got MedianPruner; use "median"'):
        Study(frame, "kind", home=tmp_path, pruner=pruners.MedianPruner())  # type: ignore[arg-type]
    assert Study(frame, "kind", home=tmp_path, space={"learning_rate": Float(1e-4, 0.1, log=True)})


@pytest.mark.slow
def test_a_recheck_takes_a_table_in_memory_as_it_takes_its_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = frame.assign(grade=pd.Categorical(np.where(frame["a"] > 1, 1, 2)))
    study = Study(table, "kind", name="one", home=tmp_path / "home", **QUICK)
    study.run(n_jobs=1, tracking=False, show_progress=False)
    other = table.assign(a=table["b"], b=table["a"])
    other.to_csv(tmp_path / "other.csv", index=False)
    few: dict[str, Any] = {"n_trials": 2, "top": 1, "seeds": 2, "n_jobs": 1, "show_progress": False}
    found = study.recheck(other, **few)
    assert not found.same_data
    expected = study.recheck(tmp_path / "other.csv", **few)
    assert [each.value for each in found.candidates] == [each.value for each in expected.candidates]
    assert study.recheck(table, **few).same_data
    pair = other.drop(columns="kind"), other["kind"]
    assert [each.value for each in study.recheck(pair, **few).candidates] == [each.value for each in found.candidates]
