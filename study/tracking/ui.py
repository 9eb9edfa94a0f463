"""Serve the MLflow UI or optuna-dashboard for a home on loopback, until Ctrl-C."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Mapping, Sequence

from study.errors import UserError, needs_package
from study.ledger.home import Home, StudyFolder
from study.ledger.postgres import for_optuna
from study.ledger.results import read_experiment
from study.text.printable import say
from study.text.redaction import redact_address
from study.text.shell import next_command
from study.text.verbosity import log
from study.tracking.store import tracking_uri
from study.tracking.views import page_address

SHOWN = 5  # number of studies whose pages are listed
_LEDGER = "STUDY_DASHBOARD_LEDGER"
_DASHBOARD = f"""
import os, sys
from optuna_dashboard import run_server
run_server(os.environ[{_LEDGER!r}], "127.0.0.1", int(sys.argv[1]))
"""
READY_WITHIN = 90.0  # seconds; the first start on a slow disk takes a while


def serve(home: Home, port: int, name: str | None = None, *, browser: bool = True) -> None:
    """Run the MLflow server and print its address once it responds.

    Args:
        home: home with the store.
        port: port on 127.0.0.1.
        name: study whose page is opened; None means the one that ran most recently.
        browser: open the page in a web browser, if there is a display.

    Raises:
        UserError: if there are no runs, the port is in use, or the server did not start.
    """
    names = [name] if name else sorted(home.names(), key=lambda each: -_last_written(home.folder(each)))
    if name:
        home.existing(name)
    uri = tracking_uri(home)
    if uri.startswith("http"):
        _say(home, redact_address(uri), names)
        return
    if not os.environ.get("MLFLOW_TRACKING_URI") and not home.mlflow_database.exists():
        raise UserError(f"no runs in {home.path} yet; run a study first: {next_command('run', 'SPEC.toml')}")
    command = [sys.executable, "-m", "mlflow", "server"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-serve-artifacts"]
    log.info("starting MLflow …")

    def ready() -> None:
        first = _say(home, f"http://127.0.0.1:{port}", names)
        log.info("press Ctrl-C to stop")
        if browser:
            _open(first)

    _run(command, port, "MLflow", ready, variables={"MLFLOW_BACKEND_STORE_URI": uri})


def serve_dashboard(home: Home, port: int, name: str) -> None:
    """Serve optuna-dashboard on a study's ledger until Ctrl-C.

    Raises:
        UserError: if the study does not exist, optuna-dashboard is not installed, the port is in use, or the server
            did not start.
    """
    folder = home.existing(name)
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise needs_package("--optuna", "optuna-dashboard")
    variables = {_LEDGER: str(folder.ledger) if folder.storage is None else for_optuna(folder.storage)}
    command = [sys.executable, "-c", _DASHBOARD, str(port)]

    def ready() -> None:
        say(f"optuna-dashboard is serving at http://127.0.0.1:{port} (press Ctrl-C to stop)")

    _run(command, port, "optuna-dashboard", ready, path="/", variables=variables)


def _last_written(folder: StudyFolder) -> float:
    """Return the time of a study's last write, in seconds since 1970; 0 if it was on another machine."""
    path = folder.ledger if folder.storage is None else folder.exports
    return path.stat().st_mtime if path.exists() else 0.0


def _say(home: Home, server: str, names: Sequence[str]) -> str:
    """Print the addresses of the server and of the studies' pages; return the first page."""
    say(f"MLflow is serving at {server}")
    pages = []
    for name in names[:SHOWN]:
        experiment = read_experiment(home.folder(name))
        if experiment is not None:
            pages.append(page_address(server, experiment, name))
            say(f"  {name}: {pages[-1]}")
    return pages[0] if pages else server


def _open(address: str) -> None:
    """Open a page in a web browser, if there is a display."""
    if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)


def _run(
    command: list[str],
    port: int,
    what: str,
    ready: Callable[[], None],
    path: str = "/health",
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run a server until it ends or Ctrl-C is pressed, even while the server starts.

    Args:
        command: command that starts the server.
        port: port on 127.0.0.1.
        what: name of the server.
        ready: called once the server responds.
        path: path that responds once the server is up.
        variables: environment variables, including addresses that may contain a password, since command lines are
            visible to every user.
    """
    if _taken(port):
        raise UserError(f"--port {port}: already in use by another program; use another port, such as {port + 1}")
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **(variables or {}),
    }
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own interpreter
    try:
        _wait(server, port, what, path)
        ready()
        server.wait()
    except KeyboardInterrupt:
        log.info("stopped")
    finally:
        server.terminate()
        server.wait()


def _wait(server: "subprocess.Popen[bytes]", port: int, what: str, path: str) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise UserError(f"{what} stopped with exit code {server.returncode} before it responded")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise UserError(f"{what} did not respond on port {port} within {READY_WITHIN:.0f} seconds")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
