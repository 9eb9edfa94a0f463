"""Encodings of numbers: by their formulas, fitted on train only, from one reading, for numeric columns of tables."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import QuantileTransformer
from support.data_tables import mixed_table

from study.data import Dataset, encoders, load, load_combined, load_folds, open_test
from study.data.encoders import PiecewiseLinearEncoder
from study.errors import UserError
from study.spec.data import DataSpec
from study.spec.encoding import STANDARD, Encoding

PLE, QUANTILE = Encoding("ple", 4), Encoding("quantile")
ALL = (STANDARD, PLE, QUANTILE)
SPEC = DataSpec(source="t.csv", target="grade")


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """A table with a column of every kind, which is also written to t.csv."""
    frame = mixed_table().assign(flag=np.arange(120) % 5 == 0)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame


def rows_of(dataset: Dataset, start: str) -> np.ndarray:
    """Return the rows of the X of train whose names begin so."""
    return dataset.train.X[[name.startswith(start) for name in dataset.feature_names]]


def by_hand(x: float, edges: list[float]) -> list[float]:
    """Return the encoding of one number, as the formula says."""
    encoded = []
    for low, high in pairwise(edges):
        encoded.append(0.0 if x < low else 1.0 if x >= high else (x - low) / (high - low))
    return encoded


def test_equals_the_formula() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    encoder = PiecewiseLinearEncoder(4).fit(values)
    new = np.concatenate([values, [[-99, 99], [np.median(values[:, 0]), 0]]])
    encoded = encoder.transform(new)
    for column in (0, 1):
        edges = np.quantile(values[:, column], [0, 0.25, 0.5, 0.75, 1]).tolist()
        expected = [by_hand(x, edges) for x in new[:, column]]
        np.testing.assert_allclose(encoded[:, 4 * column : 4 * column + 4], expected, atol=1e-6)
    assert list(encoder.get_feature_names_out(["a", "b"]))[3:5] == ["a_bin_4", "b_bin_1"]


def test_equal_quantiles_and_few_distinct_numbers_make_fewer_bins() -> None:
    many_zeros = np.concatenate([np.zeros(70), np.linspace(1, 2, 30)])
    columns = np.stack([many_zeros, np.arange(100) % 3, np.arange(100) % 2, np.ones(100)], axis=1)
    encoder = PiecewiseLinearEncoder(4).fit(columns)
    assert [len(edges) - 1 for edges in encoder.edges_] == [2, 2, 1, 0]
    assert encoder.edges_[0][:2] == pytest.approx([0, np.quantile(many_zeros, 0.75)])
    encoded = encoder.transform(columns[:3])
    np.testing.assert_array_equal(encoded, [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])
    assert len(encoder.get_feature_names_out()) == 4


def test_the_scaled_number_and_its_bins_stand_side_by_side(table: pd.DataFrame, tmp_path: Path) -> None:
    data = load(SPEC, tmp_path, ALL)
    encoded = data.encoded(PLE)
    numbers = ("length", "count")
    assert [name for name in encoded.feature_names if name.startswith(numbers)] == [
        *numbers,
        *(f"{name}_bin_{number}" for name in numbers for number in (1, 2, 3, 4)),
    ]
    for name in numbers:
        column = table[name].iloc[data.train.rows]
        filled = column.fillna(column.median()).to_numpy(dtype=float)
        edges = np.quantile(filled, [0, 0.25, 0.5, 0.75, 1]).tolist()
        expected = np.array([by_hand(x, edges) for x in filled]).T
        np.testing.assert_allclose(rows_of(encoded, f"{name}_bin"), expected, atol=1e-6)
        np.testing.assert_array_equal(rows_of(encoded, name)[0], rows_of(data, name)[0])


def test_quantiles_are_those_of_scikit_learn(table: pd.DataFrame, tmp_path: Path) -> None:
    data = load(SPEC, tmp_path, [QUANTILE])
    numbers = table[["count"]].iloc[data.train.rows].to_numpy(dtype=float)
    quantiles = QuantileTransformer(n_quantiles=len(numbers), output_distribution="normal").fit_transform(numbers)
    expected = np.clip(quantiles[:, 0], -encoders.MOST_NORMAL, encoders.MOST_NORMAL)
    np.testing.assert_allclose(rows_of(data, "count")[0], expected, atol=1e-6)
    assert rows_of(data, "length").max() == encoders.MOST_NORMAL


def test_other_columns_stay_as_they_are(table: pd.DataFrame, tmp_path: Path) -> None:
    data = load(SPEC, tmp_path, ALL)
    for encoded in data.others:
        for start in ("seen", "colour", "fresh", "flag", "missingindicator"):
            assert len(rows_of(data, start)) > 0
            np.testing.assert_array_equal(rows_of(encoded, start), rows_of(data, start))


def test_everything_is_fitted_on_train_only(table: pd.DataFrame, tmp_path: Path) -> None:
    """Numbers outside train are changed; the matrices of train, and of each fold's train, stay the same."""
    before, test = load(SPEC, tmp_path, ALL), open_test(SPEC, tmp_path, encoding=PLE)
    folded = SPEC.model_copy(update={"folds": 3})
    folds_before = load_folds(folded, tmp_path, ALL)
    changed = table.copy()
    others = np.setdiff1d(np.arange(len(table)), before.train.rows)
    changed.loc[others, ["length", "count"]] *= 3
    changed.to_csv(tmp_path / "t.csv", index=False)
    after = load(SPEC, tmp_path, ALL)
    for encoding in ALL:
        np.testing.assert_array_equal(before.encoded(encoding).train.X, after.encoded(encoding).train.X)
    assert not np.array_equal(before.dev.X, after.dev.X)
    assert not np.array_equal(test.X, open_test(SPEC, tmp_path, encoding=PLE).X)
    for number, fold in enumerate(folds_before):
        changed = table.copy()
        changed.loc[np.setdiff1d(np.arange(len(table)), fold.train.rows), ["length", "count"]] *= 3
        changed.to_csv(tmp_path / "t.csv", index=False)
        again = load_folds(folded, tmp_path, ALL)[number]
        for encoding in ALL:
            np.testing.assert_array_equal(fold.encoded(encoding).train.X, again.encoded(encoding).train.X)


@pytest.mark.parametrize("encoding", ALL, ids=lambda encoding: encoding.label)
def test_the_pipeline_converts_raw_rows_in_the_same_way(
    encoding: Encoding, table: pd.DataFrame, tmp_path: Path
) -> None:
    data = load(SPEC, tmp_path, ALL).encoded(encoding)
    alone, test = load(SPEC, tmp_path, [encoding]), open_test(SPEC, tmp_path, encoding=encoding)
    raw = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False).drop(columns="grade")
    for part in (data.train, data.dev, test):
        expected = data.preprocessing.transform(raw.iloc[part.rows]).T.astype(np.float32)
        np.testing.assert_array_equal(part.X, expected)
    np.testing.assert_array_equal(alone.train.X, data.train.X)
    combined = load_combined(SPEC, tmp_path, [encoding])
    assert open_test(SPEC, tmp_path, combined=True, encoding=encoding).X.shape[0] == combined.n_x


def test_all_encodings_come_from_one_reading(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.data import opening
    from study.data.preprocessing import CellReader

    read, converted = [], []
    read_source, read_cells = opening.read_source, CellReader.read
    monkeypatch.setattr(opening, "read_source", lambda *given: read.append(1) or read_source(*given))
    monkeypatch.setattr(CellReader, "read", lambda *given, **more: converted.append(1) or read_cells(*given, **more))
    assert len(load(SPEC, tmp_path, ALL).others) == 2
    assert (len(read), len(converted)) == (1, 2)  # train and dev


def test_encodings_that_do_not_apply_are_refused(files: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'ple' applies to numeric columns, and arrays.npz has arrays; use e"):
        load(DataSpec(source="arrays.npz"), files, [STANDARD, PLE])
    pd.DataFrame({"a": ["x", "y", "z"] * 20, "y": ["p", "q"] * 30}).to_csv(tmp_path / "w.csv", index=False)
    for prepare in (load, load_folds):
        with pytest.raises(UserError, match=r"'quantile' applies to numeric columns, and w.csv has none; use e"):
            prepare(DataSpec(source="w.csv", folds=3), tmp_path, [STANDARD, QUANTILE])


def test_features_that_do_not_fit_into_memory_are_refused(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.data.memory.ENCODED_BYTES", 1 << 40)
    load(SPEC, tmp_path)
    with pytest.raises(UserError, match=r"encoding: 'ple_4' makes \d\d features of 72 examples, .*; lower bins, or"):
        load(SPEC, tmp_path, [STANDARD, PLE])
