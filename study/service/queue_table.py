"""The storage of the queue: a table in the database of the ledgers, or a SQLite file in the home."""

import os
import sqlite3
import uuid
import weakref
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Double,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    false,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from study.errors import UserError
from study.ledger.home import Home
from study.ledger.postgres import connect, explain, in_transactions, lock_of, say_refusals
from study.text.redaction import redact_address

ACTIVE = ("queued", "running")
ENDED = ("complete", "failed", "cancelled")
STATES = (*ACTIVE, *ENDED)
PATIENCE = 30.0  # seconds for which a change waits for another one
IN_FILE, IN_DATABASE = "submissions", "study_submissions"
_IS_ACTIVE = text("state IN ('queued', 'running')")
_TABLES = lock_of("")  # shared by everything that creates tables
_SUBMIT = lock_of("(submit)")  # not a valid name of a study


@dataclass(frozen=True)
class Place:
    """The storage of submissions. `owner` identifies this server among those that share the table."""

    engine: Engine
    table: Table
    owner: str

    def begin(self, database: Connection, *, alone: bool) -> None:
        """Begin a transaction. A file is locked for other writers, while a database locks individual rows.

        Args:
            database: connection of the engine.
            alone: exclude other transactions that also set this flag.
        """
        if self.engine.dialect.name == "sqlite":
            database.exec_driver_sql("BEGIN IMMEDIATE")
        elif alone:
            _lock(database, _SUBMIT)


def open_place(home: Home) -> Place:
    """Return the storage of a home's queue and create it if it does not exist.

    Raises:
        UserError: if the database refuses access, or its table of this name has other columns. Later calls raise
            MachineError if the database is lost.
    """
    if home.storage is not None:
        return _open_database(home.storage, _identity(home))
    return _open_file(home.path / "queue.db")


def _open_file(path: Path) -> Place:
    # With isolation_level None, the driver leaves it to `Place.begin` to start transactions.
    options = {"timeout": PATIENCE, "isolation_level": None}
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args=options, poolclass=NullPool)
    event.listen(engine, "connect", _read_any_text)
    table = _table(IN_FILE)
    try:
        with engine.connect() as database:
            database.exec_driver_sql("PRAGMA journal_mode = WAL")
            found = database.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if found != "ok":
                raise _damaged(path, str(found))
            database.exec_driver_sql("BEGIN IMMEDIATE")
            table.metadata.create_all(database)
            if "owner" not in _columns(database, table):  # created by a version without shared queues
                database.exec_driver_sql(f"ALTER TABLE {IN_FILE} ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
            database.commit()
    except DatabaseError as error:
        if isinstance(error, OperationalError):  # the file is locked, or the disk is full
            raise
        raise _damaged(path, str(error.orig)) from None
    return Place(engine, table, "")


def _read_any_text(connection: sqlite3.Connection, _record: object) -> None:
    """Decode invalid UTF-8, which occurs in damaged entries, without an error; their digest does not match then."""
    connection.text_factory = lambda content: content.decode(errors="replace")


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is damaged ({why.splitlines()[0]}); restore it from a backup or delete it. Deleting it loses the "
        "queued submissions, but no studies"
    )


def _open_database(address: str, owner: str) -> Place:
    place, table = redact_address(address), _table(IN_DATABASE)
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: in_transactions(connect(address)),
        pool_pre_ping=True,
        pool_timeout=PATIENCE,
    )
    found = Place(engine, table, owner)
    weakref.finalize(found, engine.dispose)
    try:
        with engine.begin() as database:
            _lock(database, _TABLES)
            table.metadata.create_all(database)
            missing = set(table.columns.keys()) - _columns(database, table)
    except SQLAlchemyError as error:
        why = getattr(error, "orig", None) or error
        raise UserError(
            f"--storage {place}: {explain(why, address)}; "
            f"ask a database administrator to create the table {IN_DATABASE}"
        ) from None
    if missing:
        raise UserError(
            f"--storage {place}: table {IN_DATABASE} is from another version and lacks the columns "
            f"{', '.join(sorted(missing))}; use that version, or another database"
        )
    say_refusals(engine, address)
    return found


def _lock(database: Connection, number: int) -> None:
    """Acquire an advisory lock of the database and hold it until the transaction ends."""
    database.execute(select(func.pg_advisory_xact_lock(literal(number, BigInteger))))


def _identity(home: Home) -> str:
    """Return the identity by which a server recognizes its own submissions.

    It is stored in the home, so that it survives renaming the machine.
    """
    path = home.path / "service" / "id"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"id.{os.getpid()}")
        made.write_text(uuid.uuid4().hex)
        made.replace(path)
    return path.read_text()


def _columns(database: Connection, table: Table) -> set[str]:
    return {column["name"] for column in inspect(database).get_columns(table.name)}


def _table(name: str) -> Table:
    table = Table(
        name,
        MetaData(),
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("key", Text, unique=True),
        Column("name", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("spec", Text, nullable=False),
        Column("links", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("submitted", Double, nullable=False),
        Column("started", Double),
        Column("ended", Double),
        Column("message", Text, nullable=False, server_default=""),
        Column("stopping", Boolean, nullable=False, server_default=false()),
        Column("owner", Text, nullable=False, server_default=""),
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})"),
        sqlite_autoincrement=True,
    )
    Index(f"{name}_one_active", table.c.name, unique=True, postgresql_where=_IS_ACTIVE, sqlite_where=_IS_ACTIVE)
    Index(f"{name}_by_name", table.c.name, table.c.id)
    return table
