"""Bad input: each is answered by one UserError of a line or two that names place, value and remedy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from study.data import draft_spec, load, load_folds
from study.errors import UserError
from study.spec.data import DataSpec

GOOD = "a,b,y\n" + "".join(f"{i},{i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(40))


def text(content: str | bytes, name: str = "t.csv") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def rows(cell: Callable[[int], str], target: Callable[[int], str] = lambda i: "yes" if i % 2 else "no") -> str:
    return "a,b,y\n" + "".join(f"{i},{cell(i)},{target(i)}\n" for i in range(40))


def h5(**arrays: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        with h5py.File(folder / "t.h5", "w") as file:
            for name, values in arrays.items():
                file[name] = values

    return write


def two_files(folder: Path) -> None:
    (folder / "t.csv").write_text(GOOD)
    (folder / "u.csv").write_text(GOOD.replace("b", "c", 1))


def nothing(folder: Path) -> None:
    pass


# what is there, the spec beside source = "t.csv", and words that the message must have
CASES: dict[str, tuple[Callable[[Path], None], dict[str, Any], list[str]]] = {
    "no such file": (text(GOOD, "tt.csv"), {}, ["not found", "did you mean 'tt.csv'"]),
    "no such folder": (nothing, {"source": "there/t.csv"}, ["not found"]),
    "a directory": (lambda folder: (folder / "t.csv").mkdir(), {}, ["folder"]),
    "a pipe": (lambda folder: os.mkfifo(folder / "t.csv"), {}, ["could not be read"]),
    "empty": (text(""), {}, ["t.csv", "is empty"]),
    "empty lines": (text("\n\n \n\n"), {}, ["t.csv"]),
    "header alone": (text("a,b,y\n"), {}, ["t.csv", "header but no rows"]),
    "unclosed quote": (text(GOOD + '1,"2,yes\n' + GOOD[6:]), {}, ["on lines 42 to", "close its quotes"]),
    "one column": (text("a\n1\n2\n"), {}, ["one column", "separator"]),
    "no such target": (
        text(GOOD.replace("y\n", "price\n", 1)),
        {"target": "prise"},
        ["'prise'", "did you mean 'price'"],
    ),
    "no such position": (text(GOOD), {"target": 3}, ["0 to 2", "got 3"]),
    "one class": (text(rows(str, lambda _: "yes")), {}, ["one class", "'y'"]),
    "one value": (text(rows(str, lambda _: "1.5")), {"task": "regression"}, ["1.5 in all rows"]),
    "a class with one row": (
        text(rows(str, lambda i: "ab"[i % 2] if i else "lonely")),
        {},
        ["'lonely'", "one row, row 1"],
    ),
    "all labels differ": (text(rows(str, lambda i: f"name{i}")), {}, ["one row"]),
    "target all missing": (text(rows(str, lambda _: "NA")), {}, ["'y'", "has no values"]),
    "infinite target": (text(rows(str, lambda i: "inf" if i == 5 else f"{i}.5")), {}, ["infinite", "row 6"]),
    "text in a regression": (
        text(rows(str, lambda i: "dear" if i == 5 else f"{i}.5")),
        {"task": "regression"},
        ["'y'", "row 6", "'dear'"],
    ),
    "three classes set binary": (text(rows(str, lambda i: "abc"[i % 3])), {"task": "binary"}, ["binary", "3 classes"]),
    "log of a negative": (
        text(rows(str, lambda i: f"{i - 9}.5")),
        {"task": "regression", "log_target": True},
        ["above -1", "row 1", "-9.5"],
    ),
    "inf in a column": (
        text(rows(lambda i: "-inf" if i % 3 == 0 else "1.5")),
        {},
        ["'b'", "infinite", "-inf", "missing"],
    ),
    "text in a named column": (
        text(rows(lambda i: "n/k" if i % 3 == 0 else "1")),
        {"numeric": ["b"]},
        ["'b'", "numeric", "'n/k'", "row "],
    ),
    "no date in a named column": (
        text(rows(lambda i: "soon" if i % 3 == 0 else "2024-01-02")),
        {"dates": ["b"]},
        ["'b'", "dates", "'soon'", "row "],
    ),
    "no truth in a named column": (text(rows(lambda i: "abc"[i % 3])), {"boolean": ["b"]}, ["'b'", "neither"]),
    "too large": (text(rows(lambda i: f"{i % 9}e300")), {}, ["'b'", "too large"]),
    "too large unscaled": (text(rows(lambda i: f"{i % 9}e39")), {"scale": "none"}, ["'b'", "too large"]),
    "target too large": (text(rows(str, lambda i: f"{i}e300")), {"task": "regression"}, ["'y'", "too large"]),
    "mixed types": (
        text(rows(lambda i: "unknown" if i % 8 == 0 else str(i))),
        {},
        ["'b'", "mixes", "'unknown'", "missing"],
    ),
    "ragged": (text(GOOD + "1,2\n" + GOOD[6:]), {}, ["line 42", "2 cells", "first row has 3"]),
    "ragged after a long cell": (text('a,b,y\n"x\ny",1,no\n' + GOOD[6:] + "1,2,3,4\n"), {}, ["line 44", "4 cells"]),
    "another encoding than set": (
        text(GOOD.replace("yes", "já").encode("cp1252")),
        {"encoding": "utf-8"},
        ["not valid utf-8", "0xe1", "cp1252"],
    ),
    "another encoding far down": (
        text(rows(str).encode() * 20000 + "9,j\xe1,yes\n".encode("cp1252")),
        {"encoding": "utf-8"},
        ["not valid utf-8", "cp1252"],
    ),
    "another encoding far down, transcoded": (
        text(rows(str).encode() * 20000 + b"9,j\x81,yes\n"),
        {"encoding": "cp1252"},
        ["not valid cp1252", "0x81"],
    ),
    "no known encoding": (
        text(GOOD.replace("yes", "j\x8d\x81").encode("latin-1")),
        {},
        ["neither utf-8 nor cp1252", "encoding"],
    ),
    "binary": (text(bytes(range(256)) * 20), {}, ["binary"]),
    "column of a list not there": (text(GOOD), {"drop": ["bb"]}, ["'bb'", "drop", "did you mean 'b'"]),
    "group not there": (text(GOOD), {"group": "bb"}, ["group", "'bb'", "did you mean 'b'"]),
    "nothing left": (text(GOOD), {"drop": ["a", "b"]}, ["exclude all columns"]),
    "too few groups": (text(rows(lambda i: "pq"[i % 2])), {"group": "b"}, ["2 groups", "too few for 3 splits"]),
    "group with a gap": (text(rows(lambda i: "" if i == 3 else str(i % 9))), {"group": "b"}, ["row 4", "no value"]),
    "time with a gap": (text(rows(lambda i: "" if i == 3 else str(i))), {"time": "b"}, ["row 4", "no value"]),
    "time that is none": (
        text(rows(lambda i: "later" if i == 3 else "2024-01-01")),
        {"time": "b"},
        ["row 4", "'later'"],
    ),
    "an empty part": (text("a,b,y\n1,2,p\n2,3,p\n4,5,q\n5,6,q\n"), {"split": [0.98, 0.01, 0.01]}, ["would be empty"]),
    "all of one time": (text(rows(lambda _: "7")), {"time": "b"}, ["would be empty"]),
    "not Parquet": (text(GOOD, "t.parquet"), {"source": "t.parquet"}, ["t.parquet", "not a Parquet file"]),
    "not HDF5": (text(GOOD, "t.h5"), {"source": "t.h5"}, ["t.h5", "not an HDF5 file"]),
    "not an archive": (text(GOOD, "t.npz"), {"source": "t.npz"}, ["t.npz", "not a NumPy .npz"]),
    "h5 without the dataset": (
        h5(images=np.zeros((20, 4)), answers=np.arange(20) % 2),
        {"source": "t.h5", "y": "answer"},
        ["'answer'", "did you mean 'answers'"],
    ),
    "h5 without labels": (h5(images=np.zeros((20, 4))), {"source": "t.h5"}, ["no labels", "[data] y", "images"]),
    "unequal numbers": (h5(x=np.zeros((20, 4)), y=np.arange(19) % 2), {"source": "t.h5"}, ["20 examples", "19 labels"]),
    "test file of other columns": (
        two_files,
        {"test": "u.csv"},
        ["u.csv", "have different columns: b, c"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_answered(tmp_path: Path, case: str) -> None:
    make, keys, words = CASES[case]
    make(tmp_path)
    with pytest.raises(UserError) as caught:
        load(DataSpec(**{"source": "t.csv"} | keys), tmp_path)
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    assert len(message) < 400
    for word in words:
        assert word in message


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.array([{}, {}], dtype=object), y=np.arange(2))
    with pytest.raises(UserError, match="Python objects"):
        load(DataSpec(source="t.npz"), tmp_path)


def test_nested_parquet_columns_are_named(tmp_path: Path) -> None:
    pd.DataFrame({"a": [[1, 2], [3]], "y": [0, 1]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match="column 'a' contains list"):
        load(DataSpec(source="t.parquet"), tmp_path)


def test_too_many_folds(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(GOOD)
    with pytest.raises(UserError, match="folds = 100"):
        load_folds(DataSpec(source="t.csv", folds=100), tmp_path)


@pytest.mark.slow
def test_a_large_file_without_line_ends_costs_little_memory(tmp_path: Path) -> None:
    """2 GB of zeros as text, sparse on disk: refused with a few megabytes beyond the imports."""
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.write(b"1,2," * (1 << 22))
        file.truncate(2 << 30)
    code = f"""
import resource
from pathlib import Path
from study.data import loading, load
from study.spec.data import DataSpec
from study.errors import UserError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for keys in ({{}}, {{"encoding": "utf-8"}}):
    try:
        load(DataSpec(source="t.csv", **keys), Path({str(tmp_path)!r}))
    except UserError as error:
        print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    lines = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert "no line break in the first 8 MB" in lines[0]
    assert "no line break in the first 8 MB" in lines[1]
    assert int(lines[-1]) < 300


def test_init_answers_bad_files_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(GOOD)
    with pytest.raises(UserError, match="did you mean 'y'"):
        draft_spec(tmp_path / "t.csv", "yy")
    with pytest.raises(UserError, match="must end in"):
        draft_spec(tmp_path / "t.xlsx", None)
    with pytest.raises(UserError, match="not found"):
        draft_spec(tmp_path / "no.csv", None)


@pytest.mark.parametrize("how", ["external", "virtual"])
def test_an_hdf5_file_shows_nothing_of_other_files(tmp_path: Path, how: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(100)))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["y"] = np.arange(50) % 2
        if how == "external":
            file.create_dataset("X", (50, 2), np.uint8, external=[(str(secret), 0, 100)])
        else:
            with h5py.File(tmp_path / "other.h5", "w") as other:
                other["X"] = np.ones((50, 2))
            layout = h5py.VirtualLayout((50, 2), np.float64)
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "X", (50, 2))
            file.create_virtual_dataset("X", layout)
    with pytest.raises(UserError, match=r"t\.h5: X stores its data in other files, which is not supported"):
        load(DataSpec(source="t.h5"), tmp_path)


def test_an_npz_archive_whose_bytes_are_damaged_is_refused_or_read_as_it_was(tmp_path: Path) -> None:
    X, rng = np.random.default_rng(0).standard_normal((50, 4)), np.random.default_rng(1)
    np.savez_compressed(tmp_path / "t.npz", X=X, y=np.arange(50) % 2)
    whole = (tmp_path / "t.npz").read_bytes()
    truth = load(DataSpec(source="t.npz"), tmp_path).train.X
    for _ in range(150):
        content = bytearray(whole)
        content[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        (tmp_path / "t.npz").write_bytes(content)
        try:
            found = load(DataSpec(source="t.npz"), tmp_path)
        except UserError as error:
            assert str(error).startswith("t.npz")
            continue
        np.testing.assert_array_equal(found.train.X, truth)


@pytest.mark.parametrize("link", [h5py.SoftLink("/secret"), h5py.ExternalLink("other.h5", "X")])
def test_links_of_an_hdf5_file_are_no_datasets_of_it(tmp_path: Path, link: object) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["X"] = np.ones((50, 2))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["y"] = np.arange(50) % 2
        file["X"] = link
    with pytest.raises(UserError, match="no examples found"):
        load(DataSpec(source="t.h5"), tmp_path)
    with pytest.raises(UserError, match="'X' not found in the file"):
        load(DataSpec(source="t.h5", x="X", y="y"), tmp_path)


def test_an_hdf5_array_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["y"] = np.arange(50) % 2
        file.create_dataset("X", (50, 1 << 40), np.float64, chunks=(50, 1024))
    with pytest.raises(UserError, match=r"X needs .* bytes"):
        load(DataSpec(source="t.h5"), tmp_path)


def test_an_hdf5_array_whose_chunks_are_damaged_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["y"] = np.arange(50) % 2
        file.create_dataset("X", data=np.ones((50, 200)), compression="gzip", fletcher32=True)
        offset = file["X"].id.get_chunk_info(0).byte_offset
    content = bytearray((tmp_path / "t.h5").read_bytes())
    content[offset + 5] ^= 0xFF
    (tmp_path / "t.h5").write_bytes(content)
    with pytest.raises(UserError, match=r"t\.h5: X could not be read"):
        load(DataSpec(source="t.h5"), tmp_path)


@pytest.mark.parametrize("suffix", ["npz", "h5"])
@pytest.mark.parametrize("name", ["X", "y"])
def test_complex_arrays_are_refused(tmp_path: Path, suffix: str, name: str) -> None:
    arrays = {"X": np.ones((6, 2)), "y": np.arange(6) % 2}
    arrays[name] = arrays[name] + 1j
    path = tmp_path / f"t.{suffix}"
    if suffix == "npz":
        np.savez(path, **arrays)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for each, array in arrays.items():
                file[each] = array
    with pytest.raises(
        UserError, match=rf"t\.{suffix}: {name} contains complex numbers \(complex128\); save the real and"
    ):
        load(DataSpec(source=path.name), tmp_path)


def test_whole_numbers_that_float32_does_not_hold_are_kept(tmp_path: Path) -> None:
    places = np.arange(40)
    np.savez(tmp_path / "t.npz", X=100_000_000 + places[:, None], y=places % 2)
    data = load(DataSpec(source="t.npz"), tmp_path)
    assert np.corrcoef(data.train.X[0], places[data.train.rows])[0, 1] == pytest.approx(1, abs=1e-9)
