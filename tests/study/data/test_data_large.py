"""A million rows: read, split and prepared within the memory of a small machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

ROWS = 1_000_000
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
def test_a_million_rows_of_twenty_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {f"n{i}": np.round(rng.standard_normal(ROWS) * 100, 4) for i in range(14)}
    columns["gaps"] = pa.array(rng.standard_normal(ROWS), mask=rng.random(ROWS) < 0.1)
    columns["town"] = np.array(["Paris", "Berlin", "Rome", "Oslo"])[rng.integers(0, 4, ROWS)]
    columns["code"] = np.array([f"c{i}" for i in range(300)])[rng.integers(0, 300, ROWS)]
    columns["flag"] = np.array(["yes", "no"])[rng.integers(0, 2, ROWS)]
    columns["when"] = np.datetime64("2020-01-01T00:00:00") + rng.integers(0, 9**8, ROWS).astype("m8[s]")
    columns["y"] = np.array(["a", "b"])[(rng.standard_normal(ROWS) > 0).astype(int)]
    assert len(columns) == 20
    pyarrow.csv.write_csv(pa.table(columns), tmp_path / "t.csv")
    printed = subprocess.check_output([sys.executable, "-c", CODE, str(tmp_path)], text=True)
    rows, features, seconds, megabytes = printed.split()
    with capsys.disabled():
        print(f" {seconds} s, {megabytes} MB ", end="")
    assert (int(rows), int(features)) == (800_000, 76)
    assert int(megabytes) < 3000
