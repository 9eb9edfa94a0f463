"""Optuna's storage in PostgreSQL for a ledger: the database is checked first, and only one connection writes."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from study._compat import is_usable
from study.errors import DatabaseRefusedError
from study.ledger.postgres import connect, explain, has_tables, in_transactions, lock_of, say_refusals
from study.ledger.tables import Tables
from study.text.redaction import redact_address

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from study.ledger.postgres import Connection

_RESUME = "; once the database works again, rerun the command to resume.\nFinished work is kept."


def open_storage(address: str, held: "Connection | None") -> "BaseStorage":
    """Return the storage in the database. It is writable only with `held`, the connection from `hold`.

    Raises:
        UserError: `connect` or `has_tables` raises it; in any later operation, a reader could not reconnect.
        MachineError: in any later operation, the connection was lost or the database reported an error.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import StaticPool

    place = redact_address(address)

    if held is None:
        with connect(address) as connection:
            complete = has_tables(connection, address)
        options = {"creator": lambda: in_transactions(connect(address)), "pool_pre_ping": True}
    else:
        complete = has_tables(held, address)
        options = {"creator": lambda: in_transactions(held), "poolclass": StaticPool}
    with _making_tables(held) if held is not None and not complete else nullcontext():
        try:
            storage = RDBStorage(
                "postgresql+psycopg://",
                engine_kwargs=options,
                skip_compatibility_check=True,  # already checked above, before any write
                skip_table_creation=complete or held is None,
            )
        except (SQLAlchemyError, StorageInternalError) as error:
            why = getattr(error, "orig", None) or error.__cause__ or error
            raise DatabaseRefusedError(
                f"--storage {place}: {explain(why, address)}; ask a database administrator to create the tables"
            ) from None
    if held is None:
        weakref.finalize(storage, storage.engine.dispose)
    say_refusals(storage.engine, address, _RESUME)
    return Tables(storage, alone=held is not None) if is_usable("cache") else get_storage(storage)


@contextmanager
def _making_tables(connection: "Connection") -> Iterator[None]:
    """Hold the lock for creating tables, which several processes may attempt in an empty database."""
    connection.execute("SELECT pg_advisory_lock(%s)", [lock_of("")])
    try:
        yield
    finally:
        if not connection.closed:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(%s)", [lock_of("")])
            connection.commit()
