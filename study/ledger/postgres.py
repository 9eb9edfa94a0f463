"""A PostgreSQL database for ledgers: its address, its connections, checks of its tables, and the lock on a study.

Optuna's own storage reads and writes the ledgers (`study.ledger.storage`). This module adds one-line errors for a wrong
address, checks that leave the tables of other versions untouched, and a lock that is released when its holder dies.
"""

import hashlib
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from study.errors import DatabaseLostError, DatabaseRefusedError, StudyHeldError, UserError, needs_package
from study.text.redaction import is_percent_encoded, redact, redact_address

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow
    from sqlalchemy import Engine, ExceptionContext

    Connection = psycopg.Connection[TupleRow]

PATIENCE = 2.0  # seconds to wait for the server to notice that a holder has died
CONNECT_WITHIN = 10  # seconds, unless the address says otherwise
_KEEPALIVE = {"idle": 30, "interval": 10, "count": 3}  # releases the lock a minute after the holder's machine fails
_TABLES = ("alembic_version", "studies", "version_info")
_HOLDER = """
    SELECT application_name, to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS')
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = %s::bigint::oid AND objid = %s::bigint::oid
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_HELD = """
    SELECT classid::bigint, objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_LAST = """
    SELECT study_name, study_id, greatest(
        (SELECT max(a.xmin::text::bigint) FROM study_user_attributes AS a WHERE a.study_id = studies.study_id),
        (SELECT max(t.xmin::text::bigint) FROM trials AS t WHERE t.study_id = studies.study_id)
    )
    FROM studies JOIN study_user_attributes USING (study_id) WHERE key = 'format' ORDER BY study_name
"""
_OURS = """
    SELECT study_name FROM studies JOIN study_user_attributes USING (study_id) WHERE key = 'format'
"""


def storage_address(given: str | None) -> str | None:
    """Return the address of the database, which defaults to STUDY_STORAGE; None if ledgers are files of the home.

    Raises:
        UserError: the address is not one of PostgreSQL, or its user or password is not percent-encoded.
    """
    address = given or os.environ.get("STUDY_STORAGE")
    if not address:
        return None
    plain = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql://", address)
    option = f"{'--storage' if given else 'STUDY_STORAGE'} {redact_address(address)}"
    if not plain.startswith("postgresql://"):
        raise UserError(f"{option}: not a PostgreSQL address; expected one such as postgresql://user@host:5432/studies")
    if not is_percent_encoded(plain):
        raise UserError(
            f"{option}: the user or password contains a character that must be percent-encoded; write %20 for a "
            "space, %40 for @, %2F for /, %25 for %"
        )
    return plain


def for_optuna(address: str) -> str:
    """Return the address in the form that Optuna's own programs need, including its secrets."""
    return address.replace("postgresql://", "postgresql+psycopg://", 1)


def connect(address: str) -> "Connection":
    """Return a connection in autocommit mode.

    Raises:
        UserError: psycopg is not installed, or the database refuses the connection.
    """
    try:
        import psycopg
    except ImportError:
        raise needs_package("--storage", "psycopg[binary]") from None
    # psycopg logs a warning if the connection is lost during a pipeline; the error itself is reported by its caller.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    try:
        options = psycopg.conninfo.conninfo_to_dict(address)
        options.setdefault("connect_timeout", CONNECT_WITHIN)
        options.setdefault("application_name", _name_of_this_process())
        return psycopg.connect(autocommit=True, **options)  # type: ignore[arg-type]  # libpq options are strings
    except psycopg.Error as error:
        reason = f"--storage {redact_address(address)}: {explain(error, address)}"
        raise DatabaseRefusedError(f"{reason}; correct the address, or start the server") from None


def in_transactions(connection: "Connection") -> "Connection":
    """Return a connection without autocommit, as SQLAlchemy expects it."""
    if connection.autocommit:
        connection.autocommit = False
    return connection


def say_refusals(engine: "Engine", address: str, then: str = "") -> None:
    """Make the statements of an engine raise DatabaseLostError with a one-line message instead of SQLAlchemy's errors.

    Args:
        engine: a SQLAlchemy engine. Its IntegrityErrors, which mean that another process was faster, are not replaced.
        address: address of the database.
        then: text to append to the message.
    """
    from sqlalchemy import event
    from sqlalchemy.exc import IntegrityError

    def refused(context: "ExceptionContext") -> None:
        if context.is_pre_ping or isinstance(context.sqlalchemy_exception, IntegrityError):
            return
        if not isinstance(context.original_exception, Exception):  # Ctrl-C
            return
        reason = explain(context.original_exception, address)
        raise DatabaseLostError(
            f"the database at {redact_address(address)}: {reason}{then}"
        ) from context.original_exception

    event.listen(engine, "handle_error", refused)


@contextmanager
def _looking(address: str) -> Iterator["Connection"]:
    """Connect to the database for a query; report its errors in one line."""
    with connect(address) as connection:
        try:
            yield connection
        except _errors() as error:
            raise DatabaseRefusedError(f"--storage {redact_address(address)}: {explain(error, address)}") from None


def check(address: str) -> None:
    """Check that the database can contain ledgers, without writing to it.

    Raises:
        UserError: the database reports an error, or its tables are of another version.
    """
    with _looking(address) as connection:
        has_tables(connection, address)


def names(address: str) -> list[str]:
    """Return the names of the studies in the database, sorted, without those that other programs created.

    Raises:
        UserError: the database reports an error, or its tables are of another version.
    """
    with _looking(address) as connection:
        if not has_tables(connection, address):
            return []
        return sorted(name for (name,) in connection.execute(_OURS))


def versions(address: str) -> dict[str, tuple[int, int, bool]]:
    """Return (id, version, is locked) for each study in the database, with one query for all studies.

    The version is the number of the last transaction that wrote to the study. It always increases, since only one
    process at a time writes to a study.

    Raises:
        UserError: the database reports an error.
    """
    with _looking(address) as connection:
        if connection.execute("SELECT to_regclass('studies')").fetchone() == (None,):
            return {}
        held = set(connection.execute(_HELD))
        return {name: (number, last, tuple(_halves(name)) in held) for name, number, last in connection.execute(_LAST)}


def has_tables(connection: "Connection", address: str) -> bool:
    """Return whether the database has Optuna's tables in the installed version, without writing to it.

    Raises:
        UserError: the tables are of another version, or belong to another program.
    """
    from study._compat import check_optuna_tables

    check_optuna_tables()
    place = redact_address(address)
    try:
        query = "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relname = ANY(%s)"
        there = {name for (name,) in connection.execute(query, [list(_TABLES)])}
        if "studies" not in there:
            if "alembic_version" in there:
                raise UserError(
                    f"--storage {place}: the database contains tables of another program, such as MLflow; "
                    "use a separate database for ledgers"
                )
            return False
        query = "SELECT version_num FROM alembic_version"
        revision = connection.execute(query).fetchone() if "alembic_version" in there else None
        if revision is None:  # a process died while creating the tables; the next writer completes them
            return False
        library = connection.execute("SELECT library_version FROM version_info").fetchone()
    except _errors() as error:
        raise DatabaseRefusedError(f"--storage {place}: {explain(error, address)}") from None
    _check_revision(str(revision[0]), str(library[0]) if library else "unknown", place)
    return True


def _check_revision(revision: str, library: str, place: str) -> None:
    import optuna

    head, known = _revisions()
    if revision == head:
        return
    if revision in known:
        raise UserError(
            f"--storage {place}: the tables were created by an older version of Optuna ({library}); "
            "upgrade them with `optuna storage upgrade --storage ADDRESS`"
        )
    raise UserError(
        f"--storage {place}: the tables were created by a newer version of Optuna than the installed "
        f"{optuna.__version__}; upgrade Optuna"
    )


@cache
def _revisions() -> tuple[str, frozenset[str]]:
    """Return the table revision of the installed Optuna, and all revisions that it knows."""
    from optuna.storages import RDBStorage

    storage = RDBStorage("sqlite://")  # in memory, only for these queries
    try:
        return storage.get_head_version(), frozenset(storage.get_all_versions())
    finally:
        storage.engine.dispose()


@contextmanager
def hold(address: str, name: str) -> Iterator["Connection"]:
    """Hold the lock on a study for the duration of the block; yield the connection that holds it.

    Use only this connection to write. The lock belongs to it, so a process that loses the lock can no longer write.

    Raises:
        UserError: another process, which the message names, holds the lock; or `connect` or `has_tables` raises it.
    """
    with connect(address) as connection:
        has_tables(connection, address)
        for setting, value in _KEEPALIVE.items():
            connection.execute(f"SET tcp_keepalives_{setting} = {value}")
        deadline = time.monotonic() + PATIENCE
        while not _try_lock(connection, name):
            if time.monotonic() > deadline:
                raise StudyHeldError(
                    f"study {name!r} is being run by {_holder(connection, name)}; wait for it to end, or stop it first"
                )
            time.sleep(0.05)
        yield connection


def is_held(address: str, name: str) -> bool:
    """Return whether a live process holds the lock on a study."""
    with _looking(address) as connection:
        return connection.execute(_HOLDER, _halves(name)).fetchone() is not None


def _errors() -> type[Exception]:
    """Return the base class of psycopg's exceptions; psycopg must be installed."""
    import psycopg

    return psycopg.Error


def _try_lock(connection: "Connection", name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [lock_of(name)]).fetchone()
    return row is not None and bool(row[0])


def _holder(connection: "Connection", name: str) -> str:
    row = connection.execute(_HOLDER, _halves(name)).fetchone()
    if row is None or not row[0]:
        return "another process"
    return f"{row[0]} since {row[1]}" if row[1] else str(row[0])


def lock_of(name: str) -> int:
    """Return the lock number of a study; "" is the lock for creating tables."""
    return int.from_bytes(hashlib.sha256(f"study:{name}".encode()).digest()[:8], signed=True)


def _halves(name: str) -> list[int]:
    """Return the two halves of a study's lock number, as the server lists them."""
    return list(divmod(lock_of(name) % (1 << 64), 1 << 32))


def _name_of_this_process() -> str:
    """Return the name of this process that others see; the server stores 63 bytes."""
    return f"process {os.getpid()} on {socket.gethostname()}".encode("ascii", "replace")[:63].decode()


def explain(error: BaseException, address: str) -> str:
    """Return the server's or psycopg's error message in one line, without the secrets of the address."""
    lines = [line.strip(" \t-") for line in str(error).splitlines() if line.strip()]
    reason = next((line for line in lines if " failed: " in line), lines[0] if lines else type(error).__name__)
    reason = re.sub(r"^(FATAL|ERROR|PANIC):\s*", "", reason.rpartition(" failed: ")[2])
    return redact(reason, address)
