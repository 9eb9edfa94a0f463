"""`study ui NAME --optuna`: optuna-dashboard on a ledger, in a file and in a database."""

import json
import os
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
from in_process import run_local, spec_with
from postgres import Server, free_port
from small_study import environment, run_study

from study.database import for_optuna

needs_dashboard = pytest.mark.skipif(find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed")


@contextmanager
def dashboard(home: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Start the command; yield the address that it says, and the process, which ends with the block."""
    arguments = ["ui", "small", "--optuna", "--home", str(home), "--port", str(free_port()), *options]
    command = [sys.executable, "-m", "study.cli", *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment())
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("optuna-dashboard is at http://127.0.0.1:"), said + process.communicate()[1]
        yield said.split()[3], process
    finally:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        assert (output, errors) == ("stopped\n", "")


def shown(address: str) -> list[str]:
    with urllib.request.urlopen(f"{address}/api/studies", timeout=20) as reply:  # noqa: S310
        return [study["study_name"] for study in json.load(reply)["study_summaries"]]


@needs_dashboard
@pytest.mark.slow
def test_it_shows_a_ledger_that_is_a_file(tmp_path: Path) -> None:
    run_local(spec_with("trials = 2"), tmp_path)
    with dashboard(tmp_path) as (address, _):
        assert shown(address) == ["small"]


@needs_dashboard
@pytest.mark.slow
def test_it_shows_a_ledger_in_a_database_whose_password_nobody_sees(
    server: Server, storage: str, tmp_path: Path
) -> None:
    run_local(spec_with("trials = 2"), tmp_path, storage=storage)
    with psycopg.connect(storage, autocommit=True) as connection:
        connection.execute("CREATE ROLE viewer LOGIN PASSWORD 'se:cr@t' IN ROLE pg_read_all_data")
    address = storage.replace("study@", "viewer:se%3Acr%40t@")
    with dashboard(tmp_path, "--storage", address) as (page, process):
        assert shown(page) == ["small"]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if children.exists():
            (child,) = children.read_text().split()
            assert b"cr" not in Path(f"/proc/{child}/cmdline").read_bytes().partition(b"_cli")[2]


@pytest.mark.parametrize(
    ("address", "plain", "password"),
    [
        ("postgresql://host/studies", "postgresql+psycopg://host/studies", None),
        ("postgresql://a:b%40c@host:5433/studies", "postgresql+psycopg://a@host:5433/studies", "b@c"),
        (
            "postgresql:///studies?host=/run/postgresql&password=b",
            "postgresql+psycopg:///studies?host=%2Frun%2Fpostgresql",
            "b",
        ),
    ],
)
def test_a_password_is_not_in_the_address_of_a_program(address: str, plain: str, password: str | None) -> None:
    assert for_optuna(address) == (plain, {"PGPASSWORD": password} if password else {})


def test_a_missing_package_is_said_in_a_line(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['optuna_dashboard'] = None\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run_study("ui", "small", "--optuna", "--home", finished, env=environment() | {"PYTHONPATH": path})
    said = "study: --optuna needs optuna-dashboard; install dnn-study[dashboard]\n"
    assert (done.returncode, done.stderr) == (2, said)
