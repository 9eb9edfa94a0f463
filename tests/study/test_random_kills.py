"""Commands on a finished study, killed at random moments: run once more, they end as if nothing had happened.

STUDY_TEST_KILLS says how often each is killed; with 40 give pytest `-o faulthandler_timeout=0` as well. Kills of
`study run` are in test_tracking_faults.py, of the service in test_service_server.py.
"""

import math
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from support.command import run_study
from support.killing import run_and_kill
from support.mlflow_server import assert_whole
from support.small_study import fingerprints
from support.stores import give_store

from study.ledger.home import Home
from study.ledger.ledger import Ledger

KILLS = int(os.environ.get("STUDY_TEST_KILLS", "10"))
COMMANDS = {
    "confirm": ("confirm", "table", "--top", 2, "--seeds", 2, "--jobs", 1),
    "recheck": ("recheck", "table", "--trials", 2, "--top", 1, "--seeds", 2, "--jobs", 1),
    "finalize": ("finalize", "table", "--again"),
    "report": ("report", "table"),
    "sync": ("sync", "table"),
}


def outcome(home: Path, command: str) -> Any:
    """Return what a command leaves, without what is measured by a clock."""
    if command == "report":
        return (home / "studies/table/report.html").read_text().count("<svg")
    attributes = Ledger(Home(home).folder("table"), "table").attributes
    if command == "finalize":
        last = attributes["finalized"][-1]
        return last["trial"], last["value"]
    if command in ("confirm", "recheck"):
        return [{**each, "seconds": None} for each in attributes[command]["candidates"]]
    return None


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", COMMANDS)
def test_command_killed_at_random_ends_as_if_nothing_had_happened(
    finalized: Path, empty_store: Path, tmp_path: Path, command: str
) -> None:
    trials = fingerprints(finalized / "home", "table")
    chance, longest, truth = random.Random(command), math.inf, None
    for kill in range(KILLS + 1):
        home = tmp_path / str(kill)
        give_store(empty_store, home)
        shutil.copytree(finalized / "home/studies", home / "studies")
        (home / "studies/table/exports.json").unlink()
        words = (*COMMANDS[command], "--home", home)
        started = time.monotonic()
        code = run_and_kill(words, longest * chance.random() if kill else None)
        if kill == 0:
            longest = time.monotonic() - started
        assert code == 0 or (kill and code == -signal.SIGKILL)
        assert run_study("show", "table", "--home", home).returncode == 0
        done = run_study(*words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        truth = truth or outcome(home, command)
        assert outcome(home, command) == truth
        assert fingerprints(home, "table") == trials
        assert run_study("sync", "table", "--home", home).returncode == 0
        assert_whole(home, name="table")
        shutil.rmtree(home)
