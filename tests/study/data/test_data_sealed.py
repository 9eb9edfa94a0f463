"""Nothing of dev or test changes what is fitted on train, and test rows are not read as anything but text."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.data_tables import mixed_table

from study.data import load, load_combined, load_folds, look, open_test
from study.errors import UserError
from study.spec.data import DataSpec

FEATURES = ("length", "count", "colour", "fresh", "seen")
SPEC = DataSpec(source="t.csv", target="grade", confirm=0.1)
PLAUSIBLE = {
    "length": ["", "999999.5", "-3", "0"],
    "count": ["1000000", "", "7"],
    "colour": ["violet", "", "red"],
    "fresh": ["no", "yes", ""],
    "seen": ["1999-01-01 00:00", "", "2031-12-31 23:59"],
}


def write(folder: Path, table: pd.DataFrame) -> None:
    table.to_csv(folder / "t.csv", index=False)


@pytest.mark.slow
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cell_of_dev_or_test_changes_nothing_that_is_fitted(tmp_path: Path, data: Any) -> None:
    table = mixed_table().astype(str).replace("nan", "")
    write(tmp_path, table)
    before = load(SPEC, tmp_path)
    train = set(before.train.rows.tolist())
    others = [row for row in range(len(table)) if row not in train]
    for row in data.draw(st.lists(st.sampled_from(others), min_size=1, max_size=10, unique=True)):
        column = data.draw(st.sampled_from(FEATURES))
        table.loc[row, column] = data.draw(st.sampled_from(PLAUSIBLE[column]))
    write(tmp_path, table)
    after = load(SPEC, tmp_path)
    np.testing.assert_array_equal(after.train.X, before.train.X)
    np.testing.assert_array_equal(after.train.Y, before.train.Y)
    np.testing.assert_array_equal(after.dev.rows, before.dev.rows)
    assert after.feature_names == before.feature_names
    assert after.part_fingerprints["train"] == before.part_fingerprints["train"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "garbage", ["abc", "", *(pytest.param(cell, marks=pytest.mark.exhaustive) for cell in ("inf", "2024-13-45"))]
)
def test_garbage_in_the_test_rows_is_met_when_the_seal_is_broken(tmp_path: Path, garbage: str) -> None:
    table = mixed_table().astype(str).replace("nan", "")
    write(tmp_path, table)
    spec = SPEC.model_copy(update={"folds": 3})
    before, folds_before = load(spec, tmp_path), load_folds(spec, tmp_path)
    test = open_test(spec, tmp_path)
    table.loc[test.rows, list(FEATURES)] = garbage
    write(tmp_path, table)
    after = load(spec, tmp_path)
    assert after.feature_names == before.feature_names
    for name in ("train", "dev", "confirm"):
        np.testing.assert_array_equal(getattr(after, name).X, getattr(before, name).X)
        assert after.part_fingerprints[name] == before.part_fingerprints[name]
    assert after.part_fingerprints["test"] != before.part_fingerprints["test"]
    for fold, fold_before in zip(load_folds(spec, tmp_path), folds_before, strict=True):
        np.testing.assert_array_equal(fold.train.X, fold_before.train.X)
    np.testing.assert_array_equal(load_combined(spec, tmp_path).train.m, before.train.m + before.dev.m)
    assert look(spec, tmp_path).parts["test"] == test.m
    if garbage:
        with pytest.raises(
            UserError, match="infinite" if garbage == "inf" else r"length: \d+ of \d+ cells are not numb"
        ):
            open_test(spec, tmp_path)
        return
    opened = open_test(spec, tmp_path)
    assert np.isfinite(opened.X).all()
    assert not opened.notes


def test_a_test_file_is_not_converted_by_load(tmp_path: Path) -> None:
    table = mixed_table().astype(str).replace("nan", "")
    write(tmp_path, table)
    table.assign(length=["abc", *table["length"][1:]]).to_csv(tmp_path / "u.csv", index=False)
    spec = DataSpec(source="t.csv", test="u.csv", split=(0.75, 0.25))
    data = load(spec, tmp_path)
    assert (data.train.m, data.dev.m) == (90, 30)
    assert load(DataSpec(source="t.csv", test="u.csv"), tmp_path).train.m == 90
    assert any("length" in note for note in open_test(spec, tmp_path).notes)


def test_labels_that_a_test_file_spells_otherwise_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    table = mixed_table()
    write(tmp_path, table)
    table.assign(grade=table["grade"] + ".").to_csv(tmp_path / "u.csv", index=False)
    for read in (load, look):
        with pytest.raises(UserError) as caught:
            read(DataSpec(source="t.csv", test="u.csv", split=(0.75, 0.25)), tmp_path)
        assert str(caught.value) == (
            "t.csv [test]: the test set contains classes that train does not have: 'bad.', 'good.'; "
            "the classes of train are 'bad', 'good'"
        )


def test_a_class_that_a_part_lacks_is_named(tmp_path: Path) -> None:
    table = mixed_table()
    write(tmp_path, table)
    table[table["grade"] == "bad"].to_csv(tmp_path / "u.csv", index=False)
    note = "test has no rows of class 'good', so balanced accuracy, F1 and AUC on test are undefined"
    assert note in load(DataSpec(source="t.csv", test="u.csv", split=(0.75, 0.25)), tmp_path).notes
    assert not any("no rows of class" in each for each in load(SPEC, tmp_path).notes)


def test_the_test_part_is_prepared_as_train_was(tmp_path: Path) -> None:
    table = mixed_table()
    write(tmp_path, table)
    data, test = load(SPEC, tmp_path), open_test(SPEC, tmp_path)
    raw = pd.read_csv(tmp_path / "t.csv")
    again = data.preprocessing.transform(raw.iloc[test.rows]).T.astype(np.float32)
    np.testing.assert_array_equal(again, test.X)


def test_a_dataset_holds_no_test_row(tmp_path: Path) -> None:
    write(tmp_path, mixed_table())
    data, test = load(SPEC, tmp_path), open_test(SPEC, tmp_path)
    held = np.concatenate([data.train.rows, data.dev.rows, data.confirm.rows])  # type: ignore[union-attr]
    assert not set(held.tolist()) & set(test.rows.tolist())
    assert len(held) + test.m == 120
