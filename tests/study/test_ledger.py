"""The ledger: an ordinary Optuna study, whole after a torn line and after a round half applied."""

import json
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from study.home import StudyFolder
from study.ledger import RESULT, Ledger, TrialRecord, repair


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "a")


def ask(ledger: Ledger, value: float = 0.5) -> int:
    params, distributions = {"x": value}, {"x": FloatDistribution(0, 1)}
    return ledger.create(create_trial(state=TrialState.RUNNING, params=params, distributions=distributions))


DONE = TrialRecord(30, {10: 0.1, 30: 0.3}, "complete", [0.3], {"reason": None})


def test_it_is_read_by_optuna(folder: StudyFolder) -> None:
    ledger = Ledger(folder, "a", ["maximize"])
    assert ask(ledger) == 0
    ledger.commit(1, {0: DONE})
    study = optuna.load_study(study_name="a", storage=JournalStorage(JournalFileBackend(str(folder.ledger))))
    assert study.best_value == 0.3
    assert study.trials[0].params == {"x": 0.5}
    assert study.trials[0].intermediate_values == {10: 0.1, 30: 0.3}


def test_committing_twice_is_committing_once(folder: StudyFolder) -> None:
    ledger = Ledger(folder, "a", ["maximize"])
    ask(ledger)
    ledger.commit(1, {0: DONE})
    size = folder.ledger.stat().st_size
    assert Ledger(folder, "a").settle() == (1, {0: 30})
    assert folder.ledger.stat().st_size == size


def test_a_round_cut_off_at_any_line_is_finished_on_opening(folder: StudyFolder) -> None:
    ledger = Ledger(folder, "a", ["maximize"])
    ask(ledger), ask(ledger)
    before = folder.ledger.read_bytes().count(b"\n")
    ledger.commit(1, {0: DONE, 1: TrialRecord(20, {10: 0.4})})
    lines = folder.ledger.read_bytes().splitlines(keepends=True)
    whole = [(t.state, t.values, t.intermediate_values, t.user_attrs) for t in ledger.trials()]
    assert whole[0][3][RESULT] == {"reason": None}
    for cut in range(before + 1, len(lines)):  # the record is line `before`; what follows applies it
        folder.ledger.write_bytes(b"".join(lines[:cut]))
        reopened = Ledger(folder, "a")
        assert reopened.settle() == (1, {0: 30, 1: 20})
        assert [(t.state, t.values, t.intermediate_values, t.user_attrs) for t in reopened.trials()] == whole


def test_a_torn_tail_is_cut_off_at_every_byte(folder: StudyFolder) -> None:
    ledger = Ledger(folder, "a", ["maximize"])
    ask(ledger)
    whole = folder.ledger.read_bytes()
    last = whole.rfind(b"\n", 0, len(whole) - 1) + 1
    for size in range(last, len(whole)):
        folder.ledger.write_bytes(whole[:size])
        assert repair(folder) == size - last
        assert folder.ledger.read_bytes() == whole[:last]
        assert Ledger(folder, "a").trials() == []


def test_a_last_line_that_is_not_json_is_cut_off(folder: StudyFolder) -> None:
    Ledger(folder, "a", ["maximize"])
    whole = folder.ledger.read_bytes()
    folder.ledger.write_bytes(whole + b"\0\0\0\0\n")
    assert repair(folder) == 5
    assert [json.loads(line) for line in folder.ledger.read_bytes().splitlines()]


def test_a_whole_ledger_is_left_alone(folder: StudyFolder) -> None:
    assert repair(folder) == 0
    Ledger(folder, "a", ["maximize"])
    assert repair(folder) == 0
