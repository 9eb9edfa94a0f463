"""A million rows: read, split and prepared within the memory of a small machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

CODE = """
import resource, sys, time
from pathlib import Path
began = time.perf_counter()
from study.data import load
from study.spec.data import DataSpec
data = load(DataSpec(source="t.csv"), Path(sys.argv[1]))
seconds = time.perf_counter() - began
print(data.train.m + data.dev.m, data.n_x, round(seconds, 1),
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "most_megabytes"), [(150_000, 1300), pytest.param(1_000_000, 3000, marks=pytest.mark.exhaustive)]
)
def test_many_rows_of_twenty_columns_need_little_memory(
    rows: int, most_megabytes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {f"n{i}": np.round(rng.standard_normal(rows) * 100, 4) for i in range(14)}
    columns["gaps"] = pa.array(rng.standard_normal(rows), mask=rng.random(rows) < 0.1)
    columns["town"] = np.array(["Paris", "Berlin", "Rome", "Oslo"])[rng.integers(0, 4, rows)]
    columns["code"] = np.array([f"c{i}" for i in range(300)])[rng.integers(0, 300, rows)]
    columns["flag"] = np.array(["yes", "no"])[rng.integers(0, 2, rows)]
    columns["when"] = np.datetime64("2020-01-01T00:00:00") + rng.integers(0, 9**8, rows).astype("m8[s]")
    columns["y"] = np.array(["a", "b"])[(rng.standard_normal(rows) > 0).astype(int)]
    assert len(columns) == 20
    pyarrow.csv.write_csv(pa.table(columns), tmp_path / "t.csv")
    printed = subprocess.check_output([sys.executable, "-c", CODE, str(tmp_path)], text=True)
    read, features, seconds, megabytes = printed.split()
    with capsys.disabled():
        print(f" {seconds} s, {megabytes} MB ", end="")
    assert (int(read), int(features)) == (rows * 8 // 10, 76)
    assert int(megabytes) < most_megabytes
