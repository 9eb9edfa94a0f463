"""Output decides what is shown, never what is done: streams that are closed, full, left, or speak another alphabet."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import forking
from support.command import environment, run_process
from support.mlflow_server import assert_whole
from support.small_study import fingerprints

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.exhaustive)])
def test_letters_that_cannot_be_shown_are_replaced(encoding: str, spec: Path, home: Path, finished: Path) -> None:
    env = environment() | {"PYTHONIOENCODING": encoding}
    done = run_process("run", spec, "--home", home, "--jobs", 1, env=env, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout
    assert fingerprints(home) == fingerprints(finished)
    assert_whole(home)


def shell(line: str, home: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run `study` with these arguments, and with its output as the line says.

    The process is forked, unless a stream is closed: Python itself has to start without it.
    """
    server = {} if "&-" in line else forking.variables_for_scripts()
    program = [str(forking.PROGRAMS / "study")] if server else [sys.executable, "-m", "study"]
    command = ["bash", "-c", f'"$@" {line}', "bash", *program, *map(str, arguments), "--home", str(home)]
    return subprocess.run(command, env=environment() | server, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_is_full_is_named_and_the_study_ends(spec: Path, home: Path, finished: Path) -> None:
    said = "study: standard output: No space left on device; the rest of the output was lost\n"
    done = shell("> /dev/full", home, "run", spec, "--jobs", 1, "--no-tracking")
    assert (done.returncode, done.stderr) == (1, said)
    assert fingerprints(home) == fingerprints(finished)
    shown = shell("> /dev/full", home, "show", "small")
    assert (shown.returncode, shown.stderr) == (1, said)


@pytest.mark.parametrize(
    "line",
    [
        "2>&-",
        "| head -1",
        "<&- >&-",
        *(pytest.param(line, marks=pytest.mark.exhaustive) for line in (">&-", ">&- 2>&-")),
    ],
)
def test_output_that_is_closed_or_left_ends_nothing(line: str, spec: Path, home: Path, finished: Path) -> None:
    done = shell(line, home, "run", spec, "--jobs", 1, "--no-tracking")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == ("head" in line) or line == "2>&-"
    assert fingerprints(home) == fingerprints(finished)
    assert shell(line, home, "list").returncode == 0
    for kept in (home / "studies/small/ledger.log").read_bytes().splitlines():
        assert json.loads(kept)  # nothing was written into a file that took the place of a closed output
