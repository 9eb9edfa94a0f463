"""Splits: parts are disjoint and cover all, classes and quantiles are shared out, groups and time order hold."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.data import load_combined, load_folds, open_test
from study.data.splits import split_groups, split_in_time, split_stratified, strata_of
from study.spec.data import DataSpec

SHARES = st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5)
LABELS = st.lists(st.integers(0, 4), min_size=5, max_size=200).map(np.array)


def covers(parts: list[Any], m: int) -> bool:
    together = np.concatenate(parts)
    return len(together) == m and set(together.tolist()) == set(range(m))


@given(strata=LABELS, shares=SHARES, seed=st.integers(0, 2**32))
def test_stratified(strata: Any, shares: list[float], seed: int) -> None:
    parts = split_stratified(strata, shares, np.random.default_rng(seed), everywhere=True)
    again = split_stratified(strata, shares, np.random.default_rng(seed), everywhere=True)
    assert covers(parts, len(strata))
    for part, same in zip(parts, again, strict=True):
        np.testing.assert_array_equal(part, same)
    assert set(strata[parts[0]]) == set(strata)
    weights = np.array(shares) / sum(shares)
    for label, size in zip(*np.unique(strata, return_counts=True), strict=True):
        counts = np.array([(strata[part] == label).sum() for part in parts])
        assert (abs(counts - weights * size) < 3).all(), (counts, weights * size)


@given(strata=LABELS, shares=SHARES, seed=st.integers(0, 2**32))
def test_everywhere_moves_single_examples_and_keeps_sizes(strata: Any, shares: list[float], seed: int) -> None:
    plain = split_stratified(strata, shares, np.random.default_rng(seed), everywhere=True)
    parts = split_stratified(strata, shares, np.random.default_rng(seed), everywhere=True)
    assert covers(parts, len(strata))
    assert [len(part) for part in parts] == [len(part) for part in plain]
    for label, size in zip(*np.unique(strata, return_counts=True), strict=True):
        for part in parts[:size]:
            crowded = np.bincount(strata[part], minlength=1)  # of a part that has each class once there is none to give
            assert label in strata[part] or crowded.max(initial=0) <= 1


@pytest.mark.parametrize("rare", [2, 3, 7])
@pytest.mark.parametrize("seed", range(20))
def test_a_rare_class_is_in_every_part_and_fold_as_far_as_it_goes(rare: int, seed: int) -> None:
    strata = np.array([0] * (300 - 9 - rare) + [1] * 9 + [2] * rare)
    for shares in ([0.6, 0.2, 0.2], [0.54, 0.18, 0.1, 0.18], [1.0] * 5):
        parts = split_stratified(strata, shares, np.random.default_rng(seed), everywhere=True)
        assert sum(2 in strata[part] for part in parts) == min(rare, len(parts))
        assert all(2 in strata[part] for part in parts[:rare])
        assert [len(part) for part in parts] == pytest.approx(300 * np.array(shares) / sum(shares), abs=1)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=40, max_size=300).map(np.array), seed=st.integers(0, 99))
def test_regression_is_stratified_by_quantile(values: Any, seed: int) -> None:
    strata = strata_of(values, regression=True)
    low = values[strata == 0].max()
    high = values[strata == strata.max()].min()
    assert low <= high
    sizes = np.bincount(strata)
    assert sizes.max() - sizes.min() <= 1
    parts = split_stratified(strata, [0.6, 0.2, 0.2], np.random.default_rng(seed))
    for part in parts:
        assert abs((strata[part] == 0).mean() - 1 / len(sizes)) < 0.2


@given(groups=LABELS, m_strata=st.integers(1, 3), seed=st.integers(0, 99), data=st.data())
def test_groups_stay_together(groups: Any, m_strata: int, seed: int, data: Any) -> None:
    strata = np.array(data.draw(st.lists(st.integers(0, m_strata - 1), min_size=len(groups), max_size=len(groups))))
    _, groups = np.unique(groups, return_inverse=True)
    parts = split_groups(groups, strata, [0.6, 0.2, 0.2], np.random.default_rng(seed))
    assert covers(parts, len(groups))
    seen = [set(groups[part].tolist()) for part in parts]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_many_groups_come_near_their_shares() -> None:
    rng = np.random.default_rng(0)
    groups, strata = rng.integers(0, 200, 2000), rng.integers(0, 2, 2000)
    parts = split_groups(groups, strata, [0.6, 0.2, 0.2], rng)
    for part, share in zip(parts, [0.6, 0.2, 0.2], strict=True):
        assert abs(len(part) / 2000 - share) < 0.02
        assert abs(strata[part].mean() - strata.mean()) < 0.03


def gaps(parts: Any, strata: Any) -> int:
    """Return how often a part is without a stratum."""
    return sum(len(set(strata.tolist()) - set(strata[part].tolist())) for part in parts)


@pytest.mark.parametrize("seed", range(5))
def test_each_class_is_in_each_part_where_groups_allow_it(seed: int) -> None:
    """Class 2 is in three groups, of which two are small; one part or another would do without them."""
    groups = np.repeat(np.arange(9), [30, 30, 20, 20, 10, 10, 10, 4, 4])
    strata = np.arange(len(groups)) % 2
    for group in (0, 7, 8):
        strata[np.flatnonzero(groups == group)[0]] = 2
    parts = split_groups(groups, strata, [0.6, 0.2, 0.2], np.random.default_rng(seed), everywhere=True)
    assert covers(parts, len(groups))
    assert gaps(parts, strata) == 0
    assert not set(groups[parts[0]]) & set(groups[parts[1]])
    assert len(parts[0]) / len(groups) == pytest.approx(0.6, abs=0.1)
    again = split_groups(groups, strata, [0.6, 0.2, 0.2], np.random.default_rng(seed), everywhere=True)
    assert [part.tolist() for part in again] == [part.tolist() for part in parts]


@given(groups=LABELS, m_strata=st.integers(1, 3), seed=st.integers(0, 99), data=st.data())
def test_groups_are_moved_only_where_a_class_is_missing(groups: Any, m_strata: int, seed: int, data: Any) -> None:
    strata = np.array(data.draw(st.lists(st.integers(0, m_strata), min_size=len(groups), max_size=len(groups))))
    _, groups = np.unique(groups, return_inverse=True)
    near, filled = (
        split_groups(groups, strata, [0.6, 0.2, 0.2], np.random.default_rng(seed), everywhere=everywhere)
        for everywhere in (False, True)
    )
    assert covers(filled, len(groups))
    if gaps(near, strata) == 0:
        assert [part.tolist() for part in filled] == [part.tolist() for part in near]
    assert len(set(strata[near[0]].tolist())) <= len(set(strata[filled[0]].tolist()))


@given(times=st.lists(st.integers(0, 30), min_size=5, max_size=100).map(lambda each: np.array(each, dtype=float)))
def test_time_order_holds(times: Any) -> None:
    parts = split_in_time(times, [0.6, 0.2, 0.2])
    assert covers(parts, len(times))
    for first in range(3):
        for later in range(first + 1, 3):
            if len(parts[first]) and len(parts[later]):
                assert times[parts[first]].max() < times[parts[later]].min()


def a_table(tmp_path: Any, rows: int = 200) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=rows),
            "patient": rng.integers(0, 40, rows),
            "day": rng.permutation(pd.date_range("2023-01-01", periods=rows).strftime("%d/%m/%Y")),
            "y": rng.choice(["a", "b", "c"], rows, p=[0.7, 0.2, 0.1]),
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)


def test_sizes_are_those_of_the_split(tmp_path: Any, load_here: Any) -> None:
    a_table(tmp_path)
    data = load_here(source="t.csv", split=[0.5, 0.3, 0.2], confirm=0.25)
    test = open_test(DataSpec(source="t.csv", split=(0.5, 0.3, 0.2), confirm=0.25), tmp_path)
    sizes = [data.train.m, data.dev.m, data.confirm.m, test.m]
    np.testing.assert_allclose(sizes, [75, 45, 50, 30], atol=1)
    assert sum(sizes) == 200
    for part in (data.train, data.dev, data.confirm, test):
        np.testing.assert_allclose(part.Y.mean(axis=1), [0.7, 0.2, 0.1], atol=0.08)


def test_another_seed_is_another_split(tmp_path: Any, load_here: Any) -> None:
    a_table(tmp_path)
    one, two, again = (load_here(source="t.csv", seed=seed) for seed in (0, 1, 0))
    assert one.train.rows.tolist() != two.train.rows.tolist()
    assert one.train.rows.tolist() == again.train.rows.tolist()


def test_no_group_is_in_two_parts(tmp_path: Any, load_here: Any) -> None:
    a_table(tmp_path)
    spec = DataSpec(source="t.csv", group="patient", folds=4)
    data, test = load_here(**spec.model_dump(exclude_defaults=True)), open_test(spec, tmp_path)
    patients = pd.read_csv(tmp_path / "t.csv")["patient"].to_numpy()
    seen = [set(patients[part.rows].tolist()) for part in (data.train, data.dev, test)]
    assert sum(map(len, seen)) == len(set(patients.tolist()))
    assert "patient" not in data.column_names
    for fold in load_folds(spec, tmp_path):
        assert not set(patients[fold.train.rows].tolist()) & set(patients[fold.dev.rows].tolist())


def test_train_comes_before_dev_before_test(tmp_path: Any, load_here: Any) -> None:
    a_table(tmp_path)
    spec = DataSpec(source="t.csv", time="day", confirm=0.1, folds=3)
    data, test = load_here(**spec.model_dump(exclude_defaults=True)), open_test(spec, tmp_path)
    days = pd.to_datetime(pd.read_csv(tmp_path / "t.csv")["day"], dayfirst=True).to_numpy()
    parts = [data.train, data.dev, data.confirm, test]
    for first, later in pairwise(parts):
        assert days[first.rows].max() < days[later.rows].min()
    assert "day" not in data.column_names
    folds = load_folds(spec, tmp_path)
    assert len(folds) == 3
    for fold in folds:
        assert days[fold.train.rows].max() < days[fold.dev.rows].min()
    named = load_here(source="t.csv", time="day", dates=["day"])
    assert "day_weekday" in named.feature_names


def test_each_row_of_train_and_dev_is_dev_once(tmp_path: Any, load_here: Any) -> None:
    a_table(tmp_path)
    spec = DataSpec(source="t.csv", folds=5)
    data, folds = load_here(source="t.csv"), load_folds(spec, tmp_path)
    both = sorted([*data.train.rows.tolist(), *data.dev.rows.tolist()])
    assert sorted(row for fold in folds for row in fold.dev.rows.tolist()) == both
    for fold in folds:
        assert sorted([*fold.train.rows.tolist(), *fold.dev.rows.tolist()]) == both
        at = list(fold.feature_names).index("x")
        np.testing.assert_allclose(fold.train.X[at].mean(), 0, atol=1e-5)
        assert abs(fold.dev.m - len(both) / 5) <= 1


def test_combined_is_train_and_dev_fitted_together(tmp_path: Any, load_here: Any) -> None:
    a_table(tmp_path)
    spec = DataSpec(source="t.csv")
    data, combined = load_here(source="t.csv"), load_combined(spec, tmp_path)
    assert combined.train.rows.tolist() == sorted([*data.train.rows.tolist(), *data.dev.rows.tolist()])
    assert combined.dev.m == 0
    assert combined.part_fingerprints["test"] == data.part_fingerprints["test"]
    test, test_combined = open_test(spec, tmp_path), open_test(spec, tmp_path, combined=True)
    np.testing.assert_array_equal(test.rows, test_combined.rows)
    x = pd.read_csv(tmp_path / "t.csv")["x"].to_numpy()
    at = list(combined.feature_names).index("x")
    fitted = (x[test.rows] - x[combined.train.rows].mean()) / x[combined.train.rows].std()
    np.testing.assert_allclose(test_combined.X[at], fitted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("what", ["drop", "group"])
def test_duplicates_do_not_cross_parts(tmp_path: Any, load_here: Any, what: str) -> None:
    rng = np.random.default_rng(0)
    unique = pd.DataFrame({"x": rng.normal(size=60), "z": rng.normal(size=60), "y": np.arange(60) % 2})
    frame = pd.concat([unique, unique, unique]).sample(frac=1, random_state=1)
    frame.to_csv(tmp_path / "t.csv", index=False)
    kept = load_here(source="t.csv")
    apart = load_here(source="t.csv", duplicates=what)
    x = frame["x"].to_numpy()
    assert set(x[kept.train.rows]) & set(x[kept.dev.rows])
    assert not set(x[apart.train.rows]) & set(x[apart.dev.rows])
    test = open_test(DataSpec(source="t.csv", duplicates=what), tmp_path)  # type: ignore[arg-type]
    assert not set(x[apart.train.rows]) & set(x[test.rows])
    assert apart.train.m + apart.dev.m + test.m == {"drop": 60, "group": 180}[what]
