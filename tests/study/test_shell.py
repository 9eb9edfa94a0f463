"""Commands that are printed: a shell takes each word as it was."""

import shlex
from pathlib import Path

from support.command import run_study
from support.small_study import SMALL

from study.shell import command


def test_words_come_back_as_they_were() -> None:
    words = ["run", "a b.toml", "$HOME", "it's.csv", "plain.csv", '"quoted"', "a;b"]
    assert shlex.split(command(*words, home="my home")) == ["study", *words, "--home", "my home"]
    assert command("show", "digits") == "study show digits"
    assert command("show", "digits", storage="postgresql://me:secret@host/db").startswith("study show digits --storage")
    assert "secret" not in command("show", "digits", storage="postgresql://me:secret@host/db")


def test_printed_commands_can_be_pasted(tmp_path: Path) -> None:
    table = tmp_path / "my $table's.csv"
    table.write_text("a,kind\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(40)))
    written = run_study("init", table).stdout.splitlines()
    look, run = (shlex.split(line.partition(":")[2]) for line in written if line.startswith(("Look:", "Run:")))
    assert look[:2] == ["study", "plan"]
    assert (Path(look[2]).exists(), run[2]) == (True, look[2])
    again = next(line for line in written if "--target COL --force" in line)
    assert shlex.split(again.partition(":")[2]) == ["study", "init", str(table), "--target", "COL", "--force"]


def test_the_next_commands_of_a_run_name_its_home(tmp_path: Path) -> None:
    home, spec = tmp_path / "my $home", tmp_path / "small.toml"
    spec.write_text(SMALL.replace("trials = 12", "trials = 2"))
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 1)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("All trials:", "As a page:", "In MLflow:"))]
    assert len(lines) == 3
    assert all(shlex.split(line)[-2:] == ["--home", str(home)] for line in lines)


def test_a_study_that_is_raised_says_that_it_differs_from_one_run_at_once(tmp_path: Path) -> None:
    spec = tmp_path / "small.toml"
    options = ("--home", tmp_path, "--no-tracking", "--jobs", 1)
    note = "raised from 2 to 3 trials: the new ones are chosen after all others have ended"
    spec.write_text(SMALL.replace("trials = 12", "trials = 2"))
    assert note not in run_study("run", spec, *options).stdout
    assert note in run_study("run", spec, *options, "--trials", 3).stdout
    assert "raised from" not in run_study("run", spec, *options, "--trials", 3).stdout
    random = SMALL.replace("trials = 12", 'trials = 2\nsampler = "random"\npruner = "none"').replace("small", "drawn")
    spec.write_text(random)
    run_study("run", spec, *options)
    assert "raised from" not in run_study("run", spec, *options, "--trials", 3).stdout
