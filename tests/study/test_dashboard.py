"""`study ui`: MLflow stopped while it starts; with --optuna, optuna-dashboard on a ledger, in a file and a database."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from support.command import Process, begin_process, read_until, run_study
from support.in_process import run_local, spec_with
from support.ports import free_port
from support.postgres import Server
from support.stores import give_store

from study.tracking import ui

needs_dashboard = pytest.mark.skipif(find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed")


@contextmanager
def dashboard(home: Path, *options: str) -> Iterator[tuple[str, Process]]:
    """Start the command; yield the address that it says, and the process, which ends with the block."""
    process = begin_process("ui", "small", "--optuna", "--home", home, "--port", free_port(), *options)
    try:
        said = read_until(process, "optuna-dashboard is serving at http://127.0.0.1:")
        yield said.split()[4], process
    finally:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        assert (output, errors) == ("stopped\n", "")


def shown(address: str) -> list[str]:
    with urllib.request.urlopen(f"{address}/api/studies", timeout=20) as reply:  # noqa: S310
        return [study["study_name"] for study in json.load(reply)["study_summaries"]]


@needs_dashboard
@pytest.mark.slow
def test_dashboard_shows_a_ledger_in_a_file(tmp_path: Path) -> None:
    run_local(spec_with("trials = 2"), tmp_path)
    with dashboard(tmp_path) as (address, _):
        assert shown(address) == ["small"]


@needs_dashboard
@pytest.mark.slow
def test_dashboard_shows_a_ledger_in_a_database_and_no_process_list_shows_its_password(
    postgres: Server, storage: str, tmp_path: Path
) -> None:
    run_local(spec_with("trials = 2"), tmp_path, storage=storage)
    with psycopg.connect(storage, autocommit=True) as connection:
        connection.execute("CREATE ROLE viewer LOGIN PASSWORD 'se:cr@t' IN ROLE pg_read_all_data")
    address = storage.replace("study@", "viewer:se%3Acr%40t@") + "?sslpassword=cr"
    with dashboard(tmp_path, "--storage", address) as (page, process):
        assert shown(page) == ["small"]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if children.exists():
            commands = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children.read_text().split()]
            assert any(b"optuna_dashboard" in command for command in commands)
            assert not any(b"viewer" in command for command in commands)


def test_missing_package_is_reported_in_one_line(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    done = run_study("ui", "small", "--optuna", "--home", finished)
    said = "study: --optuna requires optuna-dashboard, which is not installed; "
    said += "install it with `pip install optuna-dashboard`\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_mlflow_that_is_interrupted_while_it_starts_stops_in_one_line(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    give_store(empty_store, tmp_path)
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: server)
    monkeypatch.setattr(ui, "_wait", interrupt)
    done = run_study("ui", "--home", tmp_path, "--port", free_port(), "--no-browser")
    assert (done.returncode, done.stdout, done.stderr) == (0, "starting MLflow …\nstopped\n", "")
    assert server.poll() is not None
