"""A real MLflow server, a proxy that loses replies, and assertions on the runs in a store."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
from mlflow.entities import Run
from support.command import environment
from support.ports import answers, free_port
from support.small_study import show
from support.waiting import wait_for

from study.tracking.trial_run import STATUS


class Server:
    """`mlflow server` with its own SQLite store."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.folder, self.database, self.port = folder, database, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator["Server"]:
        """Run the server until the block ends."""
        self.start()
        try:
            yield self
        finally:
            self.kill()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self.database}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts"), "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        env = environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=env, stdout=nowhere, stderr=nowhere, start_new_session=True)
        wait_for(self._answers, "the MLflow server to answer")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the server ended before it responded"
        return answers(f"{self.address}/health")

    def kill(self) -> None:
        """Kill all processes of the server."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def losing_replies(server: Server, path: str, losses: int) -> Iterator[str]:
    """Forward requests to a server, but lose the replies to the first ones for a path; yield the proxy's address."""
    left = [losses]

    class Proxy(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            upstream = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            with contextlib.closing(upstream):
                upstream.request(self.command, self.path, body, headers)
                reply = upstream.getresponse()
                content = reply.read()
            if self.path.endswith(path) and left[0]:
                left[0] -= 1
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - names that http.server requires

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # the connection that was closed above
                super().handle()

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
        assert left[0] == 0, "no reply was lost"
    finally:
        proxy.shutdown()
        proxy.server_close()


def runs_in(uri: str, name: str = "small") -> tuple[list[Run], list[Run]]:
    """Return the parent runs of a study and the runs of its trials."""
    client = mlflow.MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name(name)
    runs = list(client.search_runs([experiment.experiment_id])) if experiment else []
    trials = [run for run in runs if "study.trial_uid" in run.data.tags]
    return [run for run in runs if run not in trials], trials


def assert_whole(home: Path, uri: str | None = None, name: str = "small") -> None:
    """Assert that every finished trial of the ledger has exactly one complete run, and that no run is RUNNING."""
    uri = uri or f"sqlite:///{home}/mlflow.db"
    client = mlflow.MlflowClient(uri, uri)
    (parent,), runs = runs_in(uri, name)
    study = show(home, name)
    finished = {trial["number"]: trial for trial in study["trials"] if trial["state"] != "running"}
    counted = Counter(int(run.data.tags["study.trial_uid"].rpartition("/")[2]) for run in runs)
    assert counted == Counter(finished.keys()), (counted, sorted(finished))
    assert parent.data.tags["study.state"] == study["state"]
    assert parent.info.status == ("FINISHED" if study["state"] == "complete" else "KILLED")
    for run in runs:
        trial = finished[int(run.data.tags["study.trial_uid"].rpartition("/")[2])]
        assert run.info.status == STATUS[trial["state"]]
        assert run.data.tags["study.state"] == trial["state"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.run_id == trial["run_id"]
        assert float(run.data.params["learning_rate"]) == trial["params"]["learning_rate"]
        points = [point.step for point in client.get_metric_history(run.info.run_id, "cost")]
        assert len(points) == len(set(points)) == min(40, trial["iterations"])
        assert {"work", "seconds", "parameters", "dev_cost"} <= set(run.data.metrics)
        files = client.list_artifacts(run.info.run_id)
        names = {file.path for file in files}
        assert all(file.file_size > 20 for file in files)  # number of bytes that the tests leave of a torn file
        assert {"cost.csv", "curve.svg", "dev.csv"} <= names
        assert [each.dataset.name for each in run.inputs.dataset_inputs] == [f"{name} train", f"{name} dev"]
        if trial["state"] == "complete":
            assert "dev_predictions.npz" in names
            assert "train_accuracy" in run.data.metrics
