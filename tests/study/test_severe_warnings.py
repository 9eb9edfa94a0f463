"""Severe warnings about the data: at the start of a run, in what it concludes, in its report, and on its MLflow run."""

import re
from pathlib import Path

import numpy as np
import pytest
from support.command import run_study

from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.report import write_report
from study.tracking.study_run import describe_parent

SPEC = """
name = "leak"
baselines.enabled = false
[data]
source = "t.csv"
target = "y"
folds = 3
[space]
learning_rate = [0.1]
iterations = [20]
depth = { low = 0, high = 1 }
units = [4]
activation = ["tanh"]
[search]
trials = 2
metric = "accuracy"
[confirm]
top = 2
seeds = 2
"""
WARNING = "! 'alive' alone predicts the target 'y' almost perfectly"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a study whose column `alive` repeats the target, in the home `home`, and what its run printed."""
    folder = tmp_path_factory.mktemp("leak")
    rng = np.random.default_rng(0)
    lines = ["a,alive,y"]
    for y in rng.choice(["p", "p", "q", "NA"], 200):
        lines.append(f"{rng.normal():.4f},{'yes' if y == 'p' else 'no'},{y}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    (folder / "leak.toml").write_text(SPEC)
    done = run_study("run", folder / "leak.toml", "--home", folder / "home", "--jobs", 1, "--no-tracking")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_run_says_them_before_its_first_trial_and_after_its_verdict(ran: tuple[Path, str]) -> None:
    before, _, after = ran[1].partition("trial 0 ")
    assert WARNING in before
    assert after.index("Confirmed on") < after.index(WARNING)
    assert "rows are excluded because their target is marked as missing ('NA' in " in before
    assert "3 folds of " in before
    assert "trials are compared by accuracy on dev" in before


def test_the_same_command_says_them_again(ran: tuple[Path, str]) -> None:
    folder, _ = ran
    done = run_study("run", folder / "leak.toml", "--home", folder / "home", "--jobs", 1, "--no-tracking")
    assert done.stdout.count(WARNING) == 2


def test_a_study_that_is_older_than_a_key_had_its_default(ran: tuple[Path, str]) -> None:
    folder, _ = ran
    place = Home.at(str(folder / "home")).folder("leak")
    identity = Ledger(place, "leak").attributes["identity"]
    Ledger(place, "leak").set(identity={key: value for key, value in identity.items() if key != "[data] day_first"})
    spec = folder / "leak.toml"
    arguments = ("run", spec, "--home", folder / "home", "--jobs", 1, "--no-tracking")
    spec.write_text(SPEC.replace("folds = 3", "folds = 3\nday_first = true"))
    assert "[data] day_first has changed since study 'leak' started" in run_study(*arguments).stderr
    spec.write_text(SPEC)
    assert run_study(*arguments).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", [["show"], ["confirm", "--top", 2, "--seeds", 2]])
def test_commands_that_show_results_say_them(ran: tuple[Path, str], command: list[object]) -> None:
    name, *options = command
    assert WARNING in run_study(name, "leak", *options, "--home", ran[0] / "home").stdout


@pytest.mark.slow
def test_a_report_begins_with_them_and_has_the_folds(ran: tuple[Path, str]) -> None:
    home = Home.at(str(ran[0] / "home"))
    text = write_report(home, "leak", ran[0] / "r.md", markdown=True).read_text()
    assert text.index("**Warning:** 'alive' alone predicts") < text.index("**Trial ")
    assert re.search(r"- split: train and dev \d+, test \d+; 3 folds, each with train \d+", text)
    page = write_report(home, "leak", ran[0] / "r.html").read_text()
    assert page.index('<p class="warning">') < page.index('<p class="headline">')


def test_the_mlflow_run_of_the_study_has_them(ran: tuple[Path, str]) -> None:
    folder = Home.at(str(ran[0] / "home")).folder("leak")
    content = describe_parent(Ledger(folder, "leak"), folder, "1")
    assert content.tags["study.warnings"].startswith("'alive' alone")
    assert content.tags["mlflow.note.content"].startswith("**Warning:** 'alive' alone")


def test_a_plan_gives_the_split_and_the_metric_that_are_used(ran: tuple[Path, str]) -> None:
    done = run_study("plan", ran[0] / "leak.toml")
    assert "3 folds, each with" in " ".join(done.stdout.split())
    assert "compared by" in done.stdout
    assert "unless" not in done.stdout
    assert "separator comma" in done.stdout
    assert "'NA' in " in done.stdout
