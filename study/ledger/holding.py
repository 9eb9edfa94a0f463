"""The lock on a study: only one process at a time may write to it, on any machine. Reading needs no lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.state import TEMPORARY, write_whole
from study.errors import UserError
from study.ledger import lock, postgres
from study.ledger.home import StudyFolder

if TYPE_CHECKING:
    from study.ledger.postgres import Connection


@contextmanager
def hold(folder: StudyFolder, name: str) -> Iterator["Connection | None"]:
    """Hold the lock on a study for the duration of the block; yield the `held` argument of its `Ledger`.

    The folder is locked and, if the ledger is in a database, so is the study in the database.

    Raises:
        UserError: another process holds the lock, the folder belongs to another study, or the database reports an
            error.
    """
    if folder.storage is None:
        if folder.owner.exists() and not folder.ledger.exists():
            raise UserError(
                f"{folder.path}: this folder belongs to a study whose ledger is in a database; "
                "pass its --storage, or use another name or --home"
            )
        with lock.hold(folder.lease, name):
            _forget_unfinished(folder)
            yield None
        return
    if folder.ledger.exists():
        raise UserError(
            f"{folder.path}: this folder belongs to a study whose ledger is a file; "
            "omit --storage, or use another name or --home"
        )
    with postgres.hold(folder.storage, name) as connection, lock.hold(folder.lease, name):
        _forget_unfinished(folder)
        yield connection


def _forget_unfinished(folder: StudyFolder) -> None:
    """Delete the temporary files of a process that died while writing; only the holder of the lock writes there."""
    for place in folder.held:
        for path in place.rglob(f".*{TEMPORARY}"):
            path.unlink(missing_ok=True)


def is_held(folder: StudyFolder, name: str) -> bool:
    """Return whether a live process holds the lock on a study."""
    return lock.is_held(folder.lease) if folder.storage is None else postgres.is_held(folder.storage, name)


def own(folder: StudyFolder, uid: str) -> None:
    """Mark the folder as this study's if the ledger is in a database, or check that it is.

    Raises:
        UserError: the folder belongs to another study of the same name, perhaps in another database.
    """
    if folder.storage is None:
        return
    if not folder.owner.exists():
        write_whole(folder.owner, uid.encode())
    elif folder.owner.read_bytes() != uid.encode():
        raise UserError(
            f"{folder.path}: this folder belongs to another study of the same name, whose ledger is elsewhere; "
            "use another --home or another name"
        )
