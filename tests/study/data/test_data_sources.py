"""One conformance table for all sources: whatever the source, what comes out keeps the same promises."""

import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import h5py
import numpy as np
import pytest
import sklearn.datasets

from study.data import Dataset, Part, load, open_test
from study.errors import UserError
from study.spec.data import DataSpec

# keys of the spec, task, n_x, n_y
TABLE: list[tuple[dict[str, Any], str, int, int]] = [
    ({"source": "sklearn:digits"}, "multiclass", 64, 10),
    ({"source": "sklearn:breast_cancer"}, "binary", 30, 1),
    ({"source": "sklearn:wine"}, "multiclass", 13, 3),
    ({"source": "sklearn:iris"}, "multiclass", 4, 3),
    ({"source": "sklearn:diabetes"}, "regression", 10, 1),
    ({"source": "synthetic:planar_flower"}, "binary", 2, 1),
    ({"source": "synthetic:moons", "examples": 101, "noise": 0.0}, "binary", 2, 1),
    ({"source": "synthetic:circles"}, "binary", 2, 1),
    ({"source": "synthetic:spirals", "classes": 4}, "multiclass", 2, 4),
    ({"source": "synthetic:blobs"}, "multiclass", 2, 3),
    ({"source": "synthetic:parity", "bits": 6}, "binary", 6, 1),
    ({"source": "synthetic:house_price"}, "regression", 1, 1),
    ({"source": "mixed.csv"}, "binary", 12, 1),
    ({"source": "mixed.tsv", "confirm": 0.1}, "binary", 12, 1),
    ({"source": "mixed.parquet"}, "binary", 12, 1),
    ({"source": "mixed.csv", "test": "mixed.csv"}, "binary", 12, 1),
    ({"source": "bare.csv"}, "binary", 2, 1),
    ({"source": "arrays.npz"}, "multiclass", 5, 3),
    ({"source": "cats.h5"}, "binary", 192, 1),
    ({"source": "cats.h5", "test": "cats_test.h5"}, "binary", 192, 1),
    ({"source": "cats.h5", "x": "/train_set_x", "y": "train_set_y"}, "binary", 192, 1),
]


def _check_part(part: Part, data: Dataset) -> None:
    assert part.X.dtype == part.Y.dtype == np.float32
    assert part.X.flags.c_contiguous
    assert part.Y.flags.c_contiguous
    assert part.X.shape == (data.n_x, part.m)
    assert part.Y.shape == (data.n_y, part.m)
    assert part.rows.shape == (part.m,)
    assert part.rows.dtype == np.int64
    assert np.isfinite(part.X).all()
    assert np.isfinite(part.Y).all()
    if data.task != "regression":
        assert set(np.unique(part.Y)) <= {0.0, 1.0}
    if data.task == "multiclass":
        np.testing.assert_array_equal(part.Y.sum(axis=0), 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "task", "n_x", "n_y"), TABLE, ids=[str(list(row[0].values())) for row in TABLE])
def test_every_source_keeps_the_promises(files: Path, keys: dict[str, Any], task: str, n_x: int, n_y: int) -> None:
    spec = DataSpec(**keys)
    data = load(spec, files)
    test = open_test(spec, files)
    assert (data.task, data.n_x, data.n_y) == (task, n_x, n_y)
    assert len(data.feature_names) == n_x
    assert len(data.classes) == {"binary": 2, "multiclass": n_y, "regression": 0}[task]
    assert (data.target_scale is not None) == (task == "regression")
    assert data.output_activation == {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}[task]
    parts = [data.train, data.dev, test] + ([data.confirm] if data.confirm else [])
    for part in parts:
        _check_part(part, data)
    if not spec.has_test_file:
        rows = np.concatenate([part.rows for part in parts])
        assert len(np.unique(rows)) == len(rows)
    assert set(data.part_fingerprints) == {"train", "dev", "test"} | ({"confirm"} if spec.confirm else set())
    assert len({data.fingerprint, *data.part_fingerprints.values()}) >= 4
    assert any("task" in note for note in data.notes)
    again = load(spec, files)
    np.testing.assert_array_equal(again.train.X, data.train.X)
    assert again.fingerprint == data.fingerprint


def test_numbers_are_standardized_on_train(load_here: Any) -> None:
    data = load_here(source="sklearn:wine")
    np.testing.assert_allclose(data.train.X.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.X.std(axis=1), 1, atol=1e-5)
    assert abs(data.dev.X.mean(axis=1)).max() > 1e-3


def test_constant_pixels_stay_zero(load_here: Any) -> None:
    data = load_here(source="sklearn:digits")
    assert (data.train.X[0] == 0).all()
    assert (data.dev.X[0] == 0).all()


def test_labels_keep_the_order_and_names_of_the_source(load_here: Any) -> None:
    data = load_here(source="sklearn:breast_cancer")
    assert data.classes == ("malignant", "benign")
    np.testing.assert_array_equal(data.train.Y[0], sklearn.datasets.load_breast_cancer().target[data.train.rows])


def test_the_flower_is_the_one_of_the_course() -> None:
    """Without noise every point is on a petal: r = 4 sin 4t, X = (r sin t, r cos t)."""
    from study.data.synthetic import generate

    X, y, _, _ = generate(DataSpec(source="synthetic:planar_flower", noise=0.0))
    assert X.shape == (400, 2)
    assert y.tolist() == [0.0] * 200 + [1.0] * 200
    t = np.linspace(0, 3.12, 200)
    np.testing.assert_allclose(X[:200, 0], 4 * np.sin(4 * t) * np.sin(t), atol=1e-12)
    np.testing.assert_allclose(X[:200, 1], 4 * np.sin(4 * t) * np.cos(t), atol=1e-12)


def test_parity_holds_each_pattern_once() -> None:
    from study.data.synthetic import generate

    X, y, _, _ = generate(DataSpec(source="synthetic:parity", bits=5))
    assert len(np.unique(X, axis=0)) == 32
    np.testing.assert_array_equal(y, X.sum(axis=1) % 2)


def test_a_house_costs_nothing_at_the_least(load_here: Any) -> None:
    data = load_here(source="synthetic:house_price", noise=200.0)
    prices = data.target_scale.to_units(data.train.Y)
    assert prices.min() >= -1e-3
    assert prices.max() > 100


def test_the_generator_seed_moves_points_apart_from_the_split(load_here: Any) -> None:
    one = load_here(source="synthetic:moons", seed=1, generator_seed=7)
    two = load_here(source="synthetic:moons", seed=2, generator_seed=7)
    assert one.fingerprint == two.fingerprint
    assert one.part_fingerprints != two.part_fingerprints
    assert load_here(source="synthetic:moons", seed=1).fingerprint != one.fingerprint


def test_images_are_flattened_and_scaled(files: Path) -> None:
    data = load(DataSpec(source="cats.h5", test="cats_test.h5", split=(0.8, 0.2)), files)
    test = open_test(DataSpec(source="cats.h5", test="cats_test.h5", split=(0.8, 0.2)), files)
    with h5py.File(files / "cats.h5") as file:
        images = file["train_set_x"][()]
    np.testing.assert_allclose(data.train.X, images[data.train.rows].reshape(data.train.m, -1).T / 255, rtol=1e-6)
    assert (data.train.m, data.dev.m, test.m) == (32, 8, 12)
    assert data.classes == ("non-cat", "cat")


def test_examples_in_columns_and_one_hot_labels_are_turned_round(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(50, 4)), np.arange(50) % 3
    np.savez(tmp_path / "rows.npz", X=X, y=labels)
    np.savez(tmp_path / "columns.npz", X=X.T, Y=np.eye(3)[:, labels])
    rows, columns = (load(DataSpec(source=name), tmp_path) for name in ("rows.npz", "columns.npz"))
    np.testing.assert_array_equal(rows.train.X, columns.train.X)
    np.testing.assert_array_equal(rows.train.Y, columns.train.Y)


@pytest.mark.parametrize(
    ("source", "function"),
    [("sklearn:california_housing", "fetch_california_housing"), ("openml:credit-g@1", "fetch_openml")],
)
def test_a_download_without_network_says_so(monkeypatch: Any, load_here: Any, source: str, function: str) -> None:
    def offline(*args: object, **keys: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(sklearn.datasets, function, offline)
    with pytest.raises(UserError, match=r"could not be downloaded.*Name or service not known.*network"):
        load_here(source=source)


def test_openml_reads_a_frame(monkeypatch: Any, load_here: Any) -> None:
    bunch = sklearn.datasets.load_iris(as_frame=True)
    bunch.frame["kind"] = bunch.frame["petal width (cm)"].gt(1).map({True: "wide", False: "slim"}).astype("category")
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *_args, **_keys: bunch)
    data = load_here(source="openml:iris@1")
    assert data.target_name == "target"
    assert data.n_x == 6


def test_a_missing_package_for_h5_files_is_named(
    tmp_path: Path, load_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "t.h5").write_bytes(b"not looked at")
    with pytest.raises(
        UserError, match=r"^t\.h5: a \.h5 file requires h5py.*install it with `pip install h5py`, or save.*\.npz$"
    ):
        load_here(source="t.h5")
