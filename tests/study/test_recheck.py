"""`study recheck`: the old best on the data as they are now, or on others."""

from pathlib import Path

import numpy as np
import pytest
from support.command import run_study
from support.confirmed_study import nobody, ran
from support.in_process import spec_with

from study.errors import UserError
from study.evaluation.recheck import recheck
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.recheck import OldBest, Recheck
from study.text.records import to_json

TABLE = 'source = "t.csv"'
LINE = "{ learning_rate = 0.5, iterations = 200, depth = 0 }"


def write(path: Path, xor: bool) -> Path:
    """Write a table whose classes a line parts, or four quadrants."""
    points = np.random.default_rng(int(xor)).standard_normal((300, 2))
    classes = points[:, 0] * points[:, 1] > 0 if xor else points[:, 0] + points[:, 1] > 0
    rows = (f"{a:.3f},{b:.3f},{int(c)}" for (a, b), c in zip(points, classes, strict=True))
    path.write_text("\n".join(["a,b,y", *rows]) + "\n")
    return path


def figures(outcome: Recheck) -> dict:
    plain = to_json(outcome)
    for candidate in plain["candidates"]:
        del candidate["seconds"]
    return plain


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a study of one setting, a network without hidden layers, on classes that a line parts."""
    write(tmp_path / "t.csv", xor=False)
    ran(spec_with(f"trials = 1\nenqueue = [{LINE}]", TABLE), tmp_path)
    return tmp_path


@pytest.mark.slow
def test_old_best_holds_on_the_same_data_for_any_number_of_jobs(home: Path) -> None:
    said: list[str] = []
    first = recheck(Home(home), "small", trials=3, top=1, seeds=3, jobs=1, said=said.append)
    assert "the same data as before" in said[0]
    assert first.holds
    assert first.same_data
    assert first.old_best == OldBest(name="trial-0", trial=0, value=pytest.approx(1, abs=0.1))
    assert first.candidates[0].name == "trial-0"
    assert first.candidates[0].params["depth"] == 0
    assert Home(home).names() == ["small"]
    place = Home(home).folder("small")
    assert Ledger(place, "small").attributes["recheck"] == to_json(first)
    place.rechecks.rename(home / "kept")
    again = recheck(Home(home), "small", trials=3, top=1, seeds=3, jobs=2, said=nobody)
    assert figures(again) == figures(first)
    said.clear()
    kept = recheck(Home(home), "small", trials=3, top=1, seeds=3, jobs=1, said=said.append)
    assert kept == again
    assert not any("trained" in line for line in said)


@pytest.mark.slow
def test_old_best_no_longer_holds_on_data_that_no_line_separates(home: Path) -> None:
    other = write(home / "xor.csv", xor=True)
    outcome = recheck(Home(home), "small", data=other, trials=12, top=1, seeds=3, jobs=1, said=nobody)
    assert not outcome.holds
    assert not outcome.same_data
    assert outcome.winner.startswith("new-")
    shown = run_study(
        "recheck", "small", "--data", other, "--trials", 12, "--top", 1, "--seeds", 3, "--jobs", 1, "--home", home
    )
    assert shown.returncode == 0, shown.stderr
    assert "The old best is no longer the best" in shown.stdout
    assert f"{outcome.recommended}: learning_rate = " in shown.stdout


def test_unknown_study_or_unreadable_data_are_refused(home: Path, tmp_path: Path) -> None:
    def again(**given: object) -> None:
        recheck(Home(home), "small", jobs=1, said=nobody, **given)

    with pytest.raises(UserError, match="no study 'other'"):
        recheck(Home(home), "other", jobs=1, said=nobody)
    with pytest.raises(UserError, match=r"--data notes\.txt: must be sklearn:NAME"):
        again(data=Path("notes.txt"))
    with pytest.raises(UserError, match=r"nowhere\.csv"):
        again(data=tmp_path / "nowhere.csv")
