"""A home that version 0.1 wrote is shown, gone on with, confirmed, finalized and synced.

`homes/version_0_1.zip` has two studies of iris: "going", stopped after 4 of 8 trials, and "done", confirmed and
finalized; beside them what version 0.1 said of "done", and the 8 trials that it gave "going".
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_iris
from support.command import run_study

ARCHIVE = Path(__file__).parent / "homes/version_0_1.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.unpack_archive(ARCHIVE, tmp_path)
    return tmp_path


@pytest.fixture
def expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return found


def answer(folder: Path, *words: object) -> Any:
    """Return what a command prints with --json."""
    done = run_study(*words, "--json", "--home", folder / "home")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_study_of_version_0_1_is_shown_as_it_was(folder: Path, expected: dict[str, Any]) -> None:
    shown = answer(folder, "show", "done")
    keys = ("params", "value", "fingerprint", "state")
    assert [{key: row[key] for key in keys} for row in shown["trials"]] == expected["done"]["trials"]
    assert (shown["confirmed"], len(shown["finalized"])) == (expected["done"]["confirmed"], 1)
    assert {line["name"] for line in answer(folder, "list")} == {"done", "going"}


def test_a_study_of_version_0_1_goes_on(folder: Path, expected: dict[str, Any]) -> None:
    ran = run_study("run", folder / "going.toml", "--home", folder / "home", "--jobs", 1, "--no-tracking")
    assert ran.returncode == 0, ran.stderr
    trials = answer(folder, "show", "going")["trials"]
    assert [row["params"] for row in trials] == [each["params"] for each in expected["going"]]
    assert [row["value"] for row in trials] == pytest.approx([each["value"] for each in expected["going"]], abs=1e-3)
    assert answer(folder, "confirm", "going", "--top", 2, "--seeds", 2, "--jobs", 1)["seeds"] == 2


@pytest.mark.slow
def test_a_model_of_version_0_1_predicts_and_is_followed_by_another(folder: Path, tmp_path: Path) -> None:
    flowers: pd.DataFrame = load_iris(as_frame=True).frame.drop(columns="target")
    table, predicted = tmp_path / "flowers.csv", tmp_path / "predicted.csv"
    flowers.rename(columns=lambda name: name.replace(" ", "_")).to_csv(table, index=False)
    words = ("predict", "done", table, "-o", predicted, "--home", folder / "home")
    done = run_study(*words)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(predicted)) == len(flowers)
    assert answer(folder, "finalize", "done", "--again")["times"] == 2
    assert run_study(*words).returncode == 0


@pytest.mark.slow
def test_a_study_of_version_0_1_is_synced_to_mlflow(folder: Path, expected: dict[str, Any]) -> None:
    assert answer(folder, "sync", "done")["written"] == len(expected["done"]["trials"])
