"""The command line as a user meets it: output, exit codes, interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import begin_process, read_until, run_study
from support.small_study import ENDLESS, SMALL, fingerprints, show

from study.cli.main import app


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['study', '--help']\n"
        "from study.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'optuna', 'mlflow', 'pandas', 'sklearn', 'pydantic', 'joblib', 'fastapi', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Start or resume a study." in done.stdout
    assert done.stderr.strip() == "[]"


def test_the_list_of_commands_cuts_no_description_at_80_columns() -> None:
    done = run_study("--help", env={"COLUMNS": "80"})
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:\n")[2].splitlines()
    assert len(listed) == len(app.registered_commands)
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


@pytest.mark.slow
def test_a_run_prints_a_line_a_trial_and_a_table(spec: Path, home: Path) -> None:
    done = run_study("run", spec, "--home", home, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert sum(line.startswith("trial ") for line in done.stdout.splitlines()) == 12
    assert "study show small" in done.stdout
    assert "study ui" in done.stdout


def test_a_trial_that_fails_says_why(spec: Path, home: Path) -> None:
    text = SMALL.replace("{ low = 1e-2, high = 2.0, log = true }", "1e30").replace('["relu", "tanh"]', '"relu"')
    spec.write_text(text.replace("{ low = 0, high = 2 }", "1").replace("trials = 12", "trials = 2"))
    done = run_study("run", spec, "--home", home, "--jobs", 1, "--no-tracking")
    assert done.returncode == 0, done.stderr
    for number in (0, 1):
        assert f"trial {number} failed ({number + 1}/2)\n  trial {number}: diverged at iteration " in done.stdout
    assert "2 failed" in done.stdout


def test_show_json_has_the_promised_form(finished: Path) -> None:
    summary = show(finished)
    assert summary.keys() >= {"name", "state", "direction", "metric", "best", "trials"}
    assert (summary["name"], summary["state"]) == ("small", "complete")
    assert (summary["direction"], summary["metric"]) == ("maximize", "accuracy")
    keys = ["number", "state", "params", "value", "iterations", "fingerprint", "run_id", "seconds"]
    assert [list(trial)[:8] for trial in summary["trials"]] == [keys] * 12
    complete = [trial for trial in summary["trials"] if trial["state"] == "complete"]
    assert summary["best"]["value"] == max(trial["value"] for trial in complete)
    for trial in complete:
        assert trial["iterations"] == trial["params"]["iterations"]
        assert len(trial["fingerprint"]) == 64
        assert trial["run_id"]


def test_list_names_every_study(finished: Path) -> None:
    done = run_study("list", "--json", "--home", finished)
    (study,) = json.loads(done.stdout)
    assert (study["name"], study["state"]) == ("small", "complete")
    assert "small" in run_study("list", "--home", finished).stdout
    assert "no studies in" in run_study("list", "--home", finished / "nowhere").stdout


@pytest.mark.parametrize(("content", "words"), [(b"", "study 'bad' not found"), (b"garbage\n", "line 1 is damaged")])
def test_list_names_a_damaged_study_and_shows_the_others(
    finished: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    shutil.copytree(finished / "studies", tmp_path / "studies")
    bad = tmp_path / "studies/bad/ledger.log"
    bad.parent.mkdir()
    bad.write_bytes(content)
    listed = run_study("list", "--home", tmp_path)
    assert (listed.returncode, listed.stderr.count("\n")) == (2, 1)
    assert f"study: {bad}: {words}" in listed.stderr
    assert "small" in listed.stdout
    assert [each["name"] for each in json.loads(run_study("list", "--home", tmp_path, "--json").stdout)] == ["small"]
    shown = run_study("show", "bad", "--home", tmp_path)
    assert (shown.returncode, shown.stderr) == (2, listed.stderr)


def test_a_finished_study_says_so_and_changes_nothing(finished: Path) -> None:
    before = fingerprints(finished)
    ledger = (finished / "studies/small/ledger.log").read_bytes()
    done = run_study("run", finished.parent / "small.toml", "--home", finished, "--no-tracking")
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    assert fingerprints(finished) == before
    assert (finished / "studies/small/ledger.log").read_bytes() == ledger


def test_trials_raises_the_number_and_keeps_what_is_there(spec: Path, home: Path) -> None:
    run_study("run", spec, "--home", home, "--jobs", 1, "--trials", 3, "--no-tracking")
    first = fingerprints(home)
    assert len(first) == 3
    done = run_study("run", spec, "--home", home, "--jobs", 1, "--trials", 5, "--no-tracking")
    assert done.returncode == 0, done.stderr
    assert fingerprints(home)[:3] == first
    assert len(fingerprints(home)) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere.toml"], "nowhere.toml: no such file"),
        (["show", "smal"], "did you mean 'small'?"),
        (["show", "../small"], "no study '../small'"),
        (["run", "small.toml", "--jobs", "0"], "--jobs"),
        (["run", "small.toml", "--home", "/proc/home"], "could not be created"),
        (["shw"], "No such command 'shw'"),
    ],
)
def test_mistake_exits_with_2_and_no_traceback(finished: Path, arguments: list[str], words: str) -> None:
    home = [] if "--home" in arguments else ["--home", str(finished)]
    done = run_study(*arguments, *home, cwd=finished.parent)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_space_is_not_continued(spec: Path, home: Path) -> None:
    run_study("run", spec, "--home", home, "--jobs", 1, "--trials", 2, "--no-tracking")
    spec.write_text(SMALL.replace("high = 8", "high = 9"))
    done = run_study("run", spec, "--home", home, "--jobs", 1, "--no-tracking")
    assert done.returncode == 2
    assert "[space] units has changed since study 'small' started" in done.stderr
    assert "give the study another name" in done.stderr


def test_a_metric_of_another_task_is_answered(spec: Path, home: Path) -> None:
    spec.write_text(SMALL.replace('"accuracy"', '"rmse"'))
    done = run_study("run", spec, "--home", home, "--no-tracking")
    assert done.returncode == 2
    assert "for a binary task, got 'rmse'" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "jobs"),
    [
        (signal.SIGINT, 2),
        (signal.SIGTERM, 1),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.exhaustive),
        pytest.param(signal.SIGTERM, 2, marks=pytest.mark.exhaustive),
    ],
)
def test_an_interrupted_run_exits_with_130_and_goes_on(
    tmp_path: Path, finished: Path, stop: signal.Signals, jobs: int, home: Path
) -> None:
    spec = tmp_path / "small.toml"
    spec.write_text(ENDLESS)
    process = begin_process("run", spec, "--home", home, "--jobs", jobs, start_new_session=True)
    read_until(process, "(5/400)")
    os.killpg(process.pid, stop)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "study: interrupted"
    assert "run the same command again to resume" in rest
    spec.write_text(SMALL)
    done = run_study("run", spec, "--home", home, "--jobs", jobs, "--trials", 12, "--no-tracking")
    assert done.returncode == 0, done.stderr
    trials = show(home)["trials"]
    assert [t["number"] for t in trials] == list(range(len(trials)))
    assert fingerprints(home)[:5] == fingerprints(finished)[:5]


@pytest.mark.slow
def test_two_runs_at_once_are_refused(spec: Path, home: Path) -> None:
    spec.write_text(ENDLESS)
    first = begin_process("run", spec, "--home", home, "--jobs", 1, "--no-tracking")
    read_until(first, "trial ")
    second = run_study("run", spec, "--home", home, "--jobs", 1, "--no-tracking")
    assert second.returncode == 2
    assert f"is being run by process {first.pid} on " in second.stderr
    assert show(home)["state"] == "running"
    first.kill()
    first.communicate()
    assert show(home)["state"] == "interrupted"
