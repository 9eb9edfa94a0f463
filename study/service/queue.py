"""The queue of studies that were handed in: one SQLite file in the home, every change one transaction.

It survives whatever happens to the server: a study is queued, running, complete, failed or cancelled, and what was
running goes on when the server is back.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

ACTIVE = ("queued", "running")
ENDED = ("complete", "failed", "cancelled")
STATES = (*ACTIVE, *ENDED)
PATIENCE = 30.0  # seconds that one change waits for another

_TABLE = """
CREATE TABLE IF NOT EXISTS submissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT UNIQUE,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'complete', 'failed', 'cancelled')),
    spec TEXT NOT NULL,
    links TEXT NOT NULL,
    digest TEXT NOT NULL,
    submitted REAL NOT NULL,
    started REAL,
    ended REAL,
    message TEXT NOT NULL DEFAULT '',
    stopping INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS one_active ON submissions (name) WHERE state IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS by_name ON submissions (name, id);
"""
_OF_KEY = "SELECT id, state, digest FROM submissions WHERE key = ?"
_ACTIVE_OF_NAME = "SELECT id, state, digest FROM submissions WHERE name = ? AND state IN ('queued', 'running')"


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


_COLUMNS = ", ".join(field.name for field in fields(Submission))


class Queue:
    """The queue in a file, which is made where there is none. Any number of threads and processes may use it."""

    def __init__(self, path: Path, most: int = 1_000) -> None:
        self.path, self.most = path, most
        with closing(self._connect()) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_TABLE)

    def submit(self, name: str, spec: str, links: Mapping[str, str], key: str | None = None) -> tuple[Submission, bool]:
        """Put a study at the end; return it and whether it is new.

        The same key again, or the same spec under a name that waits or runs, gives the submission that is there.

        Raises:
            Taken: name or key belong to another spec.
            Full: too many wait.
        """
        kept = json.dumps(dict(sorted(links.items())))
        digest = hashlib.sha256(f"{spec}\0{kept}".encode()).hexdigest()
        with self._transaction() as database:
            for what, statement, value in (("key", _OF_KEY, key), ("name", _ACTIVE_OF_NAME, name)):
                row = database.execute(statement, (value,)).fetchone()
                if row is not None and row["digest"] != digest:
                    raise Taken(what)
                if row is not None:
                    return _one(database, row["id"]), False
            waiting = database.execute("SELECT count(*) FROM submissions WHERE state = 'queued'").fetchone()[0]
            if waiting >= self.most:
                raise Full
            made = database.execute(
                "INSERT INTO submissions (key, name, state, spec, links, digest, submitted) VALUES (?, ?, 'queued', ?, ?, ?, ?)",  # noqa: E501
                (key, name, spec, kept, digest, time.time()),
            )
            return _one(database, int(made.lastrowid or 0)), True

    def claim(self, busy: Callable[[str], bool]) -> Submission | None:
        """Make the first that waits, and is not busy elsewhere, running; return it, None where there is none."""
        with self._transaction() as database:
            for row in database.execute("SELECT id, name FROM submissions WHERE state = 'queued' ORDER BY id"):
                if not busy(row["name"]):
                    database.execute(
                        "UPDATE submissions SET state = 'running', started = ? WHERE id = ?", (time.time(), row["id"])
                    )
                    return _one(database, row["id"])
        return None

    def finish(self, number: int, state: str, message: str = "") -> None:
        """Say how a running one ended."""
        with self._transaction() as database:
            database.execute(
                "UPDATE submissions SET state = ?, ended = ?, message = ? WHERE id = ? AND state = 'running'",
                (state, time.time(), message, number),
            )

    def cancel(self, name: str) -> Submission | None:
        """Take one out that waits, or mark one that runs to be stopped; return it, None where neither is there."""
        with self._transaction() as database:
            row = database.execute(_ACTIVE_OF_NAME, (name,)).fetchone()
            if row is None:
                return None
            if row["state"] == "queued":
                database.execute(
                    "UPDATE submissions SET state = 'cancelled', ended = ? WHERE id = ?", (time.time(), row["id"])
                )
            else:
                database.execute("UPDATE submissions SET stopping = 1 WHERE id = ?", (row["id"],))
            return _one(database, row["id"])

    def running(self) -> list[Submission]:
        """Return what runs, or ran when the server died, in order."""
        return self._read("WHERE state = 'running' ORDER BY id")

    def latest(self) -> list[Submission]:
        """Return the last submission of each name, in the order they were handed in."""
        return self._read("WHERE id IN (SELECT max(id) FROM submissions GROUP BY name) ORDER BY id")

    def find(self, name: str) -> Submission | None:
        """Return the last submission of a name."""
        found = self._read("WHERE name = ? ORDER BY id DESC LIMIT 1", name)
        return found[0] if found else None

    def all(self) -> list[Submission]:
        """Return every submission there ever was, in order."""
        return self._read("ORDER BY id")

    def counts(self) -> dict[str, int]:
        """Return how many there are of each state."""
        with closing(self._connect()) as database:
            rows = database.execute("SELECT state, count(*) FROM submissions GROUP BY state").fetchall()
        return dict.fromkeys(STATES, 0) | dict(rows)

    def _read(self, where: str, *values: str) -> list[Submission]:
        with closing(self._connect()) as database:
            return [_from(row) for row in database.execute(f"SELECT {_COLUMNS} FROM submissions {where}", values)]  # noqa: S608 - constants of this module

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which nobody else writes; what the block did is kept whole or not at all."""
        with closing(self._connect()) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        database.row_factory = sqlite3.Row
        return database


def _one(database: sqlite3.Connection, number: int) -> Submission:
    return _from(database.execute(f"SELECT {_COLUMNS} FROM submissions WHERE id = ?", (number,)).fetchone())  # noqa: S608 - a constant


def _from(row: sqlite3.Row) -> Submission:
    values = dict(row)
    return Submission(**values | {"links": json.loads(values["links"]), "stopping": bool(values["stopping"])})
