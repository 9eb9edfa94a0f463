"""From a file to a spec, and from a spec to what a run would do."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.command import run_study
from support.small_study import show


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["length,colour,weight,species"]
    for _ in range(150):
        species = rng.integers(2)
        length, weight = rng.normal(10 + 3 * species, 1), rng.normal(5 - species, 1)
        rows.append(f"{length:.2f},{rng.choice(['red', 'blue'])},{weight:.2f},{['cat', 'dog'][species]}")
    path = tmp_path / "animals.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.slow
def test_what_init_writes_runs_unedited_and_learns(table: Path, home: Path) -> None:
    done = run_study("init", table, "--target", "species")
    assert done.returncode == 0, done.stderr
    spec = table.with_suffix(".toml")
    assert f"study run {spec}" in done.stdout
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1, "--trials", 1)
    assert done.returncode == 0, done.stderr
    assert show(home, "animals")["best"]["value"] > 0.8


@pytest.mark.slow
def test_init_says_what_it_guessed_and_what_gives_the_target_away(table: Path) -> None:
    lines = table.read_text().splitlines()
    tame = ["tame", *("yes" if line.endswith("dog") else "no" for line in lines[1:])]
    names = ["id", *(str(1000 + 7 * row) for row in range(len(lines) - 1))]
    table.write_text("\n".join(map(",".join, zip(names, tame, lines, strict=True))) + "\n")
    done = run_study("init", table)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"target: 'species', guessed\n"
        r"task: binary, two classes \(rows of each\): (cat|dog) \(\d+\), (cat|dog) \(\d+\)\n",
        done.stdout,
    )
    assert f"study init {table} --target COL --force\n" in done.stdout
    assert "left out as identifiers: id\n" in done.stdout
    assert "! 'tame' alone predicts the target 'species' almost perfectly" in done.stdout
    done = run_study("init", table, "--target", "species", "--force")
    assert "target: 'species'\n" in done.stdout
    assert "--target COL" not in done.stdout


def test_init_says_why_no_column_can_be_the_target(tmp_path: Path) -> None:
    table = tmp_path / "flat.csv"
    table.write_text("a,b\n" + "1,2\n" * 50)
    done = run_study("init", table)
    assert done.returncode == 0, done.stderr
    assert "! this column cannot be the target: " in done.stdout
    assert "set [data] target to another column" in done.stdout


@pytest.mark.slow
def test_init_does_not_overwrite(table: Path) -> None:
    assert run_study("init", table).returncode == 0
    table.with_suffix(".toml").write_text("mine")
    done = run_study("init", table)
    assert done.returncode == 2
    assert "already exists; use --force to overwrite it" in done.stderr
    assert table.with_suffix(".toml").read_text() == "mine"
    assert run_study("init", table, "--force").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "file nowhere.csv not found"),
        (["animals.csv", "--target", "specis"], "did you mean 'species'?"),
        (["animals.toml"], "animals.toml is already a spec; pass the table that you want a spec for"),
    ],
)
def test_init_answers_mistakes(table: Path, arguments: list[str], words: str) -> None:
    done = run_study("init", *arguments, cwd=table.parent)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_says_what_a_run_will_do_and_trains_nothing(spec: Path, tmp_path: Path) -> None:
    done = run_study("plan", spec, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in ("400; train 240, dev 80, test 80", "learning rate", "12, 4 in flight", "1 job ", "Defaults: "):
        assert words in done.stdout
    assert not (tmp_path / "mlruns").exists()


def test_plan_json_holds_the_same(spec: Path) -> None:
    done = run_study("plan", spec, "--jobs", 3, "--json")
    plan = json.loads(done.stdout)
    assert plan["look"]["parts"]["train"] == 240
    assert {"1", "3"} <= set(plan["times"])
    assert min(plan["times"].values()) > 0
    assert plan["settings"] is None
    assert plan["work"]["least"] <= plan["work"]["median"] <= plan["work"]["most"]


@pytest.mark.slow
def test_a_warm_start_tries_the_best_of_another_study_first(spec: Path, home: Path) -> None:
    first = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1)
    assert first.returncode == 0, first.stderr
    spec.write_text(spec.read_text().replace('name = "small"', 'name = "again"'))
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1, "--trials", 5, "--warm-start", "small")
    assert done.returncode == 0, done.stderr
    ranking = sorted(
        (t for t in show(home)["trials"] if t["state"] == "complete"), key=lambda t: (-t["value"], t["number"])
    )
    again = show(home, "again")["trials"]
    assert [t["params"] for t in again] == [t["params"] for t in ranking[:5]]


def test_a_timeout_stops_and_the_same_command_goes_on(spec: Path, home: Path) -> None:
    spec.write_text(spec.read_text().replace("trials = 12", "trials = 3000"))
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1, "--timeout", 1)
    assert done.returncode == 0, done.stderr
    assert "stopped after 1 second; rerun the command to resume" in done.stdout
    assert show(home)["state"] == "interrupted"
