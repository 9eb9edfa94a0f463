"""The queue of studies that were handed in: one table, every change one transaction.

It is a file of the home, or lies in the database that has the ledgers, where any number of servers share it (see
`study.service.queue_table`). It survives whatever happens to a server: a study is queued, running, complete, failed or
cancelled, and what was running goes on when the server that ran it is back.
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


class Taken(Exception):  # noqa: N818 - what happened, which is no error of the queue's
    """Another submission has the name or the key; `what` is "name" or "key"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Full(Exception):  # noqa: N818 - as above
    """So many wait already."""


@dataclass(frozen=True)
class Submission:
    """One study as it was handed in.

    Attributes:
        id: the order in which they run.
        name: of the study.
        state: one of STATES.
        spec: TOML.
        links: data files by the name that the spec gives them.
        submitted, started, ended: seconds since 1970; None before.
        message: why it failed.
        stopping: whether it is to be cancelled.
        sound: whether spec and links are what was handed in; the file may have been damaged.
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
    """The queue of a home, which is made where there is none. Any number of threads and processes may use it.

    Args:
        home: where studies live; the queue is in its database, or else a file there.
        most: how many may wait.

    Raises:
        UserError: the database refuses. MachineError later on, where it is lost.
    """

    def __init__(self, home: Home, most: int = 1_000) -> None:
        self.most = most
        self._place = open_place(home)
        self._table = self._place.table
        names = (field.name for field in fields(Submission) if field.name != "sound")
        self._columns = [self._table.c[name] for name in (*names, "digest")]

    def submit(self, name: str, spec: str, links: Mapping[str, str], key: str | None = None) -> tuple[Submission, bool]:
        """Put a study at the end; return it and whether it is new.

        The same key again, or the same spec under a name that waits or runs, gives the submission that is there.

        Raises:
            Taken: name or key belong to another spec.
            Full: too many wait.
        """
        table, kept = self._table, json.dumps(dict(sorted(links.items())))
        digest = _digest(spec, kept)
        same = {} if key is None else {"key": table.c.key == key}
        same["name"] = self._is_active(name)
        # One at a time, so that they are seen by whoever claims in the order of their numbers.
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
        """Make the first that waits, and is not to be left for now, running; return it, None where there is none."""
        with self._transaction() as database:
            for submission in self._waiting(database):
                if not is_left(submission):
                    return self._change(
                        database, submission.id, state="running", started=time.time(), owner=self._place.owner
                    )
        return None

    def finish(self, number: int, state: str, message: str = "") -> None:
        """Say how a running one ended."""
        table = self._table
        running = (table.c.id == number) & (table.c.state == "running")
        said = message.replace("\0", "")  # which PostgreSQL does not take
        with self._transaction() as database:
            database.execute(update(table).where(running).values(state=state, ended=time.time(), message=said))

    def put_back(self, number: int) -> None:
        """Let a running one wait again, in its old place."""
        table = self._table
        running = (table.c.id == number) & (table.c.state == "running")
        with self._transaction() as database:
            database.execute(update(table).where(running).values(state="queued", started=None, owner=""))

    def cancel(self, name: str, is_held: Callable[[str], bool]) -> Submission | None:
        """Take one out that waits, or mark one that runs to be stopped; return it, None where neither is there.

        Args:
            name: of the study.
            is_held: whether a process runs it; one that another server ran, and nobody does now, is taken out at once.
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
        """Return what this server runs, or ran when it died, in order."""
        own = (self._table.c.state == "running") & (self._table.c.owner == self._place.owner)
        return self._read(self._select().where(own))

    def latest(self) -> list[Submission]:
        """Return the last submission of each name, in the order they were handed in."""
        last = select(func.max(self._table.c.id)).group_by(self._table.c.name)
        return self._read(self._select().where(self._table.c.id.in_(last)))

    def find(self, name: str) -> Submission | None:
        """Return the last submission of a name."""
        last = select(func.max(self._table.c.id)).where(self._table.c.name == name)
        found = self._read(self._select().where(self._table.c.id == last.scalar_subquery()))
        return found[0] if found else None

    def all(self) -> list[Submission]:
        """Return every submission there ever was, in order."""
        return self._read(self._select())

    def counts(self) -> dict[str, int]:
        """Return how many there are of each state."""
        counted = select(self._table.c.state, func.count().label("number")).group_by(self._table.c.state)
        with self._place.engine.connect() as database:
            return dict.fromkeys(STATES, 0) | {row.state: row.number for row in database.execute(counted)}

    def _waiting(self, database: Connection) -> Iterator[Submission]:
        """Give those that wait, in order, each locked when it is given; what others look at is passed over."""
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
        """Give a connection; what the block changes on it is kept whole or not at all."""
        with self._place.engine.begin() as database:
            self._place.begin(database, alone=alone)
            yield database


def _digest(spec: str, links: str) -> str:
    return hashlib.sha256(f"{spec}\0{links}".encode()).hexdigest()


def _from(row: Row[tuple[object, ...]]) -> Submission:
    values = dict(row._mapping)
    sound = values.pop("digest") == _digest(row.spec, row.links)
    return Submission(**values | {"links": json.loads(row.links) if sound else {}, "sound": sound})
