"""Whatever happens to MLflow or to the processes, each trial ends up with exactly one run that holds everything."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest
from support.command import begin_process, environment, read_until, run_study
from support.exporter import impatient_exporter
from support.mlflow_server import Server, assert_whole, losing_replies, runs_in
from support.ports import free_port
from support.processes import exporters_of, gone, needs_proc, running, send
from support.small_study import SMALL
from support.waiting import LIMIT, wait_for

from study.execution import Workers
from study.ledger.home import Home
from study.run import Progress, run
from study.text.shell import running_with
from study.tracking.exporter import Exporter, make_exporter
from study.tracking.projection_lock import hold_projection

KILLS = int(os.environ.get("STUDY_TEST_KILLS", "4"))
SIX = SMALL.replace("trials = 12", "trials = 6")

# Begins each fault in the process that writes to MLflow.
COUNTED = """
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
BY_THE_CLIENT = "import study.tracking.projection\n    study.tracking.projection.open_tables = lambda *a: None\n    "
IN_TABLES = (
    "from study.tracking.bulk_insert import RunTables\n    original = RunTables.{name}\n"
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


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=pytest.mark.exhaustive if fault in NEAR else ()) for fault in FAULTS]
)
def test_export_that_dies_half_done_is_completed_by_sync(fault: str, spec: Path, home: Path, tmp_path: Path) -> None:
    env = impatient_exporter(tmp_path / "exporter", COUNTED + "    " + FAULTS[fault])
    env["TEST_STORE"] = str(home / "mlflow.db")
    done = run_study("run", spec, "--home", home, "--jobs", 1, env=env)
    assert done.returncode == 0, done.stderr
    assert "trials are not in MLflow yet" in done.stdout
    assert f"run `study sync small --home {home}` to export them" in done.stdout
    synced = run_study("sync", "small", "--home", home)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert_whole(home)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("place", ["study.ledger.ledger.Ledger.commit", "study.tracking.exporter.Exporter.look"])
def test_coordinator_that_dies_leaves_no_run_behind_that_stays_wrong(
    place: str, spec: Path, home: Path, tmp_path: Path
) -> None:
    module, _, rest = place.rpartition(".")
    module, _, owner = module.rpartition(".")
    program = tmp_path / "dies.py"
    program.write_text(f"""
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
from study.cli.main import main
main()
""")
    died = subprocess.run([sys.executable, str(program)], env=environment(), capture_output=True, check=False)
    assert died.returncode == 9
    again = run_study("run", spec, "--home", home, "--jobs", 1)
    assert (again.returncode, again.stderr) == (0, "")
    assert_whole(home)


def runs_begun(home: Path) -> int:
    """Return how many runs are in the store, whole or not."""
    # Not read-only: what a kill left half written is rolled back by whoever reads next.
    with contextlib.closing(sqlite3.connect(home / "mlflow.db", timeout=30)) as store:
        return int(store.execute("SELECT count(*) FROM runs").fetchone()[0])


@needs_proc
@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.long
def test_kills_lose_no_run_and_write_none_twice(spec: Path, home: Path) -> None:
    """STUDY_TEST_KILLS says how many: the first half in the search, the others while runs are being written."""
    rng, trials = random.Random(7), 10 * KILLS
    spec.write_text(SMALL.replace("trials = 12", f"trials = {trials}"))
    for kill in range(KILLS):
        before = max(1, runs_begun(home))  # the study's own run, the first, is no trial's
        process = begin_process("run", spec, "--home", home, "--jobs", 2)
        if kill < KILLS // 2:
            for _ in range(2):  # it gets on from kill to kill
                read_until(process, f"/{trials})")
        else:  # with many kills nothing may be left to write
            wait_for(lambda known=before, p=process: p.poll() is not None or runs_begun(home) > known, "another run")
        time.sleep(rng.uniform(0, 0.1))  # when it dies is chance; what comes out is not
        if kill % 2:  # the other one is left to end by itself
            send(signal.SIGKILL, exporters_of(process.pid))
        process.kill()
        process.communicate()
    done = run_study("run", spec, "--home", home, "--jobs", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not in MLflow" not in done.stdout, done.stdout
    assert_whole(home)


@pytest.mark.faults
@pytest.mark.slow
def test_locked_store_does_not_delay_the_search(spec: Path, home: Path, tmp_path: Path) -> None:
    freed = threading.Event()
    locked = threading.Event()

    def lock() -> None:
        connection = sqlite3.connect(home / "mlflow.db", isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        locked.set()
        freed.wait(LIMIT)
        connection.close()

    thread = threading.Thread(target=lock)
    thread.start()
    try:
        assert locked.wait(LIMIT)
        env = impatient_exporter(tmp_path / "exporter", grace=3.0)  # after two, whoever waits is told what for
        done = run_study("run", spec, "--home", home, "--jobs", 1, env=env)
    finally:
        freed.set()
        thread.join()
    assert (done.returncode, done.stderr) == (0, "")
    assert "the search continues, and runs will be exported once MLflow responds" in done.stdout
    assert "database is locked" in done.stdout
    assert done.stdout.index("log J") < done.stdout.index("writing the last runs to MLflow")  # the table does not wait
    assert run_study("sync", "small", "--home", home).returncode == 0
    assert_whole(home)


def run_with_exporter(spec: Path, home: Path, silence: float, ended: Callable[[int], None]) -> tuple[str, list[str]]:
    """Run a study whose exporter is given up after so many seconds of silence; `ended` gets its process when the search
    has ended. Return what is said of missing runs in the end, and the lines before."""
    lines: list[str] = []
    with make_exporter(Home(home), "small", silence) as exporter:
        processes: list[int] = []

        def conclude(_: object) -> None:
            processes.extend(exporters_of(os.getpid()))
            ended(*processes)

        progress = Progress(lambda *_: None, lambda *_: None, lines.append, conclude)
        result = run(spec, Home(home), workers=Workers(1), exporter=exporter, progress=progress)
    assert gone(processes)
    with running_with({"home": home}):
        return result.missing_runs(), lines


@needs_proc
@pytest.mark.faults
@pytest.mark.slow
def test_exporter_that_is_suspended_does_not_hold_the_end_of_a_run(spec: Path, home: Path) -> None:
    missing, lines = run_with_exporter(spec, home, 1.5, lambda process: os.kill(process, signal.SIGSTOP))
    assert [
        line for line in lines if "that exports to MLflow" in line and "does not respond; waiting another 1 s" in line
    ]
    assert "did not respond for 1.5 s" in missing
    assert f"run `study sync small --home {home}` to export" in missing
    assert run_study("sync", "small", "--home", home).returncode == 0
    assert_whole(home)


@needs_proc
@pytest.mark.faults
@pytest.mark.slow
def test_exporter_that_is_busy_is_waited_for_however_long_it_writes(spec: Path, home: Path) -> None:
    """It waits for a lock here, longer than it may be silent."""
    silence, release = 2.0, threading.Event()

    def hold(_: int) -> None:
        threading.Timer(2 * silence, release.set).start()

    folder = Home(home).folder("small")
    folder.path.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        held = threading.Event()

        def keep() -> None:
            with hold_projection(folder):
                held.set()
                assert release.wait(LIMIT)

        keeping = pool.submit(keep)
        assert held.wait(LIMIT)
        missing, lines = run_with_exporter(spec, home, silence, hold)
        keeping.result()
    assert missing == ""
    assert "writing the last runs to MLflow …" in lines
    assert not [line for line in lines if "does not respond" in line]
    assert_whole(home)


def test_exporter_that_reads_nothing_does_not_hold_up_the_search(home: Path) -> None:
    """A pipe takes 64 KB: some thirteen thousand words."""
    exporter = Exporter(Home(home), "small", command=["sleep", "1000"])
    exporter.start()
    (process,) = running("sleep 1000", parent=os.getpid())
    try:
        for _ in range(20_000):
            exporter.look()
    finally:
        exporter.end()
    assert gone([process])


@pytest.mark.slow
def test_runs_deleted_duplicated_or_left_running_are_repaired(finished: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    uri = f"sqlite:///{home}/mlflow.db"
    client = mlflow.MlflowClient(uri, uri)
    _, trials = runs_in(uri)
    client.delete_run(trials[0].info.run_id)
    client.update_run(trials[1].info.run_id, status="RUNNING")
    double = client.create_run(trials[2].info.experiment_id, tags=trials[2].data.tags)
    client.set_terminated(double.info.run_id, "FINISHED")
    client.set_tag(trials[3].info.run_id, "mlflow.parentRunId", "of another store")
    done = run_study("sync", "small", "--home", home)
    moved = f"study: {home} was moved or copied; the paths of its artifacts in MLflow were updated\n"
    assert (done.returncode, done.stderr) == (0, moved)
    assert "2 were newly written" in done.stdout
    assert_whole(home)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    """A real MLflow server; whoever kills it starts it again."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "store.db")
    with Server(folder, folder / "store.db").running() as running:
        yield running


@pytest.mark.faults
@pytest.mark.slow
def test_killed_server_that_comes_back_has_every_run_once(
    server: Server, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    spec.write_text(SIX)
    env = impatient_exporter(tmp_path / "exporter")
    down = f"http://127.0.0.1:{free_port()}"
    done = run_study("run", spec, "--home", home, "--jobs", 1, env=env | {"MLFLOW_TRACKING_URI": down})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"MLflow at {down} does not respond" in done.stdout
    assert "6 trials are not in MLflow yet" in done.stdout

    log_batch, batches = mlflow.MlflowClient.log_batch, []

    def log_until_killed(*arguments: Any, **more: Any) -> Any:
        batches.append(arguments)
        if len(batches) == 3:  # the third run has begun, and is empty
            server.kill()
        return log_batch(*arguments, **more)

    env["MLFLOW_TRACKING_URI"] = server.address
    try:
        with monkeypatch.context() as patched:
            patched.setattr(mlflow.MlflowClient, "log_batch", log_until_killed)
            half = run_study("sync", "small", "--home", home, env=env)
    finally:
        server.kill()  # where it has not been
        server.start()
    assert half.returncode == 2
    assert f"MLflow at {server.address} does not respond" in half.stderr
    assert len(runs_in(server.address)[1]) == 3
    synced = run_study("sync", "small", "--home", home, env=env)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert_whole(home, server.address)


@pytest.mark.slow
def test_lost_replies_create_no_second_run(server: Server, spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    spec.write_text(SIX.replace('"small"', '"lossy"'))
    with losing_replies(server, "/runs/create", 4) as address:
        env = environment() | {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0"}
        done = run_study("run", spec, "--home", home, "--jobs", 1, env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "not in MLflow" not in done.stdout
    assert_whole(home, server.address, "lossy")


@pytest.mark.faults
@pytest.mark.slow
def test_no_password_is_written_anywhere(server: Server, spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    spec.write_text(SIX.replace('"small"', '"secret"'))
    address, closed = (f"http://me:pa55word@127.0.0.1:{port}" for port in (server.port, free_port()))
    env = impatient_exporter(tmp_path / "exporter")
    done = run_study("run", spec, "--home", home, "--jobs", 1, env=env | {"MLFLOW_TRACKING_URI": address})
    assert done.returncode == 0, done.stderr
    assert "pa55word" not in done.stdout
    refused = run_study("sync", "secret", "--home", home, env=env | {"MLFLOW_TRACKING_URI": closed})
    assert refused.returncode == 2
    assert "pa55word" not in refused.stdout + refused.stderr
    for path in (home / "studies").rglob("*"):
        assert path.is_dir() or b"pa55word" not in path.read_bytes(), path
    (parent,), trials = runs_in(server.address, "secret")
    assert len(trials) == 6
    assert "pa55word" not in str([run.to_dictionary() for run in (parent, *trials)])
