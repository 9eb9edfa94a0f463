"""Confirm, recheck and finalize killed at each step that changes a file: what is read afterwards belongs together."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.command import run_study
from support.confirmed_study import nobody
from support.killing import kill_at_each_step

from study.errors import UserError
from study.evaluation.confirm import confirm
from study.evaluation.recheck import recheck
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.model.finalize import finalize
from study.model.predict import predict_table
from study.text.records import json_value

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def home(finalized: Path, tmp_path: Path) -> Home:
    """A copy of the study of a table, in a folder of its own, before it was finalized."""
    home = Home(tmp_path / "home")
    shutil.copytree(finalized / "home/studies", home.studies)
    folder = home.folder("table")
    lines = folder.ledger.read_text().splitlines(keepends=True)
    begun = next(number for number, line in enumerate(lines) if '"user_attr":{"opening"' in line)
    folder.ledger.write_text("".join(lines[:begun]))
    shutil.rmtree(folder.final)
    return home


def attributes(home: Home) -> dict[str, Any]:
    return Ledger(home.folder("table"), "table").attributes


def figures(outcome: object) -> dict[str, Any]:
    """Return an outcome without what is measured by a clock."""
    plain: Any = json_value(outcome)
    for candidate in plain["candidates"]:
        del candidate["seconds"]
    return {key: value for key, value in plain.items() if key not in ("confirmed", "finalize")}  # of the answer alone


def kill_each(home: Home, work: Callable[[], object], check: Callable[[], None], every: int = 1) -> int:
    """Kill the work at each step on a fresh copy of the home; return how often."""
    kept = home.path.with_name("kept")
    shutil.copytree(home.path, kept)
    kills = 0
    for _ in kill_at_each_step(work, home.path, every):
        kills += 1
        check()
        shutil.rmtree(home.path)
        shutil.copytree(kept, home.path)
    return kills


def readable(home: Home) -> None:
    """Check that every command that only reads does."""
    for command in ("show", "list"):
        done = run_study(command, *(["table"] if command == "show" else []), "--home", home.path)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("confirm", 3),
        ("recheck", 7),
        pytest.param("confirm", 1, marks=pytest.mark.exhaustive),
        pytest.param("recheck", 1, marks=pytest.mark.exhaustive),
    ],
)
def test_killed_confirm_and_recheck_go_on_to_the_same_outcome(home: Home, name: str, every: int) -> None:
    options = {"top": 2, "seeds": 2, "jobs": 1, "said": nobody}
    work = {
        "confirm": partial(confirm, home, "table", **options),
        "recheck": partial(recheck, home, "table", trials=2, **options),
    }[name]
    shutil.copytree(home.path, home.path.with_name("before"))
    truth = figures(work())
    shutil.rmtree(home.path)
    home.path.with_name("before").rename(home.path)

    def check() -> None:
        readable(home)
        known = attributes(home).get(name)
        assert known is None or figures(known) == truth
        assert figures(work()) == truth
        assert figures(attributes(home)[name]) == truth
        left = [path for path in home.folder("table").path.rglob("*") if path.name.endswith(".tmp")]
        assert left == []

    assert kill_each(home, work, check, every) > 10


def test_killed_finalize_leaves_a_model_that_belongs_to_its_record(home: Home, finalized: Path) -> None:
    cells = pd.read_csv(finalized / "table.csv")

    def answers() -> list[float]:
        return list(predict_table(home, "table", cells)["probability_large"])

    shutil.copytree(home.path, home.path.with_name("before"))
    finalize(home, "table")
    truth = answers()
    shutil.rmtree(home.path)
    home.path.with_name("before").rename(home.path)
    seen = set()

    def check() -> None:
        readable(home)
        known = attributes(home).get("finalized", [])
        seen.add(len(known))
        if known:
            assert answers() == truth
        else:
            with pytest.raises(UserError, match="has no final model yet"):
                answers()
            assert finalize(home, "table").times == 1
            assert answers() == truth
        assert len(list(home.folder("table").final.iterdir())) == 2

    assert kill_each(home, partial(finalize, home, "table"), check) > 10
    assert seen == {0, 1}
