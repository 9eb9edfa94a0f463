"""MLflow's store of a home, which is created once and copied to other homes."""

import contextlib
import shutil
import sqlite3
from pathlib import Path


def give_store(empty_store: Path, home: Path) -> None:
    """Give a home its own empty store, and create the home if it does not exist."""
    home.mkdir(exist_ok=True)
    shutil.copy(empty_store, home)
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as store, store:
        store.execute("UPDATE experiments SET artifact_location = ?", [(home / "artifacts/default").as_uri()])
