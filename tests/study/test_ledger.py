"""The ledger: an ordinary Optuna study, whole after a torn line and after a round half applied."""

import json
import random
import re
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from study.errors import UserError
from study.ledger.home import StudyFolder
from study.ledger.ledger import RESULT, Ledger, TrialRecord, repair


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
    for size in range(last, len(whole) - 1):
        folder.ledger.write_bytes(whole[:size])
        assert repair(folder) == size - last
        assert folder.ledger.read_bytes() == whole[:last]
        assert Ledger(folder, "a").trials() == []


@pytest.mark.parametrize("end", [b"", b"\x0b"])  # which one flipped bit makes of it
def test_only_the_end_of_the_last_line_is_lost_and_the_line_is_kept(folder: StudyFolder, end: bytes) -> None:
    ledger = Ledger(folder, "a", ["maximize"])
    ask(ledger)
    whole = folder.ledger.read_bytes()
    folder.ledger.write_bytes(whole[:-1] + end)
    assert len(Ledger(folder, "a").trials()) == 1
    assert repair(folder) == 0
    assert folder.ledger.read_bytes() == whole


@pytest.mark.parametrize("tail", [b'{"check":"12', b"\0" * 300, b"\0" * 300 + b"\n"])
def test_readers_pass_a_torn_tail_over_and_every_writer_cuts_it_off(folder: StudyFolder, tail: bytes) -> None:
    Ledger(folder, "a", ["maximize"]).set(first=1)
    with folder.ledger.open("ab") as file:
        file.write(tail)
    ledger = Ledger(folder, "a")
    assert ledger.attributes == {"first": 1}
    ledger.set(second=2)
    assert Ledger(folder, "a").attributes == {"first": 1, "second": 2}
    assert repair(folder) == 0


def test_flipped_bits_never_change_what_is_read(folder: StudyFolder) -> None:
    ledger = Ledger(folder, "a", ["maximize"])
    ask(ledger), ask(ledger, 0.25)
    ledger.commit(1, {0: DONE, 1: TrialRecord(20, {10: 0.4})})
    truth, whole = (ledger.trials(), ledger.attributes), folder.ledger.read_bytes()
    rng, refused = random.Random(0), 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        folder.ledger.write_bytes(damaged)
        try:
            found = Ledger(folder, "a")
        except UserError as error:
            refused += 1
            assert re.fullmatch(r".*ledger\.log: line \d+ is damaged; restore the file from a backup.*", str(error))
            continue
        assert (found.trials(), found.attributes) == truth
    assert refused > 390


def test_lines_of_before_the_checks_and_of_optuna_s_own_are_read(folder: StudyFolder) -> None:
    ledger = Ledger(folder, "a", ["maximize"])
    ask(ledger)
    lines = [json.loads(line) for line in folder.ledger.read_bytes().splitlines()]
    without = [{key: value for key, value in line.items() if key != "check"} for line in lines]
    folder.ledger.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in without))
    study = optuna.load_study(study_name="a", storage=JournalStorage(JournalFileBackend(str(folder.ledger))))
    study.set_user_attr("by", "optuna")
    Ledger(folder, "a").commit(1, {0: DONE})
    assert Ledger(folder, "a").attributes["by"] == "optuna"
    assert Ledger(folder, "a").trials()[0].value == 0.3


@pytest.mark.parametrize("content", [b"nonsense\n", b'{"op_code":12}\n', b'{"op_code":"x"}\n', b"\xff\xfe\n"])
def test_what_is_no_ledger_is_refused_in_a_line(folder: StudyFolder, content: bytes) -> None:
    folder.path.mkdir()
    folder.ledger.write_bytes(content)
    with pytest.raises(UserError, match=r"ledger\.log: .*damaged.*; restore .* from a backup"):
        Ledger(folder, "a")


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
