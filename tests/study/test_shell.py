"""Commands that are printed: a shell takes each word as it was."""

import re
import shlex
from pathlib import Path

import pytest
from support.command import run_study
from support.small_study import SMALL
from support.stores import give_store

from study.text.shell import command, next_command, running_with


def test_words_come_back_as_they_were() -> None:
    words = ["run", "a b.toml", "$HOME", "it's.csv", "plain.csv", '"quoted"', "a;b"]
    assert shlex.split(command(*words)) == ["study", *words]
    assert next_command(*words) == command(*words)


def test_a_next_command_says_where_studies_are_as_the_running_one_was_told() -> None:
    given = {"home": "my home", "storage": "postgresql://me:secret@host/db", "name": "small", "server": None}
    with running_with(given):
        words = shlex.split(next_command("report", "small"))
        assert command("report", "small") == "study report small"  # what is kept says nothing of this machine
    assert words[:6] == ["study", "report", "small", "--home", "my home", "--storage"]
    assert "host/db" in words[6]
    assert "secret" not in words[6]


def test_printed_commands_can_be_pasted(tmp_path: Path) -> None:
    table = tmp_path / "my $table's.csv"
    table.write_text("a,kind\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(40)))
    written = run_study("init", table).stdout.splitlines()
    look, run = (shlex.split(line.partition(":")[2]) for line in written if line.startswith(("Plan:", "Run:")))
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
    note = "raised from 2 to 3 trials: the new trials are proposed after all others have ended"
    spec.write_text(SMALL.replace("trials = 12", "trials = 2"))
    assert note not in run_study("run", spec, *options).stdout
    assert note in run_study("run", spec, *options, "--trials", 3).stdout
    assert "raised from" not in run_study("run", spec, *options, "--trials", 3).stdout
    random = SMALL.replace("trials = 12", 'trials = 2\nsampler = "random"\npruner = "none"').replace("small", "drawn")
    spec.write_text(random)
    run_study("run", spec, *options)
    assert "raised from" not in run_study("run", spec, *options, "--trials", 3).stdout


PRINTED = re.compile(r"`(study [^`]+)`|(?:^|: )\s*(study [a-z]+ .*)$", re.MULTILINE)


def printed_commands(text: str) -> list[list[str]]:
    """Return the words of each command of `study` in a text: in backquotes, or at the end of a line."""
    return [shlex.split(quoted or last)[1:] for quoted, last in PRINTED.findall(text)]


def assert_all_run(text: str, home: Path, folder: Path) -> set[str]:
    """Run each command that was printed, as it stands, where there is no other home; return their names."""
    commands = printed_commands(text)
    for words in commands:
        assert words[-2:] == ["--home", str(home)], words
        if words[0] not in ("ui", "run", "predict", "finalize"):  # they serve, or need what is named FILE, SPEC or N
            done = run_study(*words, cwd=folder)
            assert done.returncode == 0, (words, done.stderr)
    return {words[0] for words in commands}


@pytest.mark.slow
def test_all_commands_that_are_printed_name_the_home_that_was_given(tmp_path: Path, empty_store: Path) -> None:
    home, elsewhere, spec = tmp_path / "my $home", tmp_path / "elsewhere", tmp_path / "small.toml"
    elsewhere.mkdir()
    give_store(empty_store, home)
    place = ("--home", home)

    def printed(*words: object) -> set[str]:
        done = run_study(*words, *place, cwd=tmp_path)
        # `init --from` is named only if the winner lies at the end of a range.
        return assert_all_run(done.stdout + done.stderr, home, elsewhere) - {"init"}

    assert printed("list") == printed("show", "small") == {"run"}
    spec.write_text(SMALL.replace("trials = 12", "trials = 3"))
    assert printed("run", spec, "--jobs", 1, "--no-tracking") >= {"show", "report", "ui", "finalize"}
    assert printed("finalize", "small", "--trial", "confirmed") == {"confirm"}
    assert printed("predict", "small", spec) == {"finalize"}
    assert printed("show", "small") == {"finalize"}
    assert printed("confirm", "small", "--top", 2, "--seeds", 2, "--jobs", 1) == {"finalize"}
    run_study("run", spec, *place, "--jobs", 1, "--no-tracking", "--trials", 4)
    assert printed("finalize", "small") == {"confirm"}
    assert printed("run", spec, "--jobs", 1, "--no-tracking", "--trials", 5) >= {"confirm", "finalize"}
    assert printed("finalize", "small") == {"predict"}  # it was confirmed by the command that was printed
    assert printed("compare", "small", "best", "0") == set()
    assert printed("report", "small") == set()
    assert all(path.name.startswith("small-wide") for path in elsewhere.iterdir())  # drafts are written where one is
