"""Cells that a model cannot read are said, and a column of which none can be read is refused, by every way in."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.command import run_study
from support.kinds_of_tables import KINDS, make_study
from support.sharing import made_once

from study import Study
from study.errors import DataWarning, UserError


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `home`, in which the study "mixed" is finalized; without MLflow."""
    return made_once(tmp_path_factory, "mixed", lambda folder: make_study(folder, "mixed"))


@pytest.fixture(scope="session")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the study "german", whose file has decimal commas between semicolons."""
    return made_once(tmp_path_factory, "german", lambda folder: make_study(folder, "german"))


def rows(name: str = "mixed") -> pd.DataFrame:
    return KINDS[name].frame().drop(columns="y")[:20].reset_index(drop=True).astype(object)


def predict(folder: Path, name: str, file: Path) -> Any:
    return run_study("predict", name, file, "--home", folder / "home")


UNREADABLE = {
    "height": ("$38,166.33", "is not a number", "are not numbers", "write plain numbers"),
    "children": ("forty", "is not a number", "are not numbers", "write plain numbers"),
    "smoker": ("Oui", "is neither true nor false", "are neither true nor false", "write true or false, yes or no"),
    "seen": ("31. Dezember", "is not a date", "are not dates", "write dates as 2024-12-31"),
}


@pytest.mark.slow
@pytest.mark.parametrize("column", UNREADABLE)
def test_cells_that_cannot_be_read_are_said_and_a_whole_column_is_refused(
    mixed: Path, tmp_path: Path, column: str
) -> None:
    value, is_not, are_not, remedy = UNREADABLE[column]
    study, frame = Study.load("mixed", mixed / "home"), rows()
    frame.loc[2, column] = value
    count = frame[column].notna().sum()
    note = f"{column}: 1 of {count} cells {is_not} (row 3: '{value}') and is treated as missing"
    frame.to_csv(tmp_path / "new.csv", index=False)
    done = predict(mixed, "mixed", tmp_path / "new.csv")
    assert (done.returncode, done.stderr) == (0, f"study: {note}\n")
    for table in (frame, tmp_path / "new.csv"):
        with pytest.warns(DataWarning) as warned:
            made = study.predict(table)
        assert [str(each.message) for each in warned] == [note]
        assert made.to_csv(index=False) == done.stdout

    frame[column] = [value, None] * 10
    frame.to_csv(tmp_path / "new.csv", index=False)
    done = predict(mixed, "mixed", tmp_path / "new.csv")
    whole = f"{column}: 10 of 10 cells {are_not} (row 1: '{value}'); {remedy}"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"study: {tmp_path / 'new.csv'}: {whole}")
    assert done.stderr.count("\n") == 1
    with pytest.raises(UserError) as refused:
        study.predict(frame)
    assert str(refused.value).startswith(f"the table: {whole}")


@pytest.mark.slow
def test_several_columns_that_cannot_be_read_are_named_in_one_line(mixed: Path) -> None:
    with pytest.raises(UserError, match=r"height: 20 of 20 .* \(also affected: children, seen\); write plain"):
        Study.load("mixed", mixed / "home").predict(rows().assign(height="x", children="x", seen="x"))


def test_unseen_categories_are_counted(mixed: Path, tmp_path: Path) -> None:
    frame = rows()
    frame.loc[[4, 5], "town"] = ["Atlantis", "El Dorado"]
    frame.to_csv(tmp_path / "new.csv", index=False)
    note = f"town: 2 of {frame['town'].notna().sum()} cells are categories that train does not have (row 5: 'Atlantis')"
    done = predict(mixed, "mixed", tmp_path / "new.csv")
    assert (done.returncode, done.stderr) == (0, f"study: {note}\n")
    with pytest.warns(DataWarning, match="Atlantis"):
        Study.load("mixed", mixed / "home").predict(frame)


def test_a_column_of_missing_cells_is_neither_said_nor_refused(mixed: Path) -> None:
    made = Study.load("mixed", mixed / "home").predict(rows().assign(height=None, smoker=None, seen="NA", town=""))
    assert made["prediction"].notna().all()


@pytest.mark.slow
def test_a_file_is_read_as_the_training_file_is_written(german: Path, tmp_path: Path) -> None:
    """By itself, the one row would be taken for a header, and 1,80 for two cells."""
    frame = rows("german")
    one = frame[:1].assign(Kinder=2, Stadt="Wien")
    study = Study.load("german", german / "home")
    KINDS["german"].write(one.astype({"Größe": float}), tmp_path / "one.csv")
    pd.testing.assert_frame_equal(study.predict(tmp_path / "one.csv"), study.predict(one), check_exact=False)
    # The first thousand rows have whole numbers, so the decimal mark cannot be found in the head of the file.
    long = pd.concat([frame.assign(Größe=2)] * 50 + [one], ignore_index=True)
    KINDS["german"].write(long, tmp_path / "long.csv")
    (tmp_path / "long.csv").write_text((tmp_path / "long.csv").read_text().replace(f"\n{one['Größe'][0]};", "\n1,8;"))
    made = study.predict(tmp_path / "long.csv")
    pd.testing.assert_frame_equal(made[-1:].reset_index(drop=True), study.predict(one.assign(Größe=1.8)))


@pytest.mark.slow
def test_a_file_that_is_written_in_another_way_is_read_as_it_is_and_says_so(german: Path, tmp_path: Path) -> None:
    frame = rows("german")
    frame.to_csv(tmp_path / "commas.csv", index=False)
    done = predict(german, "german", tmp_path / "commas.csv")
    assert done.returncode == 0
    assert "study: format differs from that of the training file: commas.csv: encoding utf-8" in done.stderr
    KINDS["german"].write(frame, tmp_path / "same.csv")
    text = (tmp_path / "same.csv").read_text()
    (tmp_path / "same.csv").write_text("\n".join(line.replace(".", ",", 1) for line in text.splitlines()))
    same = predict(german, "german", tmp_path / "same.csv")
    assert (same.stdout, same.stderr) == (done.stdout, "")


@pytest.mark.slow
def test_zeros_in_front_are_refused_in_a_frame_and_kept_in_text(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = made_once(tmp_path_factory, "codes", lambda folder: make_study(folder, "codes"))
    study = Study.load("codes", folder / "home")
    file = folder / "codes.csv"
    with pytest.raises(UserError, match=r"the table: column 'postcode' contains numbers, .* '01234'.*dtype=str"):
        study.predict(pd.read_csv(file))
    by_file = study.predict(file)
    pd.testing.assert_frame_equal(study.predict(pd.read_csv(file, dtype=str)), by_file)
    named = pd.read_csv(file, dtype={"postcode": str, "version": str})
    assert named["roof"].isna().any()
    pd.testing.assert_frame_equal(study.predict(named), by_file)


@pytest.mark.slow
def test_cells_of_the_test_rows_are_said_and_a_whole_column_is_refused(mixed: Path, tmp_path: Path) -> None:
    spec = (mixed / "mixed.toml").read_text().replace('target = "y"', 'target = "y"\ntest = "test.csv"')
    frame = KINDS["mixed"].frame().astype(object)
    KINDS["mixed"].write(frame, tmp_path / "mixed.csv")
    (tmp_path / "mixed.toml").write_text(spec)
    for values, code in (("x", 2), ([None, "x", *frame["height"][2:]], 0)):
        home = tmp_path / f"home-{code}"
        KINDS["mixed"].write(frame.assign(height=values, town="Atlantis"), tmp_path / "test.csv")
        done = run_study("run", tmp_path / "mixed.toml", "--jobs", 1, "--no-tracking", "--home", home)
        assert done.returncode == 0, done.stderr
        done = run_study("finalize", "mixed", "--home", home)
        assert done.returncode == code
        if code:
            assert "mixed.csv [test]: height: 120 of 120 cells are not numbers (row 1: 'x'); write" in done.stderr
        else:
            assert "test rows: height: 1 of " in done.stdout
            assert "test rows: town: 120 of 120 cells are categories that train does not have" in done.stdout
