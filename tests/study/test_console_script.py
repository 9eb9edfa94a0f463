"""The installed script `study`: each command is started by it once, and exits as it does in the other tests.

Most of these processes are forked from one that has imported all that they need (support/forking.py), and run the
script from its first line; those of ANEW import everything themselves, as a user's do.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from support.command import environment
from support.ports import free_port

from study.cli.main import app

SCRIPT = Path(sys.executable).parent / "study"
# Of each command: arguments, exit code, and words of what it prints. Those that need a server of their own, or minutes,
# are refused here; tests/docs and the tests of the service run them to their end.
CALLS = {
    "init": (("{folder}/table.csv",), 0, "study run"),
    "schema": ((), 0, "json-schema.org/draft-07"),
    "plan": (("{folder}/table.toml",), 0, "Defaults: "),
    "run": (("{folder}/table.toml", "--no-tracking", "--trials", "1"), 0, "4 complete"),
    "show": (("table",), 0, "4 complete"),
    "list": ((), 0, "table"),
    "compare": (("table", "0", "1"), 0, "this compares networks, not configurations"),
    "report": (("table",), 0, "report.html"),
    "predict": (("table", "{folder}/table.csv"), 0, "probability_large"),
    "sync": (("tabel",), 2, "did you mean 'table'?"),
    "confirm": (("tabel",), 2, "did you mean 'table'?"),
    "recheck": (("table", "--data", "notes.txt"), 2, "--data notes.txt: must be sklearn:NAME"),
    "finalize": (("table",), 2, "--again"),
    "ui": (("--optuna",), 2, "--optuna needs the name of a study"),
    "serve": (("--host", "192.0.2.1"), 2, "--token-file"),
    "submit": (("nowhere.toml", "--server", "{nobody}"), 2, "nowhere.toml"),
    "status": (("--server", "{nobody}"), 2, "study serve"),
    "cancel": (("table", "--server", "{nobody}"), 2, "study serve"),
    "logs": (("table", "--server", "{nobody}"), 2, "study serve"),
}
ANEW = ("show", "run", "predict", "serve")  # what is imported for a result, a search, a model, the service
WITHOUT_HOME = {"init", "schema", "plan", "submit", "status", "cancel", "logs"}


def test_every_command_is_called() -> None:
    assert set(CALLS) == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in CALLS if command not in ANEW])
def test_installed_script_runs_the_command(command: str, finalized: Path, tmp_path: Path) -> None:
    check_call([sys.executable, str(SCRIPT)], command, finalized, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [pytest.param(command, marks=() if command in ANEW else pytest.mark.exhaustive) for command in CALLS],
)
def test_installed_script_imports_what_the_command_needs(command: str, finalized: Path, tmp_path: Path) -> None:
    check_call([str(SCRIPT)], command, finalized, tmp_path)


def check_call(script: list[str], command: str, finalized: Path, tmp_path: Path) -> None:
    """Call a command on a copy of the finalized study, and check its exit code and its words."""
    folder = tmp_path / "folder"
    shutil.copytree(finalized, folder)
    if command == "init":
        (folder / "table.toml").unlink()
    arguments, code, words = CALLS[command]
    nobody = f"http://127.0.0.1:{free_port()}"
    given = [argument.format(folder=folder, nobody=nobody) for argument in arguments]
    home = [] if command in WITHOUT_HOME else ["--home", str(folder / "home")]
    done = subprocess.run(
        [*script, command, *given, *home], capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert words in (done.stderr if code else done.stdout)
    assert "Traceback" not in done.stderr
