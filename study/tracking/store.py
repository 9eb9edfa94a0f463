"""The store of MLflow's runs: the SQLite database in the home, or the one that MLFLOW_TRACKING_URI names."""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from engine.state import write_whole
from study.ledger.home import Home
from study.text.redaction import redact

log = logging.getLogger("study.tracking")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# With MLflow's defaults, a client retries for minutes while a server is down. Variables set by the user have priority.
_CLIENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def tracking_uri(home: Home) -> str:
    """Return MLFLOW_TRACKING_URI, or the URI of the SQLite store in the home."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home.mlflow_database}"


def is_database(uri: str) -> bool:
    """Return True if MLflow accesses the store directly by SQL, without a server."""
    return database_kind(uri) in _DATABASES


def database_kind(uri: str) -> str:
    """Return the kind of database of a URI without its driver, such as "sqlite" or "postgresql"."""
    return uri.partition(":")[0].partition("+")[0]


def make_store(home: Home) -> None:
    """Create MLflow's default store atomically, if it is used and does not exist.

    MLflow's migrations cannot be resumed after a crash, and fail if two processes run them at the same time. Therefore
    the schema is created under a temporary name, and linked to its final name once it is complete. If another process
    was faster, its store is used.

    Raises:
        OSError: if the existing file is not a store, or the store cannot be written.
    """
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return
    if home.mlflow_database.exists():
        with _opened(home.mlflow_database) as store:
            _bring_artifacts_home(store, home)
        return
    with tempfile.TemporaryDirectory(dir=home.path, prefix=".mlflow-") as folder:
        database = Path(folder) / "mlflow.db"
        _make_schema(database)
        with contextlib.closing(sqlite3.connect(database)) as connection, connection:
            # MLflow's "Default" experiment would store its artifacts in the current directory.
            if _has_column(connection, "experiments", "artifact_location"):
                default = (home.artifacts / "default").as_uri()
                connection.execute("UPDATE experiments SET artifact_location = ?", [default])
        with contextlib.suppress(FileExistsError):
            home.mlflow_database.hardlink_to(database)


def _bring_artifacts_home(store: sqlite3.Connection, home: Home) -> None:
    """Update the paths of artifacts, which are absolute in MLflow, in the store of a home that was moved or copied.

    The previous path is that of MLflow's "Default" experiment, as `make_store` wrote it.
    """
    from study._compat import MLFLOW_LOCATIONS

    if not _has_column(store, "experiments", MLFLOW_LOCATIONS["experiments"]):
        return  # an empty file, in which MLflow creates its tables
    row = store.execute("SELECT artifact_location FROM experiments WHERE experiment_id = 0").fetchone()
    known, here = str(row[0] if row else "").removesuffix("/default"), home.artifacts.as_uri()
    if known == here or not known.startswith("file:") or _is_same(known, home.artifacts):
        return
    with store:
        for table, column in MLFLOW_LOCATIONS.items():
            if not _has_column(store, table, column):
                continue  # a different version of MLflow, or not created yet
            store.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                [here, len(known) + 1, len(known) + 1, f"{known}/"],
            )
    log.warning("%s was moved or copied; the paths of its artifacts in MLflow were updated", home.path)


def _has_column(store: sqlite3.Connection, table: str, column: str) -> bool:
    return bool(store.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", [table, column]).fetchone())


def _is_same(address: str, folder: Path) -> bool:
    there = Path(url2pathname(urlsplit(address).path))
    return there.exists() and folder.exists() and there.samefile(folder)


def _make_schema(database: Path) -> None:
    """Create an empty store as a copy of a cached one, since MLflow's fifty migrations take a second."""
    import mlflow

    kept = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "study" / f"mlflow-{mlflow.__version__}.db"
    )
    if kept.is_file():
        shutil.copyfile(kept, database)
        if _is_sound(database):
            return
        database.unlink()
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments(max_results=1)
    with contextlib.suppress(OSError):  # without a cache, creating the next store takes a second again
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, database.read_bytes())


def _is_sound(database: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            return connection.execute("PRAGMA quick_check").fetchone() == ("ok",) and bool(
                connection.execute("SELECT count(*) FROM experiments").fetchone()[0]
            )
    except sqlite3.DatabaseError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store, or raise OSError if it is damaged or locked, since MLflow itself would retry for two minutes.

    It is opened for writing, because the transaction of a killed process must be rolled back first.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as database:
            database.execute("PRAGMA schema_version")
            yield database
    except sqlite3.DatabaseError as error:
        raise OSError(f"{path}: {error}") from error


def store_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that MLflow raises if its store does not respond, or responds with an error."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, RequestException, SQLAlchemyError, OSError)


def describe_error(error: Exception) -> str:
    """Return an exception of a store as one line without secrets."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return redact(first)[:300]


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Silence the log messages from MLflow and alembic, and disable telemetry, while the block runs."""
    for name, value in _CLIENT.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401 - importing it sets the levels of its loggers

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)  # the caller reports errors in one line
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
