"""Files that unpack to more than there is room for, or whose bytes are damaged: a line, and no memory taken."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from support.command import run_process, run_study

from study.data import memory
from study.data.sources import read_cells, read_source
from study.errors import UserError
from study.runtime.importing import REMEDY
from study.spec.data import DataSpec

ROOM = 10_000_000  # bytes that a file may take in these tests
LABELS = np.arange(50) % 2


def npz(folder: Path, megabytes: int = 40) -> Path:
    np.savez_compressed(folder / "t.npz", X=np.zeros((50, megabytes * 20_000 // 8)), y=LABELS)
    return folder / "t.npz"


def lying_npz(folder: Path) -> Path:
    np.savez(folder / "whole.npz", X=np.zeros((50, 1000)), y=LABELS)
    with zipfile.ZipFile(folder / "whole.npz") as whole, zipfile.ZipFile(folder / "t.npz", "w") as lying:
        for name in whole.namelist():
            true, false = b"(50, 1000), }" + b" " * 10, b"(50, 99999999999999), }"
            lying.writestr(name, whole.read(name).replace(true, false))
    return folder / "t.npz"


def hdf5(folder: Path) -> Path:
    with h5py.File(folder / "t.h5", "w") as file:
        file["y"] = LABELS
        file.create_dataset("X", (50, 100_000), np.float64, chunks=(50, 1000))
    return folder / "t.h5"


def hdf5_of_a_large_chunk(folder: Path) -> Path:
    with h5py.File(folder / "t.h5", "w") as file:
        file["y"] = LABELS
        file.create_dataset("X", (50, 10), np.float64, chunks=(50, 100_000), maxshape=(50, None))
    return folder / "t.h5"


def parquet(folder: Path, column: Any, **options: Any) -> Path:
    table = pa.table({"a": column, "y": np.arange(len(column)) % 2})
    pyarrow.parquet.write_table(table, folder / "t.parquet", write_statistics=False, **options)
    return folder / "t.parquet"


def one_text(kind: pa.DataType, times: int = 1000) -> Callable[[Path], Path]:
    """Return what writes a text of 1 MB once and says it many times."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(times, np.int32)), pa.array(["x" * 1_000_000], kind))
    return lambda folder: parquet(folder, column)


def commas(folder: Path) -> Path:
    (folder / "t.csv").write_text("\n".join([",".join(f"c{i}" for i in range(1000)), *["," * 999] * 3000]))
    return folder / "t.csv"


BOMBS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "npz": (npz, "X needs 40,000,128 bytes"),
    "a header of petabytes": (lying_npz, "does not fit into memory"),
    "HDF5": (hdf5, "X needs 40,000,000 bytes"),
    "a chunk of HDF5": (hdf5_of_a_large_chunk, "a chunk of X needs 40,000,000 bytes"),
    "Parquet, many rows": (lambda folder: parquet(folder, pa.nulls(2_000_000, pa.int64())), "2,000,000 rows"),
    "Parquet, one text": (one_text(pa.string()), "the text needs"),
    "Parquet, one large text": (one_text(pa.large_string()), "the text needs"),
    "Parquet, texts that share": (
        lambda folder: parquet(
            folder,
            pa.array(["x" * 10_000] * 3000),
            use_dictionary=False,
            column_encoding={"a": "DELTA_BYTE_ARRAY", "y": "PLAIN"},
        ),
        "the text needs",
    ),
    "a text file of empty cells": (commas, "the table needs"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_larger_than_there_is_room_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make, words = BOMBS[name]
    path = make(tmp_path)
    monkeypatch.setattr(memory, "LARGEST", ROOM)
    before = pa.total_allocated_bytes()
    with pytest.raises(UserError, match=words) as caught:
        read_source(DataSpec(source=path.name), tmp_path)
    assert str(caught.value).startswith(path.name)
    assert pa.total_allocated_bytes() - before < 2 * ROOM
    if path.suffix in (".csv", ".parquet"):
        with pytest.raises(UserError, match=words):
            read_cells(path, DataSpec(source=path.name))


@pytest.mark.parametrize("name", ["npz", "HDF5", "Parquet, one text", "a text file of empty cells"])
def test_too_little_memory_while_reading_is_answered_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 1048576000000 failed")

    path = BOMBS[name][0](tmp_path)
    monkeypatch.setattr(memory.Room, "check", fail)
    done = run_study("init", path)
    assert done.returncode == 2
    assert f"study: {path.name} does not fit into memory" in done.stderr


def test_too_little_memory_after_reading_is_answered_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 6.00 GiB")

    (tmp_path / "t.csv").write_text("a,y\n" + "1.5,p\n2.5,q\n" * 20)
    monkeypatch.setattr("study.data.loading.prepare", fail)
    done = run_study("init", tmp_path / "t.csv")
    assert done.returncode == 1
    assert done.stderr == f"study: out of memory (Unable to allocate 6.00 GiB); {REMEDY}\n"


@pytest.mark.slow
def test_what_is_available_respects_the_limits_of_the_process(tmp_path: Path) -> None:
    program = tmp_path / "limited.py"
    code = (
        "import resource; from study.data import memory; resource.setrlimit(resource.{0}, (1 << 32, 1 << 32)); "
        "print(memory.available())"
    )
    for limit in ("RLIMIT_AS", "RLIMIT_DATA"):
        program.write_text(code.format(limit))
        done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
        assert 0 < int(done.stdout) < 1 << 32


def test_what_is_available_respects_the_group_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("900000\n")
    (tmp_path / "memory.current").write_text("500000\n")
    (tmp_path / "memory.stat").write_text("anon 400000\ninactive_file 100000\n")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    assert memory.available() == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() > 500_000


@pytest.mark.slow
def test_bombs_under_a_limit_of_four_gigabytes(tmp_path: Path) -> None:
    """The real thing: 6 GB of zeros in an HDF5 file, and a terabyte of text in a Parquet file."""
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["y"] = LABELS
        file.create_dataset("X", (50, 16_000_000), np.float64, chunks=(50, 1000))
    one_text(pa.string(), 1_000_000)(tmp_path)
    for name, words in (("t.h5", "X needs 6,400,000,000 bytes"), ("t.parquet", "the text needs")):
        done = run_process("init", tmp_path / name, prefix=("prlimit", f"--as={4 << 30}"))
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr


@pytest.mark.slow
def test_a_parquet_file_whose_bytes_are_damaged_is_refused_in_a_line(tmp_path: Path) -> None:
    """In a process of its own, since pyarrow ends the process where a footer is damaged in one way or another."""
    parquet(tmp_path, pa.array([f"row {i}" for i in range(500)]), compression="zstd")
    code = f"""
import sys, numpy as np
from pathlib import Path
from study.data.sources import read_source
from study.errors import UserError
from study.spec.data import DataSpec
path = Path({str(tmp_path / "t.parquet")!r})
whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
for _ in range(300):
    content = bytearray(whole)
    content[rng.integers(len(whole))] ^= 1 << rng.integers(8)
    path.write_bytes(content)
    try:
        read_source(DataSpec(source="t.parquet"), path.parent)
    except UserError as error:
        assert str(error).startswith("t.parquet") and "\\n" not in str(error), error
        refused += 1
print(refused)
"""
    program = tmp_path / "reads.py"
    program.write_text(code)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 100


def test_hdf5_labels_are_text_of_any_length(tmp_path: Path) -> None:
    labels = ["good", "größer"] * 25
    for kind, values in ((h5py.string_dtype(), labels), (np.dtype("S9"), [each.encode() for each in labels])):
        with h5py.File(tmp_path / "t.h5", "w") as file:
            file["X"] = np.ones((50, 3))
            file["y"] = np.array(values, dtype=kind)
        assert read_source(DataSpec(source="t.h5"), tmp_path).frame["label"].tolist() == labels
