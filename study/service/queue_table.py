"""Where the queue is kept: a table of the database that has the ledgers, or else a SQLite file in the home."""

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
PATIENCE = 30.0  # seconds that one change waits for another
IN_FILE, IN_DATABASE = "submissions", "study_submissions"
_IS_ACTIVE = text("state IN ('queued', 'running')")
_TABLES = lock_of("")  # of all who make tables
_SUBMIT = lock_of("(submit)")  # which is no name of a study


@dataclass(frozen=True)
class Place:
    """Where submissions are kept. owner: which of the servers that share it this one is."""

    engine: Engine
    table: Table
    owner: str

    def begin(self, database: Connection, *, alone: bool) -> None:
        """Begin a change: in a file nobody else writes until its end, in a database rows are locked one by one.

        Args:
            database: a connection of the engine.
            alone: let nobody else who says so in between.
        """
        if self.engine.dialect.name == "sqlite":
            database.exec_driver_sql("BEGIN IMMEDIATE")
        elif alone:
            _lock(database, _SUBMIT)


def open_place(home: Home) -> Place:
    """Return where the queue of a home is, and make it where there is none.

    Raises:
        UserError: the database refuses, or has a table of this name that is another one. MachineError later on, where
            it is lost.
    """
    if home.storage is not None:
        return _open_database(home.storage, _identity(home))
    return _open_file(home.path / "queue.db")


def _open_file(path: Path) -> Place:
    # Without a level of its own the driver leaves the beginning of transactions to `Place.begin`.
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
            if "owner" not in _columns(database, table):  # of a queue made before it could be shared
                database.exec_driver_sql(f"ALTER TABLE {IN_FILE} ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
            database.commit()
    except DatabaseError as error:
        if isinstance(error, OperationalError):  # it is locked, or its disk is full
            raise
        raise _damaged(path, str(error.orig)) from None
    return Place(engine, table, "")


def _read_any_text(connection: sqlite3.Connection, _record: object) -> None:
    """Read text that is not UTF-8 too: of a damaged entry, which is then seen by its digest."""
    connection.text_factory = lambda content: content.decode(errors="replace")


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path}: is damaged ({why.splitlines()[0]}); bring a backup of it back, or remove it: what waits in it is "
        "then forgotten, and no study is lost"
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
            f"--storage {place}: {explain(why, address)}; have the table {IN_DATABASE} made by who may"
        ) from None
    if missing:
        raise UserError(
            f"--storage {place}: its table {IN_DATABASE} is of another version, without {', '.join(sorted(missing))}; "
            "serve with that version, or take another database"
        )
    say_refusals(engine, address)
    return found


def _lock(database: Connection, number: int) -> None:
    """Wait for a lock of the database and hold it until the transaction ends."""
    database.execute(select(func.pg_advisory_xact_lock(literal(number, BigInteger))))


def _identity(home: Home) -> str:
    """Return by what a server knows what it ran itself: a word in its home, which stays when the machine is renamed."""
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
