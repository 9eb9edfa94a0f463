"""Whatever happens to MLflow or to the processes, each trial ends up with exactly one run that holds everything."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow_server import Server, assert_whole, losing_replies, runs_in
from small_study import SMALL, environment, run_study

KILLS = int(os.environ.get("STUDY_TEST_KILLS", "6"))

# Runs as sitecustomize in the process that writes to MLflow, and in no other.
FOLLOWER = """
import os, sys
if "study.tracking.follower" in sys.orig_argv:
    import mlflow
    from mlflow import MlflowClient
    calls = []
    def at(name, when, before):
        original = getattr(MlflowClient, name)
        def call(self, *a, **k):
            calls.append(name)
            if calls.count(name) < when:
                return original(self, *a, **k)
            before(lambda: original(self, *a, **k), a)
            os._exit(9)
        setattr(MlflowClient, name, call)
"""
BY_THE_CLIENT = "import study.tracking.tables\n    study.tracking.tables.open_tables = lambda *a: None\n    "
IN_TABLES = (
    "from study.tracking.tables import RunTables\n    original = RunTables.{name}\n"
    "    def call(self, *a):\n        {body}\n        os._exit(9)\n    RunTables.{name} = call"
)
FAULTS = {
    "inside the transaction that begins runs": "import sqlite3\n    from sqlalchemy import event, Engine\n"
    "    @event.listens_for(Engine, 'before_cursor_execute')\n    def before(connection, cursor, statement, *a):\n"
    "        if statement.startswith('INSERT INTO latest_metrics') and connection.engine.pool.status() == 'NullPool':\n"
    "            os._exit(9)",
    "between beginning and files": IN_TABLES.format(name="begin", body="original(self, *a)"),
    "between files and the end": IN_TABLES.format(name="end", body="pass"),
    "between the end and keeping ids": IN_TABLES.format(name="end", body="original(self, *a)"),
    "between create_run and keeping its id": BY_THE_CLIENT + 'at("create_run", 5, lambda call, a: call())',
    "inside log_batch": BY_THE_CLIENT + 'at("log_batch", 4, lambda call, a: self_batch(a))\n'
    "    def self_batch(a):\n        MlflowClient('sqlite:///' + os.environ['TEST_STORE'])._tracking_client.log_batch("
    "a[0], metrics=a[1][:7], params=a[2][:3])",
    "inside an artifact": "from pathlib import Path\n    whole = Path.write_bytes\n"
    "    def torn(self, data):\n        calls.append('file' if 'artifacts' in self.parts else '')\n"
    "        whole(self, data[:20] if calls.count('file') == 5 else data)\n"
    "        if calls.count('file') == 5:\n            os._exit(9)\n"
    "    Path.write_bytes = torn",
    "before the end": BY_THE_CLIENT + 'at("set_terminated", 3, lambda call, a: None)',
    "a full disk": "import resource\n    size = os.path.getsize(os.environ['TEST_STORE']) + (40 << 10)\n"
    "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))",
}

# Each close to another one that is always tried.
NEAR = {"between files and the end", "between the end and keeping ids", "inside log_batch", "before the end"}


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=pytest.mark.exhaustive if fault in NEAR else ()) for fault in FAULTS]
)
def test_what_the_writing_process_leaves_half_done_is_made_whole(
    fault: str, spec: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FOLLOWER + "    " + FAULTS[fault] + "\n")
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = environment() | {"PYTHONPATH": paths, "TEST_STORE": str(home / "mlflow.db")}
    done = run_study("run", spec, "--home", home, "--jobs", 1, env=env)
    assert done.returncode == 0, done.stderr
    assert "trials are not in MLflow yet" in done.stdout
    assert f"`study sync small --home {home}` writes them" in done.stdout
    synced = run_study("sync", "small", "--home", home)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert_whole(home)


@pytest.mark.parametrize("place", ["study.ledger.Ledger.commit", "study.tracking.exporter.Exporter.look"])
def test_a_coordinator_that_dies_leaves_nothing_that_stays(place: str, spec: Path, home: Path) -> None:
    module, _, rest = place.rpartition(".")
    module, _, owner = module.rpartition(".")
    code = f"""
import os, sys, {module}
owner = {module}.{owner}
original, calls = owner.{rest}, []
def call(self, *a):
    calls.append(1)
    if len(calls) == 3:
        os._exit(9)
    return original(self, *a)
owner.{rest} = call
sys.argv = ["study", "run", {str(spec)!r}, "--home", {str(home)!r}, "--jobs", "1"]
from study.cli import main
main()
"""
    died = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=False)
    assert died.returncode == 9
    again = run_study("run", spec, "--home", home, "--jobs", 1)
    assert (again.returncode, again.stderr) == (0, "")
    assert_whole(home)


@pytest.mark.slow
def test_kills_at_random_moments_lose_no_run_and_double_none(spec: Path, home: Path) -> None:
    rng = random.Random(7)
    spec.write_text(SMALL.replace("trials = 12", "trials = 40"))
    for _ in range(KILLS):
        command = [sys.executable, "-m", "study.cli", "run", spec, "--home", home, "--jobs", "2"]
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(1, 7))
        if rng.random() < 0.5:  # the process that writes to MLflow is killed too, or ends by itself
            for pid in _followers(process.pid):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
    done = run_study("run", spec, "--home", home, "--jobs", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not in MLflow" not in done.stdout, done.stdout
    assert_whole(home)


def test_a_locked_store_holds_nobody_up(spec: Path, home: Path) -> None:
    freed = threading.Event()
    locked = threading.Event()

    def lock() -> None:
        connection = sqlite3.connect(home / "mlflow.db", isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        locked.set()
        freed.wait(120)
        connection.close()

    thread = threading.Thread(target=lock)
    thread.start()
    try:
        locked.wait()
        done = run_study("run", spec, "--home", home, "--jobs", 1)
    finally:
        freed.set()
        thread.join()
    assert (done.returncode, done.stderr) == (0, "")
    assert "the search goes on, runs follow" in done.stdout
    assert "database is locked" in done.stdout
    assert done.stdout.index("log J") < done.stdout.index("writing the last runs to MLflow")  # the table does not wait
    assert run_study("sync", "small", "--home", home).returncode == 0
    assert_whole(home)


def test_runs_that_were_deleted_doubled_or_left_running_are_put_right(finished: Path, tmp_path: Path) -> None:
    import mlflow

    home = tmp_path / "home"
    shutil.copytree(finished, home)
    uri = f"sqlite:///{home}/mlflow.db"
    client = mlflow.MlflowClient(uri)
    _, trials = runs_in(uri)
    client.delete_run(trials[0].info.run_id)
    client.update_run(trials[1].info.run_id, status="RUNNING")
    double = client.create_run(trials[2].info.experiment_id, tags=trials[2].data.tags)
    client.set_terminated(double.info.run_id, "FINISHED")
    client.set_tag(trials[3].info.run_id, "mlflow.parentRunId", "of another store")
    done = run_study("sync", "small", "--home", home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 were written now" in done.stdout
    assert_whole(home)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "store.db")
    server = Server(folder, folder / "store.db")
    server.start()
    yield server
    server.kill()


def remote(server: Server, **more: str) -> dict[str, str]:
    return environment() | {"MLFLOW_TRACKING_URI": server.address, **more}


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back(
    server: Server, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    spec.write_text(SMALL.replace("trials = 12", "trials = 30"))  # that not all are written before the second kill
    command = [sys.executable, "-m", "study.cli", "run", str(spec), "--home", str(home), "--jobs", "1"]
    server.kill()
    run = subprocess.Popen(command, env=remote(server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = run.communicate(timeout=200)
    assert (run.returncode, errors) == (0, ""), output
    assert f"MLflow at {server.address} does not answer" in output
    assert "30 trials are not in MLflow yet" in output
    server.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    half = subprocess.Popen(
        [sys.executable, "-m", "study.cli", "sync", "small", "--home", str(home)],
        env=remote(server),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(runs_in(server.address)[1]) < 3:
        time.sleep(0.02)
    server.kill()
    assert half.wait(timeout=200) == 2
    server.start()
    assert run_study("sync", "small", "--home", home, env=remote(server)).returncode == 0
    assert_whole(home, server.address)


@pytest.mark.slow
def test_replies_that_are_lost_make_no_second_run(server: Server, spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    spec.write_text(SMALL.replace('"small"', '"lossy"'))
    with losing_replies(server, "/runs/create", 4) as address:
        env = remote(server) | {"MLFLOW_TRACKING_URI": address}
        done = run_study("run", spec, "--home", home, "--jobs", 1, env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "not in MLflow" not in done.stdout
    assert_whole(home, server.address, "lossy")


@pytest.mark.slow
def test_no_password_is_written_anywhere(server: Server, spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    spec.write_text(SMALL.replace('"small"', '"secret"'))
    address = server.address.replace("http://", "http://me:pa55word@")
    done = run_study("run", spec, "--home", home, "--jobs", 1, env=remote(server, MLFLOW_TRACKING_URI=address))
    assert done.returncode == 0, done.stderr
    assert "pa55word" not in done.stdout
    closed = run_study("sync", "secret", "--home", home, env=remote(server, MLFLOW_TRACKING_URI=address[:-1] + "1"))
    assert "pa55word" not in closed.stdout + closed.stderr
    for path in (home / "studies").rglob("*"):
        assert path.is_dir() or b"pa55word" not in path.read_bytes(), path
    (parent,), trials = runs_in(server.address, "secret")
    assert "pa55word" not in str([run.to_dictionary() for run in (parent, *trials)])


def _followers(coordinator: int) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == coordinator and b"study.tracking.follower" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
