"""The installed script `study`: each command is started by it once, and exits as it does in the other tests."""

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
    "plan": (("{folder}/table.toml",), 0, "Defaults: "),
    "run": (("{folder}/table.toml", "--no-tracking", "--trials", "1"), 0, "4 complete"),
    "show": (("table",), 0, "4 complete"),
    "list": ((), 0, "table"),
    "compare": (("table", "0", "1"), 0, "this compares networks, not configurations"),
    "report": (("table",), 0, "report.html"),
    "predict": (("table", "{folder}/table.csv"), 0, "probability_large"),
    "sync": (("tabel",), 2, "did you mean 'table'?"),
    "confirm": (("tabel",), 2, "did you mean 'table'?"),
    "recheck": (("table", "--data", "notes.txt"), 2, "--data notes.txt: a source is"),
    "finalize": (("table",), 2, "--again"),
    "ui": (("--optuna",), 2, "--optuna needs the name of a study"),
    "serve": (("--host", "192.0.2.1"), 2, "--token-file"),
    "submit": (("nowhere.toml", "--server", "{nobody}"), 2, "nowhere.toml"),
    "status": (("--server", "{nobody}"), 2, "study serve"),
    "cancel": (("table", "--server", "{nobody}"), 2, "study serve"),
    "logs": (("table", "--server", "{nobody}"), 2, "study serve"),
}
WITHOUT_HOME = {"init", "plan", "submit", "status", "cancel", "logs"}


def test_every_command_is_called() -> None:
    assert set(CALLS) == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("command", CALLS)
def test_installed_script_runs_the_command(command: str, finalized: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(finalized, folder)
    if command == "init":
        (folder / "table.toml").unlink()
    arguments, code, words = CALLS[command]
    nobody = f"http://127.0.0.1:{free_port()}"
    given = [argument.format(folder=folder, nobody=nobody) for argument in arguments]
    home = [] if command in WITHOUT_HOME else ["--home", str(folder / "home")]
    done = subprocess.run(
        [SCRIPT, command, *given, *home], capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert words in (done.stderr if code else done.stdout)
    assert "Traceback" not in done.stderr
