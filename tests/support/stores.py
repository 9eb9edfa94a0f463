"""MLflow's store of a home, made once and given to others."""

import contextlib
import shutil
import sqlite3
from pathlib import Path


def give_store(empty_store: Path, home: Path) -> None:
    """Give a home, made where there is none, an empty store of its own."""
    home.mkdir(exist_ok=True)
    shutil.copy(empty_store, home)
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as store, store:
        store.execute("UPDATE experiments SET artifact_location = ?", [(home / "artifacts/default").as_uri()])
