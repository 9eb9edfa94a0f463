"""The MLflow server, run as a child process of the service on a free loopback port."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Literal

from study.ledger.home import Home
from study.service import children
from study.service.problems import log
from study.text.redaction import redact_address
from study.tracking.store import make_store, quiet_mlflow, tracking_uri

ENDS_WITHIN = 5.0  # seconds


class MlflowServer:
    """Start, monitor and stop the MLflow server. If MLFLOW_TRACKING_URI names a server, use that one instead."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.address: str | None = None
        self._process: children.Process | None = None
        self._answered = False
        self._lock, self._log = home.path / "service" / "mlflow.lock", home.path / "service" / "mlflow.log"

    def start(self) -> None:
        """Start the server, replacing one that an earlier service left; do not wait until it responds."""
        uri = tracking_uri(self.home)
        if uri.startswith("http"):
            self.address, self._answered = redact_address(uri), True
            return
        children.kill(self._lock)
        deadline = time.monotonic() + ENDS_WITHIN
        while children.is_alive(self._lock) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._make_store()
        port = _free_port()
        command = [sys.executable, "-m", "mlflow", "server"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-serve-artifacts"]
        # The URI may contain a password, and command lines are visible to every user.
        variables = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
        variables["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.unlink(missing_ok=True)
        try:
            self._process = children.start(command, self._lock, self._log, variables)
        except BlockingIOError:
            log.warning("could not stop the MLflow server of an earlier service; the MLflow UI is not available")
            return
        self.address = f"http://127.0.0.1:{port}"

    def _make_store(self) -> None:
        """Create the store before anything opens it. This imports MLflow, which is slow, only if necessary."""
        if self.home.mlflow_database.exists():
            make_store(self.home)
            return
        with quiet_mlflow():
            make_store(self.home)

    def state(self) -> Literal["starting", "up", "down"]:
        """Return the state of the server."""
        if self.address is None or (self._process is not None and self._process.poll() is not None):
            return "down"
        if not self._answered:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=1):  # noqa: S310 - our own, on loopback
                    self._answered = True
            except (urllib.error.URLError, OSError):
                return "starting"
        return "up"

    def stop(self) -> None:
        """Stop the server, if this service started it."""
        if self._process is None:
            return
        children.interrupt(self._lock)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDS_WITHIN)
        with contextlib.suppress(ProcessLookupError):  # its workers, if any are left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
