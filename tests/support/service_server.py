"""A service that answers in the test's process, and one in a separate process, as started by `study serve`."""

import contextlib
import http.client
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support.command import Completed, environment, run_study
from support.ports import free_port
from support.waiting import wait_for

from study.ledger.home import Home
from study.service import children
from study.service.app import make_service
from study.service.connections import Connections
from study.service.queue import Queue
from study.service.runner import Runner
from study.service.serving import make_server
from study.service.settings import Settings

TINY = """
name = "{name}"
baselines.enabled = false
[data]
source = "synthetic:planar_flower"
examples = 60
[space]
learning_rate = 0.5
iterations = 5
depth = 1
units = 2
[search]
trials = 1
pruner = "none"
"""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any
) -> Reply:
    """Send one request exactly as given; the headers may include a Host."""
    given = {name.lower(): value for name, value in (headers or {}).items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host="host" in given, skip_accept_encoding=True)
        if body is not None and "content-length" not in given and "transfer-encoding" not in given:
            given["content-length"] = str(len(body))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders()
        if body is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it answers before it has read everything
                connection.send(body)
        reply = connection.getresponse()
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())


def submit(port: int, spec: str, path: str = "/studies", **headers: str) -> Reply:
    given = {"Content-Type": "application/toml"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(port, "POST", path, spec.encode(), given)


class Service:
    """A service that answers on a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def study(self, name: str) -> Any:
        """Return the service's record of a study."""
        return ask(self.port, "GET", f"/studies/{name}").json()

    def until(self, name: str, *states: str) -> Any:
        """Wait until a study is in one of these states, and return it."""

        def there() -> Any:
            found = self.study(name)
            assert found["state"] in ("queued", "running", *states), found
            return found["state"] in states and found

        return wait_for(there, f"{name} to be {' or '.join(states)}")

    def until_finished(self, name: str, trials: int) -> Any:
        """Wait until this number of trials of a study are finished, and return it."""

        def there() -> Any:
            found = self.study(name)
            return found["finished"] >= trials and found

        return wait_for(there, f"{name} to have {trials} finished trials")


@contextmanager
def answering(
    settings: Settings,
    queue: Queue | None = None,
    runner: Runner | None = None,
    connections: Connections | None = None,
) -> Iterator[int]:
    """Answer on a free port in this process, and yield the port. Without a runner, submissions stay queued."""
    settings.home.make()
    server = make_server(make_service(settings, queue or Queue(settings.home), runner), connections)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive(), "the service to answer")
            assert server.started
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


class Served(Service):
    """`study serve` on a home in a separate process, which is restarted on the same port after it was killed."""

    def __init__(self, home: Path, *options: str, storage: str | None = None, prefix: Sequence[str] = ()) -> None:
        super().__init__(free_port())
        self.home, self.options, self.storage, self.prefix = home, options, storage, prefix
        self.log = home.parent / f"{home.name}.serve.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "study", "serve", "--home", str(self.home), "--port", str(self.port)]
        variables = environment() | ({} if self.storage is None else {"STUDY_STORAGE": self.storage})
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *command, *self.options], env=variables, stdout=log, stderr=log, cwd=self.home.parent
            )

    def wait(self) -> None:
        """Wait until the service answers."""
        process = self.process
        assert process is not None

        def healthy() -> bool:
            assert process.poll() is None, self.log.read_text()
            try:
                return ask(self.port, "GET", "/health").status == 200
            except (OSError, http.client.HTTPException):
                return False

        wait_for(healthy, "the service to answer")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(home: Path, *options: str, storage: str | None = None, prefix: Sequence[str] = ()) -> Iterator[Served]:
    """Serve in a separate process, with `prefix` in front of the command."""
    served = Served(home, *options, storage=storage, prefix=prefix)
    served.start()
    try:
        served.wait()
        yield served
    finally:
        if served.process is not None and served.process.poll() is None:
            served.stop()


def settings_for(folder: Path, **options: Any) -> Settings:
    """Return settings for a home in a folder from which data may be read."""
    options.setdefault("folders", (folder.resolve(),))
    return Settings(home=Home(folder / "home"), **options)


def assert_refused(reply: Reply, status: int, caplog: pytest.LogCaptureFixture, method: str, path: str) -> None:
    """Assert that the reply is a problem with this status, and that one line of the log reports it."""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), reply.body
    lines = [record.getMessage() for record in caplog.records if record.name == "study.service"]
    (line,) = [line for line in lines if line.startswith(f"refused {method} '{path}' from 127.0.0.1: {status} ")]
    assert "\n" not in line


@contextmanager
def running(queue: Queue, home: Home, *, jobs: int = 1, concurrent: int = 1) -> Iterator[Runner]:
    """Run the studies of a queue with a runner in this process; each study runs in a separate process."""
    runner = Runner(queue, home, jobs=jobs, concurrent=concurrent, tracking=False)
    runner.start()
    try:
        yield runner
    finally:
        runner.stop()


@contextmanager
def serving_here(home: Path, *, storage: str | None = None, jobs: int = 1, concurrent: int = 1) -> Iterator[Service]:
    """Answer, and run submitted studies, in this process, like `study serve` without its startup and shutdown."""
    settings = Settings(home=Home(home, storage), folders=(home.parent.resolve(),), mlflow=False)
    settings.home.make()
    queue = Queue(settings.home)
    with (
        running(queue, settings.home, jobs=jobs, concurrent=concurrent) as runner,
        answering(settings, queue, runner) as port,
    ):
        yield Service(port)


@contextmanager
def instant_studies(*names: str) -> Iterator[None]:
    """Make the processes of these studies end immediately and successfully if a runner in this process starts them.

    For tests of only the queue. This saves the seconds that a study's process needs for imports.
    """
    start = children.start

    def start_instant(command: Sequence[str], *others: Any) -> children.Process:
        (spec,) = [Path(word) for word in command if word.endswith("/service/spec.toml")]
        return start(["true"] if spec.parents[1].name in names else command, *others)

    with mock.patch.object(children, "start", start_instant):
        yield


def refuse_to_serve(*arguments: object, env: Mapping[str, str] | None = None) -> Completed:
    """Run a `study serve` that ends immediately in this process, and restore the loggers of the process."""
    loggers = [logging.getLogger(name) for name in ("study.service", "uvicorn", "uvicorn.access", "asyncio")]
    before = [(each, list(each.handlers), each.level, each.propagate) for each in loggers]
    try:
        return run_study("serve", *arguments, env=env)
    finally:
        for each, handlers, level, propagate in before:
            each.handlers, each.propagate = handlers, propagate
            each.setLevel(level)
