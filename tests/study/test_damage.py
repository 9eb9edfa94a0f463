"""Files that were changed behind our back: named in a line, and never read as something else."""

import contextlib
import fcntl
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.command import run_study
from support.confirmed_study import confirmed
from support.small_study import SMALL, show
from support.waiting import wait_for

from engine import Architecture, TrainingSettings, TrainingState, start
from engine.errors import DataError
from engine.worker_data import read_checked_data, read_data
from study.errors import UserError
from study.evaluation.retrain import read_predictions
from study.ledger import lock as lease
from study.ledger.holding import own
from study.ledger.home import Home, StudyFolder
from study.ledger.results import read_exports, summarize
from study.ledger.trial_artifact import DamagedError, read_result
from study.service.queue import Queue
from study.service.runner import Runner

FLIPS = 400


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Home:
    """A copy of the finished study."""
    shutil.copytree(finished / "studies", tmp_path / "home/studies")
    return Home(tmp_path / "home")


def flips(path: Path, count: int) -> Iterator[None]:
    """Flip one bit after another in a file, each time of the whole one, which is there again in the end."""
    whole, rng = path.read_bytes(), random.Random(0)
    for _ in range(count):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.unlink()  # whoever has mapped it keeps it
        path.write_bytes(damaged)
        yield
    path.write_bytes(whole)


def test_flipped_bits_in_the_file_of_a_trial_are_noticed(mine: Home) -> None:
    row = summarize(mine, "small").ranking()[0]
    path = mine.folder("small").result(row.number)
    truth, refused = read_result(path, row.fingerprint), 0
    for _ in flips(path, FLIPS):
        try:
            found = read_result(path, row.fingerprint)
        except DamagedError as error:
            refused += 1
            assert str(error).startswith(f"{path}: the file is damaged (")
            continue
        assert (found.layer_sizes, found.evaluations) == (truth.layer_sizes, truth.evaluations)
        for name in ("parameters", "curves", "dev_predictions"):
            for ours, theirs in zip(getattr(found, name), getattr(truth, name), strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert refused > FLIPS // 2


def test_flipped_bits_in_the_data_of_workers_are_noticed(mine: Home) -> None:
    folder = mine.folder("small").data
    truth = read_data(str(folder)).folds[0]
    for path in sorted(folder.iterdir()):
        for _ in flips(path, FLIPS // 5):
            read_data.cache_clear()
            try:
                found = read_checked_data(folder).folds[0]
            except DataError:
                continue
            np.testing.assert_array_equal(found.dev_X, truth.dev_X)
            np.testing.assert_array_equal(found.dev_Y, truth.dev_Y)
    read_data.cache_clear()


def test_flipped_bits_in_what_can_be_made_again_stop_nothing(mine: Home) -> None:
    path = mine.folder("small").exports
    for _ in flips(path, FLIPS):
        assert isinstance(read_exports(mine.folder("small")), dict)
    for content in (b"", b"[]", b"null", b"\xff", b'{"runs": 3}', b'{"runs": {"1": 2}}'):
        path.write_bytes(content)
        assert read_exports(mine.folder("small")) == {}


def test_one_damaged_trial_is_named_and_stops_nothing_but_its_comparison(mine: Home, finished: Path) -> None:
    best = show(mine.path)["best"]["number"]
    path = mine.folder("small").result(best)
    path.write_bytes(path.read_bytes()[:-50])
    spec = finished.parent / "small.toml"
    for command in (("show", "small"), ("show", "small", best), ("report", "small"), ("sync", "small"), ("run", spec)):
        done = run_study(*command, "--home", mine.path)
        assert done.returncode == 0, command
        assert command[0] == "run" or done.stderr.startswith(f"study: {path}: the file is damaged"), command
        assert done.stderr.count("\n") <= 1, command
    compared = run_study("compare", "small", best, 0, "--home", mine.path)
    assert (compared.returncode, compared.stderr.count("\n")) == (2, 1)
    assert f"study: {path}: the file is damaged" in compared.stderr


def test_damaged_data_of_workers_are_made_again_by_a_run(mine: Home, finished: Path) -> None:
    path = mine.folder("small").data / "dev_Y.0.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    compare = ("compare", "small", 0, 1, "--home", mine.path)
    done = run_study(*compare)
    assert done.returncode == 2
    assert done.stderr == f"study: {path.parent}: the data is damaged; rerun study 'small' to recreate it\n"
    assert run_study("run", finished.parent / "small.toml", "--home", mine.path, "--no-tracking").returncode == 0
    assert run_study(*compare).returncode == 0


@pytest.mark.slow
def test_flipped_bits_in_the_queue_never_change_a_study_unsaid(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    truth = {f"study-{number}": (f"name = {number}\n" + "é" * 200, {"t.csv": f"/{number}"}) for number in range(20)}
    queue = Queue(home)
    for name, (spec, links) in truth.items():
        queue.submit(name, spec, links)
    path, refused, unsound = home.path / "queue.db", 0, 0
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode = DELETE")
    for _ in flips(path, FLIPS):
        for beside in home.path.glob("queue.db-*"):
            beside.unlink()
        try:
            found = Queue(home).all()
        except UserError as error:
            refused += 1
            assert "is damaged" in str(error)
            continue
        unsound += sum(not each.sound for each in found)
        for each in found:
            assert not each.sound or each.name not in truth or (each.spec, each.links) == truth[each.name]
    assert refused > 0
    assert unsound > 0


@pytest.mark.slow
def test_damaged_submission_fails_and_the_next_one_runs(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    queue = Queue(home)
    first, _ = (queue.submit(name, f"name = '{name}'", {})[0] for name in ("first", "second"))
    with sqlite3.connect(home.path / "queue.db") as database:
        database.execute("UPDATE submissions SET spec = 'other' WHERE id = ?", [first.id])
    runner = Runner(queue, home, jobs=1, tracking=False)
    runner.start()
    wait_for(lambda: queue.find("second").state == "failed", "the second to have run")
    runner.stop()
    assert queue.find("first").message == "the entry in the queue is damaged; submit the study again"
    assert "first" not in queue.find("second").message
    assert not (home.path / "service" / "first").exists()


def test_flipped_bits_in_what_holds_a_study_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.0)
    path = tmp_path / "lease.json"
    path.write_text('{"host": "elsewhere", "pid": 12, "started": "2026-01-01 00:00:00"}')
    for _ in flips(path, FLIPS):
        assert not lease.is_held(path)
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(UserError, match="study 'small' is being run by"), lease.hold(path, "small"):
                pass


def test_folder_whose_owner_is_damaged_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "postgresql://nobody@nowhere/none")
    own(folder, "0123456789abcdef")
    own(folder, "0123456789abcdef")
    for _ in flips(folder.owner, FLIPS):
        with pytest.raises(UserError, match="belongs to another study of the same name"):
            own(folder, "0123456789abcdef")


@pytest.mark.slow
def test_flipped_bits_in_a_training_state_or_a_retrained_setting_are_noticed(tmp_path: Path) -> None:
    state = start(Architecture((2, 3, 1)), TrainingSettings(0.1, iterations=3), seeds=[1])
    state.save(tmp_path / "state.npz")
    for _ in flips(tmp_path / "state.npz", FLIPS):
        with contextlib.suppress(DataError):
            found = TrainingState.load(tmp_path / "state.npz")
            np.testing.assert_array_equal(found.parameters, state.parameters)
            assert found.settings == state.settings
    outcome = confirmed(SMALL, tmp_path, top=1, seeds=2)
    (path,) = Home(tmp_path).folder("small").confirm.glob("trial-*.npz")
    truth = read_predictions(path)
    for _ in flips(path, FLIPS):
        found = read_predictions(path)
        assert found is None or np.array_equal(found, truth)
    assert outcome.winner == int(path.stem.removeprefix("trial-"))


@pytest.mark.parametrize("damage", ["garbage", "cut", "zeros"])
@pytest.mark.slow
def test_damaged_queue_is_refused_in_a_line(tmp_path: Path, damage: str) -> None:
    home = Home(tmp_path / "home")
    home.make()
    queue = Queue(home)
    for number in range(200):
        queue.submit(f"study-{number}", "x" * 500, {})
    del queue
    path = home.path / "queue.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()
    path.write_bytes(
        {"garbage": b"garbage" * 1000, "cut": whole[:30_000], "zeros": whole[:9000] + b"\0" * 50_000}[damage]
    )
    with pytest.raises(UserError, match=r"queue\.db is damaged \(.*\); restore it from a backup or delete it"):
        Queue(home)
