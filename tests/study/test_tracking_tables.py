"""Runs inserted into the tables of MLflow are, row by row, those of its client; a kept schema makes the same store."""

import re
import shutil
import sqlite3
from pathlib import Path

import mlflow
import pytest
from support.mlflow_server import assert_whole

from study import _compat
from study.ledger.home import Home
from study.tracking import bulk_insert, store
from study.tracking.store import make_store
from study.tracking.sync import sync

Content = dict[str, list[tuple[object, ...]]]


def content_of(home: Path) -> Content:
    """Return all rows of all tables, with names in place of what is drawn at random, and without today's times."""
    with sqlite3.connect(home / "mlflow.db") as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        runs = dict(database.execute("SELECT run_uuid, value FROM tags WHERE key = 'mlflow.runName'"))
        datasets = dict(database.execute("SELECT dataset_uuid, name FROM datasets"))
        inputs = {
            row[0]: f"input of {runs[row[1]]}: {datasets[row[2]]}"
            for row in database.execute("SELECT input_uuid, destination_id, source_id FROM inputs")
        }
        known = {**runs, **datasets, **inputs}

        def plain(value: object) -> object:
            if not isinstance(value, str):
                return value
            value = re.sub(r"[0-9a-f]{32}", lambda found: known.get(found[0], found[0]), value)
            return value.replace(str(home), "HOME")

        # A digest of what the parent shows, links to runs among it.
        database.execute("UPDATE tags SET value = '' WHERE key = 'study.shown'")
        content = {}
        for name in names:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({name})")]
            kept = [column for column in columns if name != "experiments" or not column.endswith("_time")]
            rows = database.execute(f"SELECT {', '.join(kept)} FROM {name}")  # noqa: S608 - the names are the database's own
            content[name] = sorted((tuple(plain(value) for value in row) for row in rows), key=repr)
        database.rollback()
    return content


def ledger_in(folder: Path, finished: Path) -> Path:
    """Return a home with the ledger of the finished study and no store."""
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("mlflow.db", "artifacts", "exports.json"))
    return folder


@pytest.mark.slow
def test_rows_are_those_of_the_client(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_tables, by_client = (ledger_in(tmp_path / name, finished) for name in ("tables", "client"))
    sync(Home(by_tables), "small")
    monkeypatch.setattr("study.tracking.projection.open_tables", lambda *_: None)
    sync(Home(by_client), "small")
    inserted, logged = content_of(by_tables), content_of(by_client)
    assert inserted.keys() == logged.keys()
    assert len(inserted["runs"]) == 13
    for name in inserted:
        assert inserted[name] == logged[name], name
    assert_whole(by_tables)
    assert_whole(by_client)


@pytest.mark.slow
def test_tables_that_are_not_known_are_left_to_the_client(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_compat, "is_usable", lambda part: part != "tables of MLflow")
    home = ledger_in(tmp_path / "home", finished)
    monkeypatch.setattr(bulk_insert.RunTables, "begin", None)
    sync(Home(home), "small")
    assert_whole(home)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kept",
    ["sound", "torn", *(pytest.param(kept, marks=pytest.mark.exhaustive) for kept in ("none", "other", "a folder"))],
)
def test_a_new_store_is_the_same_whatever_was_kept(
    kept: str, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "cache" / "study" / f"mlflow-{mlflow.__version__}.db"
    place.parent.mkdir(parents=True)
    if kept == "sound":
        make_store(Home(_folder(tmp_path / "first")))
        monkeypatch.setattr(mlflow, "MlflowClient", None)
    elif kept == "torn":
        place.write_bytes(empty_store.read_bytes()[:200_000])
    elif kept == "other":
        place.write_text("no database")
    elif kept == "a folder":
        place.mkdir()
    home = _folder(tmp_path / "home")
    make_store(Home(home))
    there, expected = content_of(home), content_of(empty_store.parent)
    location = "file://HOME/artifacts/default"
    assert [row[2] for row in there["experiments"]] == [location]
    assert there == expected
    if kept != "a folder":
        assert store._is_sound(place)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
