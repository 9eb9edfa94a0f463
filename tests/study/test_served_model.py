"""The final model behind MLflow's scoring server, and as pyfunc: what `study predict` says, however rows are sent."""

import json
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.command import run_study
from support.kinds_of_tables import KINDS, make_study
from support.model_server import serving
from support.sharing import made_once

from study.errors import DataWarning, UserError

Made = Callable[[str], Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Made:
    """Give the folder of a kind of table: its study, finalized and in MLflow, and `new`, rows without a target."""

    def make_once(name: str) -> Path:
        def make(folder: Path) -> None:
            make_study(folder, name, empty_store)
            kind = KINDS[name]
            kind.write(kind.frame().drop(columns="y")[10:40], folder / f"new{kind.suffix}")

        return made_once(tmp_path_factory, f"served-{name}", make)

    return make_once


def predicted(folder: Path, name: str, out: Path) -> Any:
    """Return what `study predict` says of the new rows."""
    done = run_study("predict", name, folder / f"new{KINDS[name].suffix}", "--home", folder / "home", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    return pd.read_csv(out)["prediction"].to_numpy()


def as_read(folder: Path, name: str, tmp_path: Path) -> pd.DataFrame:
    """Return the new rows as pandas reads them from a CSV file."""
    kind = KINDS[name]
    if kind.suffix == ".csv":
        return pd.read_csv(folder / "new.csv", **kind.read)
    pd.read_parquet(folder / "new.parquet").to_csv(tmp_path / "new.csv", index=False)
    return pd.read_csv(tmp_path / "new.csv")


def load_pyfunc(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/home/mlflow.db")
    return mlflow.pyfunc.load_model(f"models:/{name}@champion")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in ("mixed", "codes") else pytest.param(name, marks=pytest.mark.exhaustive) for name in KINDS]
)
def test_every_way_in_gives_the_predictions_of_the_command(
    made: Made, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(name)
    expected = predicted(folder, name, tmp_path / "out.csv")
    assert len(np.unique(expected)) > 10
    frame = as_read(folder, name, tmp_path)
    np.testing.assert_allclose(load_pyfunc(folder, name, monkeypatch).predict(frame), expected, rtol=1e-6)
    split = json.loads(frame.to_json(orient="split"))
    records = json.loads(frame.to_json(orient="records"))
    with serving(folder / "home", name) as ask:
        table = frame.to_csv(index=False).encode()
        np.testing.assert_allclose(ask("text/csv", table), expected, rtol=1e-6)
        for key, rows in (("dataframe_split", split), ("dataframe_records", records), ("instances", records)):
            answers = ask("application/json", json.dumps({key: rows}).encode())
            np.testing.assert_allclose(answers, expected, rtol=1e-6, err_msg=key)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask("text/csv", b"height\n1\n")


@pytest.mark.slow
def test_pyfunc_warns_of_cells_that_do_not_fit_and_refuses_a_column_of_them(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made("mixed")
    model, frame = load_pyfunc(folder, "mixed", monkeypatch), as_read(folder, "mixed", tmp_path).astype(object)
    frame.loc[4, "height"] = "$170"
    with pytest.warns(
        DataWarning, match=r"height: 1 of \d+ cells is not a number \(row 5: '\$170'\) and is treated as missing"
    ):
        model.predict(frame)
    frame["children"] = "three"
    with pytest.raises(UserError, match=r"children: 30 of 30 cells are not numbers \(row 1: 'three'\)"):
        model.predict(frame)
