"""The commands of docs/operations.md on a real PostgreSQL: its tables made, backed up, brought back and upgraded."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from support import forking
from support.command import environment
from support.mlflow_server import assert_whole
from support.ports import answers, free_port
from support.postgres import Server, programs
from support.small_study import SMALL
from support.waiting import wait_for

import engine
from study.ledger.home import Home
from study.ledger.results import summarize

PAGE = (Path(engine.__file__).parents[1] / "docs/operations.md").read_text(encoding="utf-8")


def commands(heading: str) -> str:
    """Return the commands of a section of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    assert lines, heading
    return "\n".join(line for line in lines if not line.startswith("pip "))


def surroundings(server: Server) -> dict[str, str]:
    """Return an environment in which the programs of PostgreSQL reach the server."""
    path = os.pathsep.join(
        [str(forking.PROGRAMS), str(Path(sys.executable).parent), str(programs()), os.environ["PATH"]]
    )
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "study"}
    return (
        environment()
        | forking.variables_for_scripts()
        | where
        | {"PATH": path, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    )


def needs(*names: str) -> None:
    for name in names:
        if not shutil.which(name, path=os.pathsep.join([str(programs()), os.environ["PATH"]])):
            pytest.skip(f"no {name} here")


def run(script: str, server: Server, folder: Path) -> str:
    """Run commands as the page has them, with the names of this server; return what they print."""
    script = script.replace("postgresql://user@host:5432/", f"postgresql://study@127.0.0.1:{server.port}/")
    script = script.replace("study run experiments/digits.toml", "study run small.toml --jobs 1")
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=surroundings(server),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.long
def test_ledgers_are_made_backed_up_restored_and_upgraded_as_the_page_says(postgres: Server, tmp_path: Path) -> None:
    needs("createdb", "dropdb", "pg_dump", "pg_restore")
    (tmp_path / "small.toml").write_text(SMALL)
    run(commands("Ledgers on PostgreSQL"), postgres, tmp_path)
    address = f"postgresql://study@127.0.0.1:{postgres.port}/studies"
    before = summarize(Home(tmp_path / "mlruns", address), "small")
    assert before.state == "complete"
    backup, _, restore = commands("What to back up").partition("createdb")
    run(backup, postgres, tmp_path)
    run(f"dropdb studies\ncreatedb{restore}", postgres, tmp_path)
    shutil.rmtree(tmp_path / "mlruns/studies")
    shutil.copytree(tmp_path / "studies-files", tmp_path / "mlruns/studies")
    assert summarize(Home(tmp_path / "mlruns", address), "small") == before

    with psycopg.connect(address) as connection:  # as an Optuna of before 3.2 left them
        connection.execute("UPDATE alembic_version SET version_num = 'v3.0.0.d'")
    export = f"export STUDY_STORAGE={address}"
    assert "by an older version of Optuna" in run(f"{export}\nstudy list 2>&1 || true", postgres, tmp_path)
    (upgrade,) = re.findall(r"`(optuna storage upgrade [^`]*)`", PAGE)
    run(upgrade.replace("ADDRESS", address), postgres, tmp_path)
    run(f"{export}\nstudy run small.toml --trials 14 --jobs 1 --no-tracking", postgres, tmp_path)
    assert len(summarize(Home(tmp_path / "mlruns", address), "small").trials) == 14


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.long
def test_mlflow_on_postgresql_serves_several_workers_as_the_page_says(postgres: Server, tmp_path: Path) -> None:
    needs("createdb")
    port = free_port()
    script = commands("MLflow on PostgreSQL, with several server workers").partition("export MLFLOW")[0]
    script = script.replace("mlflow@host/", f"study@127.0.0.1:{postgres.port}/").replace(
        "--port 5000", f"--port {port}"
    )
    script = script.replace("/srv/mlflow/artifacts", str(tmp_path / "artifacts")).replace("--workers 4", "--workers 2")
    assert f"--port {port}" in script
    assert "--workers 2" in script
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env=surroundings(postgres),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"

        def healthy() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return answers(f"{address}/health")

        wait_for(healthy, "the MLflow server to answer")
        (tmp_path / "small.toml").write_text(SMALL.replace("trials = 12", "trials = 6"))
        run(f"export MLFLOW_TRACKING_URI={address}\nstudy run small.toml --jobs 1 --home home", postgres, tmp_path)
        assert_whole(tmp_path / "home", address)
        with psycopg.connect(f"postgresql://study@127.0.0.1:{postgres.port}/mlflow") as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (7,)  # the parent and six trials
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
