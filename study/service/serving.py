"""`study serve`: one process that answers, runs the queue and has MLflow's server beside it, until told to stop."""

import fcntl
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn

from study.errors import UserError
from study.ledger.home import Home
from study.service.app import create_app, make_service
from study.service.bounded_log import BoundedHandler
from study.service.connections import ACCEPTED_AT_ONCE, BACKLOG, Connections
from study.service.data_files import forget_unfinished
from study.service.http_protocol import BoundedHttp
from study.service.limits import QUEUED
from study.service.mlflow_server import MlflowServer
from study.service.queue import Queue
from study.service.runner import Runner
from study.service.settings import Settings
from study.service.state import Service
from study.text.printable import say
from study.text.verbosity import log as told

GRACE = 3  # seconds that open answers have when the service stops


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        UserError: another service has the home, the port is taken, or the database refuses.
    """
    _log_to_stderr()
    home = settings.home
    home.make()
    with _only_one(home), _listen(settings) as listening:
        forget_unfinished(settings.uploads)
        queue = Queue(home, QUEUED)
        mlflow = MlflowServer(home) if settings.mlflow else None
        runner = Runner(queue, home, jobs=settings.jobs, concurrent=settings.concurrent, tracking=settings.mlflow)
        service = make_service(settings, queue, runner, mlflow)
        server = make_server(service)
        try:
            if mlflow is not None:
                mlflow.start()
            runner.start()
            _say(settings, listening, mlflow)
            server.run([listening])
        except KeyboardInterrupt:  # uvicorn raises the signal once more when all is answered
            pass
        finally:
            runner.stop()
            if mlflow is not None:
                mlflow.stop()
    told.info("stopped; what ran goes on at the next start")


def make_server(service: Service, connections: Connections | None = None) -> uvicorn.Server:
    """Return the HTTP server of a service; `run` takes the socket that it listens on.

    Args:
        service: that answers.
        connections: counts those that are open; None takes as many as this process may open, and the usual times.
    """
    connections = connections or Connections()
    # Addresses may hold what is nobody's business; refusals have a line of their own.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        create_app(service),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=connections.limits.keep_alive,
        backlog=ACCEPTED_AT_ONCE,
        http=cast("Any", partial(BoundedHttp, connections)),
        ws="none",
    )
    return _Server(config, service.events.close)


class _Server(uvicorn.Server):
    """Has connections wait in the kernel, and closes the streams of events, which it would wait for, when it stops."""

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(BACKLOG)  # asyncio takes one number for this and for how many it accepts in a turn

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing()
        await super().shutdown(sockets)


def _say(settings: Settings, listening: socket.socket, mlflow: MlflowServer | None) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    say(f"study serves http://{host}:{listening.getsockname()[1]}")
    if mlflow is not None and mlflow.address:
        say(f"MLflow is at {mlflow.address}")
    if settings.home.storage is not None:
        say(f"queue and ledgers are in {settings.home.place}")
    for folder in settings.folders:
        say(f"data are read from {folder}")
    told.info("Ctrl-C stops it")


@contextmanager
def _only_one(home: Home) -> Iterator[None]:
    """Hold the lock of the service on a home, which the operating system gives back however it ends.

    Raises:
        UserError: another service has it.
    """
    with (home.path / "service.lock").open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            raise UserError(
                f"--home {home.path}: is served by process {held.read().strip() or '?'} already; one service has a home"
            ) from None
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends an answer's second piece at once only on a socket that is said to be TCP; else it waits 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            raise UserError(
                f"--host {settings.host} --port {settings.port}: cannot be listened on ({error.strerror}); "
                "name another port, or 0 for a free one"
            ) from None
        yield listening


def _log_to_stderr() -> None:
    handler = BoundedHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    own = told.level or logging.INFO
    for name, level in (("study.service", own), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
