"""The right to write to a study: one process has it at a time, on whatever machine; whoever only reads needs none."""

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
    """Hold a study while the block runs; yield what its `Ledger` is opened with.

    Both the folder and, where the ledger is in a database, the study there are held.

    Raises:
        UserError: another process has it; the folder is another study's; or the database refuses.
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
    """Delete the temporary files of a process that died while it wrote; only whoever holds the study writes there."""
    for place in folder.held:
        for path in place.rglob(f".*{TEMPORARY}"):
            path.unlink(missing_ok=True)


def is_held(folder: StudyFolder, name: str) -> bool:
    """Return whether a living process holds the study."""
    return lock.is_held(folder.lease) if folder.storage is None else postgres.is_held(folder.storage, name)


def own(folder: StudyFolder, uid: str) -> None:
    """Write into the folder whose it is, where the ledger is in a database, or check that it is this study's.

    Raises:
        UserError: it is that of another study of the same name, in another database perhaps.
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
