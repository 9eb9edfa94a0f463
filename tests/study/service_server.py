"""A service that answers within the test's process, and one as a process of its own, as `study serve` starts it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_study import environment

from study.home import Home
from study.service.app import make_service
from study.service.queue import Queue
from study.service.runner import Runner
from study.service.serving import make_server
from study.service.settings import Settings

TINY = """
name = "{name}"
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
    """Send one request, byte for byte as given; a Host of its own may be among the headers."""
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
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it answers before it has read all
                connection.send(body)
        reply = connection.getresponse()
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())


def submit(port: int, spec: str, path: str = "/studies", **headers: str) -> Reply:
    given = {"Content-Type": "application/toml"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(port, "POST", path, spec.encode(), given)


@contextmanager
def answering(settings: Settings) -> Iterator[int]:
    """Answer on a free port, without a runner: what is handed in stays queued. Yields the port."""
    settings.home.make()
    service = make_service(settings, Queue(settings.home))
    server = make_server(service)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
                assert thread.is_alive()
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


class Served:
    """`study serve` on a home, in a process of its own; started again on the same port after it was killed."""

    def __init__(self, home: Path, *options: str, storage: str | None = None) -> None:
        self.home, self.options, self.storage = home, options, storage
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.log = home.parent / f"{home.name}.serve.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "study.cli", "serve", "--home", str(self.home), "--port", str(self.port)]
        variables = environment() | ({} if self.storage is None else {"STUDY_STORAGE": self.storage})
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options], env=variables, stdout=log, stderr=log, cwd=self.home.parent
            )

    def wait(self) -> None:
        """Return when it answers."""
        assert self.process is not None
        while True:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(self.port, "GET", "/health").status == 200:
                    return
            time.sleep(0.05)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def study(self, name: str) -> Any:
        return ask(self.port, "GET", f"/studies/{name}").json()

    def until(self, name: str, *states: str) -> Any:
        """Return a study once it is in one of these states."""
        while (found := self.study(name))["state"] not in states:
            assert found["state"] in ("queued", "running"), found
            time.sleep(0.1)
        return found


@contextmanager
def serving(home: Path, *options: str, storage: str | None = None) -> Iterator[Served]:
    served = Served(home, *options, storage=storage)
    served.start()
    try:
        served.wait()
        yield served
    finally:
        if served.process is not None and served.process.poll() is None:
            served.stop()


def settings_for(folder: Path, **options: Any) -> Settings:
    """Return settings on a home in a folder, which data may be read from."""
    options.setdefault("folders", (folder.resolve(),))
    return Settings(home=Home(folder / "home"), **options)


def assert_refused(reply: Reply, status: int, caplog: pytest.LogCaptureFixture, method: str, path: str) -> None:
    """A problem with this code, and one line of the log that says so."""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), reply.body
    lines = [record.getMessage() for record in caplog.records if record.name == "study.service"]
    (line,) = [line for line in lines if line.startswith(f"refused {method} '{path}' from 127.0.0.1: {status} ")]
    assert "\n" not in line


def until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.05)


@contextmanager
def running(queue: Queue, home: Home) -> Iterator[None]:
    runner = Runner(queue, home, jobs=1, tracking=False)
    runner.start()
    try:
        yield
    finally:
        runner.stop()


def alive(marker: str) -> list[int]:
    """Return processes whose command line has these words."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker.encode() in place.joinpath("cmdline").read_bytes() and int(place.name) != os.getpid():
                found.append(int(place.name))
    return found
