"""`study ui`: MLflow's own pages on the store of the home, on loopback, until Ctrl-C."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from study.errors import UserError
from study.home import Home
from study.tracking import tracking_uri

READY_WITHIN = 90.0  # seconds; a first start on a slow disk takes a while


def serve(home: Home, port: int) -> None:
    """Start the server, say where it is once it answers, wait, and stop it.

    Raises:
        UserError: there is nothing to show, the port is taken, or the server did not start.
    """
    uri = tracking_uri(home)
    if uri.startswith("http"):
        print(f"Runs are tracked at {uri}: open it in a browser.")
        return
    if uri.startswith("sqlite:///") and not home.mlflow_database.exists():
        raise UserError(f"no runs in {home.path} yet; run a study first: study run SPEC.toml")
    if _taken(port):
        raise UserError(f"--port {port}: something else listens there; name another port, such as {port + 1}")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-serve-artifacts"]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    print("starting MLflow …", flush=True)
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own interpreter
    try:
        _wait(server, port)
        print(f"MLflow is at http://127.0.0.1:{port} (Ctrl-C stops it)", flush=True)
        server.wait()
    except KeyboardInterrupt:
        print("stopped")
    finally:
        server.terminate()
        server.wait()


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise UserError(f"the MLflow server stopped with exit code {server.returncode}; see `mlflow server --help`")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise UserError(f"the MLflow server did not answer on port {port} within {READY_WITHIN:.0f} seconds")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
