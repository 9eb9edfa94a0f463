"""Arguments of `Study(...)` are keys of a spec: same checks, same words, under the arguments' names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study import Float, Int, Study
from study.errors import UserError
from study.spec import parse_spec


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small table of numbers."""
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f"{k * 37 % 61 / 10},{k * k % 7},{k**3 // 7 % 2}\n" for k in range(60)))
    return path


def study_of(table: Path, **arguments: Any) -> Study:
    return Study(table, "y", home=table.parent / "home", **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": {"depth": -1}}, 'space["depth"]: must be from 0 to 50, got -1'),
        ({"space": {"depth": {"low": 3, "high": 1}}}, 'space["depth"]: low must not be above high, got low = 3 and'),
        ({"space": {"dept": 1}}, "space[\"dept\"]: unknown key; did you mean 'depth'?"),
        ({"space": {"optimizer": ["adm"]}}, "space[\"optimizer\"]: unknown optimizer 'adm'; did you mean 'adam'?"),
        ({"space": [1]}, "space: must be a dict, got [1]"),
        ({"n_trials": 0}, "n_trials: must be at least 1, got 0"),
        ({"metric": "acuracy"}, "metric: unknown metric 'acuracy'; did you mean 'accuracy'?"),
        ({"sampler": "tp"}, "sampler: unknown value 'tp'; did you mean 'tpe'?"),
        ({"split": (0.5, 0.6, 0.2)}, "split: must sum to 1"),
        ({"folds": 1}, "folds: must be at least 2, got 1"),
        ({"seed": -1}, "seed: must be at least 0, got -1"),
        ({"name": "a b"}, "name: must be 1 to 100 letters"),
        ({"group": "a", "time": "b"}, "group and time are mutually exclusive"),
        ({"data_options": {"scal": "none"}}, "data_options[\"scal\"]: unknown key; did you mean 'scale'?"),
        ({"data_options": {"split": [1]}, "split": [1]}, 'split: also given as data_options["split"]; keep one'),
        ({"search": {"in_flight": 0}}, 'search["in_flight"]: must be at least 1, got 0'),
        ({"confirm": {"top": 0}}, 'confirm["top"]: must be at least 1, got 0'),
    ],
)
def test_an_error_names_the_argument_in_the_words_of_the_spec(
    arguments: dict[str, Any], message: str, table: Path
) -> None:
    with pytest.raises(UserError) as caught:
        study_of(table, **arguments)
    assert str(caught.value).startswith(message)


def test_a_target_has_to_be_named(table: Path) -> None:
    with pytest.raises(UserError, match=r"^target: missing; name the column to predict"):
        Study(table, home=table.parent)
    with pytest.raises(UserError, match="column 'z' not found"):
        Study(table, "z", home=table.parent)


def test_a_space_replaces_keys_of_the_drafted_one(table: Path) -> None:
    drafted = study_of(table).spec.space
    space = {"learning_rate": Float(1e-4, 1e-1, log=True), "depth": np.arange(3), "units": Int(2, 8, step=2), "l2": 0}
    given = study_of(table, space=space).spec.space
    assert given.learning_rate.model_dump() == {"low": 1e-4, "high": 1e-1, "log": True, "step": None}
    assert (given.depth, given.l2, given.units.step) == ((0, 1, 2), (0,), 2)
    assert given.iterations == drafted.iterations
    assert given.activation == drafted.activation


def test_all_tables_of_a_spec_can_be_set(table: Path) -> None:
    study = study_of(
        table,
        name="all",
        description="Why?",
        metric="auc",
        n_trials=7,
        sampler="random",
        pruner="none",
        split=np.array([0.5, 0.25, 0.25]),
        folds=3,
        group=None,
        seed=4,
        data_options={"drop": ["b"]},
        search={"in_flight": 2},
        confirm={"top": 3},
    )
    spec = study.spec
    assert (spec.name, spec.description, spec.data.drop, spec.data.folds) == ("all", "Why?", ("b",), 3)
    assert (spec.data.split, spec.data.seed, spec.search.seed) == ((0.5, 0.25, 0.25), 4, 4)
    assert (spec.search.metric, spec.search.trials, spec.search.in_flight) == ("auc", 7, 2)
    assert (spec.search.sampler, spec.search.pruner) == ("random", "none")
    assert spec.confirm is not None
    assert (spec.confirm.top, spec.confirm.seeds) == (3, 10)
    assert parse_spec(study.to_toml(), "t.toml") == spec
    assert not study.home.path.exists()


@pytest.mark.slow
def test_what_is_drafted_gives_way(table: Path) -> None:
    assert study_of(table).spec.data.folds == 5
    assert study_of(table, folds=0).spec.data.folds is None
    assert study_of(table, search={"seeds": 3}).spec.data.folds is None
    assert study_of(table, confirm=False).spec.confirm is None
    several = study_of(table, metric=["accuracy", "parameters"]).spec.search
    assert (several.sampler, several.pruner) == ("nsga2", "none")


def test_any_source_of_a_spec_is_data(tmp_path: Path) -> None:
    study = Study("sklearn:iris", home=tmp_path)
    assert (study.name, study.spec.data.source) == ("iris", "sklearn:iris")
    with pytest.raises(UserError, match=r"is a spec; use Study\.from_toml"):
        Study(tmp_path / "iris.toml")
