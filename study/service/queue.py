"""The queue of submitted studies: one table in which every change is a transaction.

The table is in a file of the home or in the database of the ledgers, where several servers can share it (see
`study.service.queue_table`). It survives crashes of the server. A submission is queued, running, complete, failed or
cancelled; a running study is resumed when the server that ran it is restarted.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from study.ledger.home import Home
from study.service.queue_table import ACTIVE, STATES, open_place


class Taken(Exception):  # noqa: N818 - a condition, not an error in the queue
    """Another submission has the same name or key; `what` is "name" or "key"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Full(Exception):  # noqa: N818 - a condition, not an error in the queue
    """The maximum number of submissions is already waiting."""


@dataclass(frozen=True)
class Submission:
    """One submitted study.

    Attributes:
        id: number of the submission; submissions run in this order.
        name: name of the study.
        state: one of STATES.
        spec: the spec as TOML.
        links: paths of the data files, by the names that the spec uses for them.
        submitted, started, ended: times in seconds since 1970; None if it has not happened yet.
        message: reason of the failure; "" if it did not fail.
        stopping: True if cancelling was requested.
        sound: True if spec and links match their digest; False if the entry is damaged.
    """

    id: int
    name: str
    state: str
    spec: str
    links: Mapping[str, str]
    submitted: float
    started: float | None
    ended: float | None
    message: str
    stopping: bool
    sound: bool


class Queue:
    """The queue of a home, created if it does not exist. Several threads and processes can use it.

    Args:
        home: home of the studies; the queue is in its database, or in a file of the home.
        most: maximum number of waiting submissions.

    Raises:
        UserError: if the database refuses access. Methods raise MachineError if the database is lost later.
    """

    def __init__(self, home: Home, most: int = 1_000) -> None:
        self.most = most
        self._place = open_place(home)
        self._table = self._place.table
        names = (field.name for field in fields(Submission) if field.name != "sound")
        self._columns = [self._table.c[name] for name in (*names, "digest")]

    def submit(self, name: str, spec: str, links: Mapping[str, str], key: str | None = None) -> tuple[Submission, bool]:
        """Append a study to the queue; return its submission and True if it is new.

        With a key that was used before, or the same spec as a queued or running study of this name, return the
        existing submission.

        Raises:
            Taken: if the name or the key belongs to another spec.
            Full: if too many submissions are waiting.
        """
        table, kept = self._table, json.dumps(dict(sorted(links.items())))
        digest = _digest(spec, kept)
        same = {} if key is None else {"key": table.c.key == key}
        same["name"] = self._is_active(name)
        # One submission at a time, so that they become visible to `claim` in the order of their ids.
        with self._transaction(alone=True) as database:
            for what, condition in same.items():
                row = database.execute(select(table).where(condition)).one_or_none()
                if row is not None and row.digest != digest:
                    raise Taken(what)
                if row is not None:
                    return self._one(database, row.id), False
            waiting = database.execute(select(func.count()).where(table.c.state == "queued")).scalar_one()
            if waiting >= self.most:
                raise Full
            new = {"key": key, "name": name, "spec": spec, "links": kept, "digest": digest}
            made = insert(table).values(**new, state="queued", submitted=time.time())
            return _from(database.execute(made.returning(*self._columns)).one()), True

    def claim(self, is_left: Callable[[Submission], bool]) -> Submission | None:
        """Mark the first waiting submission for which `is_left` is False as running and return it, or return None."""
        with self._transaction() as database:
            for submission in self._waiting(database):
                if not is_left(submission):
                    return self._change(
                        database, submission.id, state="running", started=time.time(), owner=self._place.owner
                    )
        return None

    def finish(self, number: int, state: str, message: str = "") -> None:
        """Record how a running submission ended."""
        table = self._table
        running = (table.c.id == number) & (table.c.state == "running")
        printable = message.replace("\0", "")  # PostgreSQL rejects NUL in text
        with self._transaction() as database:
            database.execute(update(table).where(running).values(state=state, ended=time.time(), message=printable))

    def put_back(self, number: int) -> None:
        """Return a running submission to its previous place in the queue."""
        table = self._table
        running = (table.c.id == number) & (table.c.state == "running")
        with self._transaction() as database:
            database.execute(update(table).where(running).values(state="queued", started=None, owner=""))

    def cancel(self, name: str, is_held: Callable[[str], bool]) -> Submission | None:
        """Cancel a queued submission, or mark a running one to be stopped; return it, or None if there is neither.

        Args:
            name: name of the study.
            is_held: returns True if a process runs the study; a study of another server that no process runs any
                longer is cancelled immediately.
        """
        table = self._table
        with self._transaction() as database:
            row = database.execute(select(table).where(self._is_active(name)).with_for_update()).one_or_none()
            if row is None:
                return None
            if row.state == "queued" or (row.owner != self._place.owner and not is_held(name)):
                return self._change(database, row.id, state="cancelled", ended=time.time())
            return self._change(database, row.id, stopping=True)

    def running(self) -> list[Submission]:
        """Return the submissions that this server runs, or ran when it died, in order."""
        own = (self._table.c.state == "running") & (self._table.c.owner == self._place.owner)
        return self._read(self._select().where(own))

    def latest(self) -> list[Submission]:
        """Return the latest submission of each name, in the order of submission."""
        last = select(func.max(self._table.c.id)).group_by(self._table.c.name)
        return self._read(self._select().where(self._table.c.id.in_(last)))

    def find(self, name: str) -> Submission | None:
        """Return the latest submission with this name."""
        last = select(func.max(self._table.c.id)).where(self._table.c.name == name)
        found = self._read(self._select().where(self._table.c.id == last.scalar_subquery()))
        return found[0] if found else None

    def all(self) -> list[Submission]:
        """Return all submissions, including ended ones, in order."""
        return self._read(self._select())

    def counts(self) -> dict[str, int]:
        """Return the number of submissions in each state."""
        counted = select(self._table.c.state, func.count().label("number")).group_by(self._table.c.state)
        with self._place.engine.connect() as database:
            return dict.fromkeys(STATES, 0) | {row.state: row.number for row in database.execute(counted)}

    def _waiting(self, database: Connection) -> Iterator[Submission]:
        """Yield the waiting submissions in order, each locked; skip those that other servers have locked."""
        table, last = self._table, 0
        while True:
            first = self._select().where((table.c.state == "queued") & (table.c.id > last)).limit(1)
            row = database.execute(first.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return
            yield _from(row)
            last = row.id

    def _is_active(self, name: str) -> ColumnElement[bool]:
        return (self._table.c.name == name) & self._table.c.state.in_(ACTIVE)

    def _select(self) -> Select[tuple[object, ...]]:
        return select(*self._columns).order_by(self._table.c.id)

    def _read(self, statement: Select[tuple[object, ...]]) -> list[Submission]:
        with self._place.engine.connect() as database:
            return [_from(row) for row in database.execute(statement)]

    def _one(self, database: Connection, number: int) -> Submission:
        return _from(database.execute(self._select().where(self._table.c.id == number)).one())

    def _change(self, database: Connection, number: int, **values: object) -> Submission:
        changed = update(self._table).where(self._table.c.id == number).values(**values)
        return _from(database.execute(changed.returning(*self._columns)).one())

    @contextmanager
    def _transaction(self, *, alone: bool = False) -> Iterator[Connection]:
        """Return a context manager that yields a connection and commits all changes made in the block, or none."""
        with self._place.engine.begin() as database:
            self._place.begin(database, alone=alone)
            yield database


def _digest(spec: str, links: str) -> str:
    return hashlib.sha256(f"{spec}\0{links}".encode()).hexdigest()


def _from(row: Row[tuple[object, ...]]) -> Submission:
    values = dict(row._mapping)
    sound = values.pop("digest") == _digest(row.spec, row.links)
    return Submission(**values | {"links": json.loads(row.links) if sound else {}, "sound": sound})
