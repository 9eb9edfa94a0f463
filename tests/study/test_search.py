"""The search repeats: on one worker or two, and after being killed at any moment."""

import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.command import begin_process, read_until, run_study
from support.in_process import spec_with
from support.small_study import SMALL, fingerprints, show

from study.errors import UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.search.identity import check_identity, identify
from study.search.objective import network_seed, sampler_seed
from study.spec import parse_spec


def test_one_worker_gives_what_two_give(spec: Path, finished: Path, home: Path) -> None:
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert fingerprints(home) == fingerprints(finished)


@pytest.mark.slow
def test_a_study_killed_again_and_again_gives_the_same_trials(finished: Path, spec: Path, home: Path) -> None:
    moments = random.Random(0)
    command = ("run", spec, "--home", home, "--no-tracking", "--jobs", 1)
    for _ in range(3):
        process = begin_process(*command)
        read_until(process, "trial ")
        time.sleep(moments.random() * 0.1)  # where in a round it dies is chance; what comes out is not
        process.kill()
        process.communicate()
    done = run_study(*command)
    assert done.returncode == 0, done.stderr
    assert fingerprints(home) == fingerprints(finished)


@pytest.mark.slow
def test_a_torn_ledger_is_repaired_and_said(spec: Path, finished: Path, home: Path) -> None:
    run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1, "--trials", 12)
    ledger = home / "studies/small/ledger.log"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[: len(lines) // 2]) + lines[len(lines) // 2][:-7])
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert "the last line of the ledger was incomplete" in done.stdout
    assert fingerprints(home) == fingerprints(finished)


@pytest.mark.slow
def test_run_that_died_before_its_first_trial_is_resumed_and_shown(spec: Path, tmp_path: Path) -> None:
    first = ("run", spec, "--no-tracking", "--jobs", 1, "--trials", 1)
    assert run_study(*first, "--home", tmp_path / "whole").returncode == 0
    ledger = (tmp_path / "whole/studies/small/ledger.log").read_bytes().splitlines(keepends=True)
    begun = next(number for number, line in enumerate(ledger) if b'"op_code":4,' in line)  # Optuna creates a trial
    assert begun > 10
    for written in range(begun + 1):
        home = tmp_path / f"{written}"
        (home / "studies/small").mkdir(parents=True)
        (home / "studies/small/ledger.log").write_bytes(b"".join(ledger[:written]))
        for command in (("show", "small"), first):
            done = run_study(*command, "--home", home)
            assert "Traceback" not in done.stderr, f"{command[0]} after {written} lines: {done.stderr}"
        assert (done.returncode, done.stderr) == (0, "")
        assert fingerprints(home) == fingerprints(tmp_path / "whole")


def test_seeds_are_functions_of_study_seed_and_trial() -> None:
    seeds = {network_seed(s, t, r) for s in range(3) for t in range(50) for r in range(3)}
    assert len(seeds) == 3 * 50 * 3
    assert network_seed(0, 7) == network_seed(0, 7, 0)
    assert len({sampler_seed(s, t) for s in range(3) for t in range(50)}) == 150


def test_limits_may_change_and_what_a_trial_depends_on_may_not() -> None:
    identity = identify(parse_spec(SMALL, "small.toml"))
    for line in ("trials = 99", "work = 5", "timeout = 5", "stop_after = 5", "worker_memory = 500"):
        assert identify(parse_spec(spec_with(line), "small.toml")) == identity
    for line in ("seed = 1", "in_flight = 5", "warmup = 0.2"):
        assert identify(parse_spec(spec_with(line), "small.toml")) != identity


def test_a_key_that_an_earlier_version_did_not_have_was_not_set() -> None:
    spec = parse_spec(spec_with(data='source = "t.csv"'), "small.toml")
    now = identify(spec)
    known = {"identity": {key: value for key, value in now.items() if key != "[data] escape"}}
    known |= {"fingerprint": "f", "parts": {}}
    dataset: Any = SimpleNamespace(fingerprint="f")
    check_identity(known, spec, dataset, "small.toml")
    other = parse_spec(spec_with(data='source = "t.csv"\nescape = "!"'), "small.toml")
    with pytest.raises(UserError, match=r"\[data\] escape has changed"):
        check_identity(known, other, dataset, "small.toml")


def test_workers_see_train_and_dev_alone(finished: Path) -> None:
    files = sorted(path.name for path in (finished / "studies/small/data").iterdir())
    assert files == ["dev_X.0.npy", "dev_Y.0.npy", "digest", "train_X.0.npy", "train_Y.0.npy", "units.json"]
    assert np.load(finished / "studies/small/data/train_X.0.npy").shape == (2, 240)
    assert np.load(finished / "studies/small/data/dev_X.0.npy").shape == (2, 80)


def test_changed_data_is_not_continued(tmp_path: Path, home: Path) -> None:
    rows = [f"{i % 7},{i % 3},{'yes' if i % 2 else 'no'}" for i in range(60)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["a,b,target", *rows]) + "\n")
    spec = tmp_path / "small.toml"
    spec.write_text(SMALL.replace('"synthetic:planar_flower"', '"table.csv"'))
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1, "--trials", 2)
    assert done.returncode == 0, done.stderr
    table.write_text(table.read_text().replace("6,0,no", "5,0,no", 1))
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1)
    assert done.returncode == 2
    assert "'table.csv' has changed since study 'small' started" in done.stderr
    assert "give the study another name" in done.stderr


@pytest.mark.parametrize(("kept", "other"), [(1, "an older"), (99, "a newer")])
def test_a_ledger_of_another_format_is_not_continued_but_shown(
    tmp_path: Path, home: Path, kept: int, other: str
) -> None:
    spec = tmp_path / "small.toml"
    spec.write_text(SMALL)
    assert run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1, "--trials", 2).returncode == 0
    folder = Home(home).folder("small")
    Ledger(folder, "small").set(format=kept)
    before = folder.ledger.read_bytes()
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1, "--trials", 3)
    assert done.returncode == 2
    assert f"study 'small' was started by {other} version" in done.stderr
    assert "give the study another name" in done.stderr
    assert folder.ledger.read_bytes() == before
    assert len(show(home)["trials"]) == 2


@pytest.mark.slow
def test_the_default_study_is_near_97_percent_after_its_first_trials(tmp_path: Path, home: Path) -> None:
    whole = Path("experiments/digits.toml").read_text()
    short = tmp_path / "digits.toml"
    short.write_text(whole.partition("[confirm]")[0].replace("trials = 60", "trials = 12"))
    done = run_study("run", short, "--home", home, "--no-tracking")
    assert done.returncode == 0, done.stderr
    assert show(home, "digits")["best"]["value"] > 0.94


@pytest.mark.exhaustive
def test_the_default_study_finds_97_percent(home: Path) -> None:
    done = run_study("run", "experiments/digits.toml", "--home", home)
    assert done.returncode == 0, done.stderr
    assert len(fingerprints(home, "digits")) == 60
    assert show(home, "digits")["best"]["value"] > 0.97
