"""Small tables of every kind, written to a temporary folder, and a way to load one with few words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from support.data_tables import mixed_table

from study.data import Dataset, load
from study.spec.data import DataSpec

Load = Callable[..., Dataset]


@pytest.fixture
def load_here(tmp_path: Path) -> Load:
    """Load a spec whose paths are relative to tmp_path."""

    def load_spec(**keys: Any) -> Dataset:
        return load(DataSpec(**keys), tmp_path)

    return load_spec


@pytest.fixture
def mixed_csv(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.csv"
    mixed_table().to_csv(path, index=False)
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the same kind of data in each kind of file: mixed.csv, .tsv, .parquet, arrays.npz, cats.h5."""
    table = mixed_table()
    table.to_csv(tmp_path / "mixed.csv", index=False)
    table.to_csv(tmp_path / "mixed.tsv", index=False, sep="\t")
    table.assign(seen=pd.to_datetime(table["seen"])).to_parquet(tmp_path / "mixed.parquet")
    table[["length", "count", "grade"]].dropna().to_csv(tmp_path / "bare.csv", index=False, header=False)
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(90, 5)), np.arange(90) % 3
    np.savez(tmp_path / "arrays.npz", X=X, y=y)
    images = rng.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    for name, part, classes in (("cats.h5", "train", 40), ("cats_test.h5", "test", 12)):
        with h5py.File(tmp_path / name, "w") as file:
            file[f"{part}_set_x"] = images[:classes]
            file[f"{part}_set_y"] = (np.arange(classes) % 2).astype(np.int64)
            file["list_classes"] = np.array([b"non-cat", b"cat"])
    return tmp_path
