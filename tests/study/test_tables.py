"""Rounds in PostgreSQL: the very rows that Optuna's own calls write, all of a round or nothing, in a few statements."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import optuna
import psycopg
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from psycopg.rows import dict_row
from sqlalchemy import event
from support.postgres import Server

from study.errors import MachineError
from study.ledger import holding
from study.ledger.home import StudyFolder
from study.ledger.ledger import Ledger, TrialRecord
from study.ledger.tables import Tables

TABLES = {"study_user_attributes", "trial_intermediate_values", "trial_user_attributes", "trial_values", "trials"}


@contextmanager
def opened(address: str, folder: Path, ways: tuple[str, ...] = ("maximize",)) -> Iterator[Ledger]:
    place = StudyFolder(folder, address)
    with holding.hold(place, "a") as held:
        yield Ledger(place, "a", ways, held)


def draw(x: float) -> FrozenTrial:
    params = {"x": x, "n": 3, "kind": "b"}
    kinds = {"x": FloatDistribution(0.1, 1, log=True), "n": IntDistribution(1, 5)}
    return create_trial(
        state=TrialState.RUNNING,
        params=params,
        distributions=kinds | {"kind": CategoricalDistribution(["a", "b"])},
        system_attrs={"drawn": [1, {"by": "hand"}]},
    )


def keep(ledger: Ledger) -> None:
    """Write all that a study writes: values of every kind, rungs, ends of every kind, and a round settled twice."""
    ledger.set(uid="1", spec={"a": [1.5, None]})
    ledger.set(spec={"a": 2})
    for k in range(5):
        ledger.create(draw(0.3 + 0.1 * k), k % 2)
    odd = {10: math.inf, 20: -math.inf, 30: math.nan, 40: 1e-300}
    ledger.commit(1, {k: TrialRecord(40, odd if k == 0 else {10: 0.1 * k}) for k in range(5)})
    paused = TrialRecord(50, {50: 0.5}, rung=50)
    complete = TrialRecord(60, {50: 0.2, 60: 0.4}, "complete", [0.4, -math.inf], {"reason": None}, sampler={"b": [1]})
    pruned = TrialRecord(60, {60: 0.1}, "pruned", [0.1, 2.0], {"reason": "é"}, sampler={"drawn": 2})
    ledger.commit(2, {0: complete, 1: paused, 2: pruned, 3: TrialRecord(50, {}, "failed", result={"reason": "lost"})})
    ledger.settle()
    ledger.resume(1, 1)
    ledger.create(draw(0.9))
    ledger.commit(3, {1: complete, 5: TrialRecord(10, {10: 0.5})})
    ledger.settle()


def rows_in(address: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table in the order in which they were written, without numbers of the rows' own."""
    rows = {}
    with psycopg.connect(address, row_factory=dict_row) as connection:
        tables = connection.execute("SELECT relname FROM pg_stat_user_tables ORDER BY 1").fetchall()
        for name in (table["relname"] for table in tables):
            found = connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()  # type: ignore[arg-type]  # noqa: S608
            own = next(iter(found[0])) if found and name not in ("studies", "trials", "alembic_version") else None
            rows[name] = [{key: value for key, value in row.items() if key != own} for row in found]
    return rows


def test_rows_are_those_that_optuna_writes(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # Optuna's times are UTC in the database, and local ones where it reads them
    time.tzset()
    try:
        ours, theirs = postgres.make_database(), postgres.make_database()
        with opened(ours, tmp_path / "ours", ("maximize", "minimize")) as ledger:
            keep(ledger)
            known = ledger.trials()
        with (
            mock.patch("study.ledger.storage.is_usable", lambda part: part != "cache"),
            opened(theirs, tmp_path / "theirs", ("maximize", "minimize")) as ledger,
        ):
            assert not isinstance(ledger.storage, Tables)
            keep(ledger)
        written, expected = rows_in(ours), rows_in(theirs)
        assert all(expected[name] for name in TABLES | {"trial_params", "trial_system_attributes", "study_directions"})
        for mine, other in zip(written["trials"], expected["trials"], strict=True):
            for key in ("datetime_start", "datetime_complete"):
                first, second = mine.pop(key), other.pop(key)
                assert (first is None) == (second is None)
                assert first is None or abs(first - second) < timedelta(minutes=1)
        assert written == expected
        # What the writer knows without reading is what Optuna reads.
        storage = optuna.storages.RDBStorage(ours.replace("postgresql:", "postgresql+psycopg:"))
        read = optuna.load_study(study_name="a", storage=storage).trials
        storage.engine.dispose()
        assert list(map(repr, known)) == list(map(repr, read))  # not by ==, to which NaN is not NaN
        assert read[0].datetime_start is not None
        assert abs(read[0].datetime_start - datetime.now()) < timedelta(minutes=1)
    finally:
        monkeypatch.undo()
        time.tzset()


FULL, CTRL_C = (psycopg.errors.DiskFull, MachineError), (KeyboardInterrupt, KeyboardInterrupt)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "fault", "raised"),
    [
        *((table, *FULL) for table in sorted(TABLES)),
        *(
            pytest.param(table, *CTRL_C, marks=() if table == "trial_values" else pytest.mark.exhaustive)
            for table in sorted(TABLES)
        ),
    ],
)
def test_a_round_is_one_transaction(
    storage: str, tmp_path: Path, table: str, fault: type[BaseException], raised: type[BaseException]
) -> None:
    record = TrialRecord(30, {10: 0.1, 30: 0.3}, "complete", [0.3], {"reason": None})
    with opened(storage, tmp_path / "a") as ledger:
        for _ in range(2):
            ledger.create(draw(0.5))
        assert isinstance(ledger.storage, Tables)

        def die(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            if f"{statement} ".startswith((f"INSERT INTO {table} ", f"UPDATE {table} ")):
                raise fault

        event.listen(ledger.storage.database.engine, "before_cursor_execute", die)
        with pytest.raises(raised):
            ledger.commit(1, {0: record, 1: record})
    reader = Ledger(StudyFolder(tmp_path / "a", storage), "a")
    assert "study:round" not in reader.attributes
    assert [(trial.state.name, trial.intermediate_values) for trial in reader.trials()] == [("RUNNING", {})] * 2
    with opened(storage, tmp_path / "a") as ledger:
        ledger.commit(1, {0: record, 1: record})
    assert [trial.value for trial in Ledger(StudyFolder(tmp_path / "a", storage), "a").trials()] == [0.3, 0.3]


def test_what_a_round_costs_does_not_hang_on_how_much_is_in_it(storage: str, tmp_path: Path) -> None:
    with opened(storage, tmp_path / "a") as ledger:
        assert isinstance(ledger.storage, Tables)
        statements: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            statements.append(statement)

        def count(step: Callable[[], object]) -> int:
            statements.clear()
            step()
            return len(statements)

        event.listen(ledger.storage.database.engine, "before_cursor_execute", note)
        ledger.trials()
        assert {count(lambda: ledger.create(draw(0.5))) for _ in range(10)} == {5}
        assert count(ledger.trials) == 0  # only this process writes: it knows what it wrote
        small = {0: TrialRecord(10, {10: 0.1}, "complete", [0.1])}
        large = {k: TrialRecord(990, {10 * i: 0.1 for i in range(1, 100)}, "complete", [0.1]) for k in range(1, 10)}
        assert count(lambda: ledger.commit(1, small)) == len(TABLES)
        assert count(ledger.trials) == 7  # one for each table of Optuna's, as often as a round is written
        assert count(lambda: ledger.commit(2, large)) == len(TABLES)
        assert len(ledger.trials()[9].intermediate_values) == 99
        event.remove(ledger.storage.database.engine, "before_cursor_execute", note)
