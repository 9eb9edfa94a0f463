"""The look before a run, its warnings, and the spec that `study init` writes."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from support.data_tables import mixed_table

from study.data import draft_spec, load, load_folds, look
from study.data.draft_tables import study_name
from study.data.overview import smallest_difference
from study.errors import UserError
from study.spec import parse_spec
from study.spec.data import DataSpec
from study.text.records import to_json

ROWS = 300


def people(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    age = rng.integers(18, 90, ROWS)
    base = {"age": age, "town": rng.choice(["Paris", "Rome", "Oslo"], ROWS)}
    return pd.DataFrame(base | columns | {"well": np.where(age + rng.normal(0, 9, ROWS) < 50, "yes", "no")})


def looked(tmp_path: Path, frame: pd.DataFrame, **keys: Any) -> Any:
    frame.to_csv(tmp_path / "t.csv", index=False)
    return look(DataSpec(source="t.csv", **keys), tmp_path)


def subjects(view: Any) -> dict[str, tuple[str, ...]]:
    return {warning.subject: warning.columns for warning in view.warnings}


def test_a_sound_table_has_little_to_warn_of(tmp_path: Path) -> None:
    frame = people(weight=np.random.default_rng(0).normal(70, 9, ROWS).round(3))
    assert set(subjects(looked(tmp_path, frame))) == {"small_dev"}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_measurements_say_the_same_where_one_orders_rows_as_the_other_does(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    celsius, gaps, dry = rng.normal(size=ROWS), rng.random(ROWS) < 0.1, rng.random(ROWS) < 0.7
    frame = people(
        celsius=celsius,
        fahrenheit=celsius * 1.8 + 32,
        below=20 - celsius,
        pressure=np.where(gaps, np.nan, rng.normal(size=ROWS)),
        humidity=np.where(gaps, np.nan, rng.normal(size=ROWS)),  # not measured in the same rows, which says nothing
        rain=np.where(dry, 0, rng.lognormal(size=ROWS)),
        minutes=np.where(dry, 0, rng.lognormal(size=ROWS)),
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    found = look(DataSpec(source=f"t.{suffix}"), tmp_path).warnings
    same = [warning.columns for warning in found if warning.subject == "same_column"]
    assert same == [("celsius", "fahrenheit", "below")]


def test_columns_of_text_that_are_no_features_are_called_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = people(
        name=[f"Person {number}, a resident of the town" for number in range(ROWS)],
        income=[f"${value:,.2f}" for value in rng.lognormal(10, 1, ROWS)],
        share=[f"{value:.3f} %" for value in rng.normal(50, 10, ROWS)],
        code=[f"K-{number}" for number in range(ROWS)],
    )
    found = [each for each in looked(tmp_path, frame, drop=["code"]).warnings if each.subject == "no_feature"]
    assert [each.columns for each in found] == [("income", "share"), ("name",)]
    assert re.search(r"income \('\$[\d,]+\.\d\d'\), share \('[\d.]+ %'\); write plain numbers", found[0].message)
    assert re.search(r"name \('Person \d+, a resident of.*…'\); if a column groups rows", found[1].message)


def test_where_no_column_is_left_each_is_named_with_a_cell(tmp_path: Path) -> None:
    prices = [f"$1,0{number:02}" for number in range(99)]
    pd.DataFrame({"price": prices, "sold": ["yes", "no", "no"] * 33}).to_csv(tmp_path / "t.csv", index=False)
    words = r"there are no usable columns: price \(59 different texts in 59 cells, such as '\$1,0\d\d'\); write plain"
    with pytest.raises(UserError, match=words):
        look(DataSpec(source="t.csv"), tmp_path)


def test_what_is_printed(tmp_path: Path) -> None:
    frame = mixed_table()
    view = looked(tmp_path, frame)
    assert view.rows == 120
    assert view.columns_by_kind == {"numeric": 2, "categorical": 1, "boolean": 1, "date": 1}
    assert view.parts == {"train": 72, "dev": 24, "test": 24}
    assert view.classes == frame["grade"].value_counts().to_dict()
    seen = load(DataSpec(source="t.csv"), tmp_path)
    rows = [*seen.train.rows, *seen.dev.rows]
    assert view.missing_cells == frame["length"].iloc[rows].isna().sum()
    assert view.n_x == seen.n_x
    assert view.fingerprint == seen.fingerprint
    assert json.loads(json.dumps(to_json(view)))["columns"][2]["distinct"] == 3


def test_columns_that_repeat_the_target_are_called_out(tmp_path: Path) -> None:
    well = people()["well"]
    frame = people(verdict=well.map({"yes": "healthy", "no": "ill"}), score=well.eq("yes") * 40 + np.arange(ROWS) % 40)
    view = looked(tmp_path, frame)
    named = {name for each in view.warnings if each.subject == "repeats_target" for name in each.columns}
    assert named == {"verdict", "score"}
    assert "repeats_target" not in subjects(looked(tmp_path, frame, drop=["verdict", "score"]))


def test_numbers_that_float32_does_not_tell_apart_are_looked_at_in_their_order(tmp_path: Path) -> None:
    well = people()["well"] == "yes"
    large = np.where(well, 1, -1) * 10.0 ** np.linspace(39, 60, ROWS)
    close = 1e12 + well
    view = looked(tmp_path, people(large=large, close=close))
    named = [name for each in view.warnings if each.subject == "repeats_target" for name in each.columns]
    assert named == ["large", "close"]


def test_a_column_that_repeats_a_regression_target(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    price = rng.lognormal(7, 0.5, ROWS)
    pd.DataFrame({"size": price**0.5 * rng.uniform(0.5, 2, ROWS), "cents": 100 * price, "price": price}).to_csv(
        tmp_path / "t.csv", index=False
    )
    assert subjects(look(DataSpec(source="t.csv"), tmp_path))["repeats_target"] == ("cents",)


def test_other_warnings(tmp_path: Path) -> None:
    frame = people(
        number=np.random.default_rng(1).permutation(ROWS) + 1000,
        always=["same"] * ROWS,
        hardly=["1"] * 5 + [""] * (ROWS - 5),
        capital=people()["town"].map({"Paris": 1, "Rome": 2, "Oslo": 3}),
    )
    frame.loc[:5, "well"] = "unsure"
    frame = pd.concat([frame, frame.iloc[100:140]])
    view = looked(tmp_path, frame, seed=1)
    found = subjects(view)
    assert found["constant"] == ("always",)
    assert found["same_column"] == ("town", "capital")
    assert found["rare_class"] == ("unsure",)
    assert "duplicates" in found
    assert "duplicates" not in subjects(look(DataSpec(source="t.csv", duplicates="drop"), tmp_path))
    assert subjects(looked(tmp_path, frame.drop_duplicates()))["identifier"] == ("number",)


def test_a_test_file_is_compared_too(tmp_path: Path) -> None:
    frame = people(weight=np.random.default_rng(0).normal(size=ROWS))
    frame.iloc[:50].to_csv(tmp_path / "u.csv", index=False)
    view = looked(tmp_path, frame, test="u.csv")
    assert view.parts["test"] == 50
    assert "in test" in next(each.message for each in view.warnings if each.subject == "duplicates")


@pytest.mark.parametrize("m", [40, 100, 1000, 10_000])
def test_the_smallest_difference_is_where_the_paired_test_turns(m: int) -> None:
    """With a tenth of the answers different, the exact paired test tells this difference and not the half of it."""
    different = smallest_difference(m)
    discordant = max(round(0.1 * m), 6)
    better = min(discordant, round((discordant + different * m) / 2))
    assert binomtest(better, discordant).pvalue < 0.12
    half = round((discordant + different * m / 2) / 2)
    assert binomtest(half, discordant).pvalue > 0.05
    assert smallest_difference(4 * m) < different


@pytest.mark.slow
def test_init_writes_a_spec_that_loads(tmp_path: Path) -> None:
    mixed_table().to_csv(tmp_path / "my data.csv", index=False)
    text = draft_spec(tmp_path / "my data.csv", "grade").text
    spec = tomllib.loads(text)
    assert spec["name"] == "my-data"
    assert set(spec) == {"name", "description", "data", "space", "search", "confirm"}
    assert {"optimizer", "batch_size"} <= set(spec["space"])
    assert spec["data"]["target"] == "grade"
    assert load(DataSpec(**spec["data"]), tmp_path).task == "binary"
    assert "colour: categorical, 3 distinct" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixed.tsv", "mixed.parquet", "arrays.npz", "cats.h5"])
def test_init_serves_every_kind_of_file(files: Path, name: str) -> None:
    spec = tomllib.loads(draft_spec(files / name).text)
    assert load(DataSpec(**spec["data"]), files).task in ("binary", "multiclass")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y %H:%M", None])
def test_a_date_of_its_own_in_each_row_is_no_identifier(tmp_path: Path, form: str | None) -> None:
    days = pd.date_range("2024-01-31", periods=ROWS, freq="h" if form is None else "D")
    frame = people(day=days if form is None else days.strftime(form))
    if form is None:
        frame.to_parquet(tmp_path / "t.parquet")
    else:
        frame.to_csv(tmp_path / "t.csv", index=False)
    text = draft_spec(tmp_path / ("t.parquet" if form is None else "t.csv"), "well").text
    assert "ignore" not in tomllib.loads(text)["data"]
    assert '\n# time = "day"              # split by time: train, then dev, then test\n' in text
    assert "identifier" not in text


@pytest.mark.slow
def test_init_guesses_a_target_and_says_so(tmp_path: Path) -> None:
    mixed_table().to_csv(tmp_path / "t.csv", index=False)
    text = draft_spec(tmp_path / "t.csv", None).text
    assert 'target = "grade"     # a guess' in text
    bare = mixed_table()[["length", "count", "grade"]].dropna()
    bare.to_csv(tmp_path / "bare.csv", index=False, header=False, sep=";")
    data = tomllib.loads(draft_spec(tmp_path / "bare.csv", None).text)["data"]
    assert (data["target"], data["header"], data["separator"]) == (-1, False, ";")
    assert tomllib.loads(draft_spec(tmp_path / "bare.csv", "0").text)["data"]["target"] == 0


def test_init_passes_over_what_cannot_be_a_target(tmp_path: Path) -> None:
    names = [f"n{i}" for i in range(120)]
    mixed_table().assign(name=names).to_csv(tmp_path / "t.csv", index=False)
    assert tomllib.loads(draft_spec(tmp_path / "t.csv").text)["data"]["target"] == "grade"
    with pytest.raises(UserError, match="one row"):
        draft_spec(tmp_path / "t.csv", "name")
    pd.DataFrame({"a": names, "b": names}).to_csv(tmp_path / "u.csv", index=False)
    text = draft_spec(tmp_path / "u.csv").text
    assert tomllib.loads(text)["data"]["target"] == "b"
    assert "cannot be used as the target" in text


@pytest.mark.slow
def test_init_sets_what_would_stop_the_run(tmp_path: Path) -> None:
    frame = people(
        number=range(ROWS),
        dose=["n/k" if i % 9 == 0 else str(i % 50 / 4) for i in range(ROWS)],
        room=[f"{i % 40}" if i % 7 else f"{i % 40}b" for i in range(ROWS)],
        gain=["inf" if i % 50 == 0 else str(i % 13 / 3) for i in range(ROWS)],
        proof=people()["well"],
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = draft_spec(tmp_path / "t.csv", "well").text
    keys = tomllib.loads(text)["data"]
    assert keys["ignore"] == ["number"]
    assert keys["missing"] == {"dose": ["n/k"], "gain": ["inf"]}
    assert keys["categorical"] == ["room"]
    assert '# drop = ["proof"]' in text
    assert load(DataSpec(**keys), tmp_path).column_names == ("age", "town", "dose", "room", "gain", "proof")


@pytest.mark.parametrize(("file", "name"), [("a.csv", "a"), ("My table (2).csv", "My-table-2"), ("é.csv", "data")])
def test_names(file: str, name: str) -> None:
    assert study_name(file) == name


@pytest.mark.parametrize(
    ("rows", "batches"), [(40, "full"), (200, [32]), (1000, [32, 128]), (10_000, [128, 512, 2048])]
)
def test_init_drafts_batches_that_fit_the_table(tmp_path: Path, rows: int, batches: object) -> None:
    values = np.random.default_rng(0).normal(size=(rows, 3))
    pd.DataFrame(values, columns=["a", "b", "c"]).to_csv(tmp_path / "t.csv", index=False)
    text = draft_spec(tmp_path / "t.csv", "c").text
    assert tomllib.loads(text)["space"]["batch_size"] == batches
    assert parse_spec(text, "t.toml").search.trials == 60


@pytest.mark.parametrize(("rows", "folds"), [(5, None), (40, 5), (1240, 5), (1260, None)])
def test_init_drafts_folds_for_few_rows(tmp_path: Path, rows: int, folds: int | None) -> None:
    """Four fifths of the rows are train and dev; of five rows a fold would be empty."""
    values = np.random.default_rng(0).normal(size=(rows, 3))
    pd.DataFrame(values, columns=["a", "b", "c"]).to_csv(tmp_path / "t.csv", index=False)
    text = draft_spec(tmp_path / "t.csv", "c").text
    assert tomllib.loads(text)["data"].get("folds") == folds
    assert ("\n# folds = 5 " in text) == (folds is None)
    if folds:
        assert len(load_folds(parse_spec(text, "t.toml").data, tmp_path)) == folds


@pytest.mark.slow
def test_with_folds_candidates_are_compared_on_train_and_dev(tmp_path: Path) -> None:
    frame = people(weight=np.random.default_rng(0).normal(70, 9, ROWS).round(3))
    (warning,) = looked(tmp_path, frame).warnings
    assert warning.message.startswith("dev has 60 examples, too few to detect differences below 10")
    assert warning.message.endswith("consider [data] folds = 5 or add more rows")
    assert looked(tmp_path, frame, folds=5).warnings == ()
    (warning,) = looked(tmp_path, frame[:120], folds=5).warnings
    assert warning.message.startswith("train and dev have 96 examples, too few to detect")
    assert warning.message.endswith("add more rows")


def test_json_names_the_warnings_as_it_always_has(tmp_path: Path) -> None:
    view = looked(tmp_path, pd.DataFrame({"a": [1.0, 2.0] * 30, "b": [3.0] * 60, "y": [0, 1] * 30}))
    plain = to_json(view)
    assert "warnings" not in plain
    assert [each["subject"] for each in plain["cautions"]] == [each.subject for each in view.warnings] != []
