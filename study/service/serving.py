"""The process of `study serve`, which handles requests, runs the queue, and starts the MLflow server."""

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
from study.text.verbosity import log as messages

GRACE = 3  # seconds to finish open responses when the service stops


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        UserError: if another service uses the home, the port is in use, or the database refuses access.
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
        except KeyboardInterrupt:  # uvicorn raises the signal again after the last response
            pass
        finally:
            runner.stop()
            if mlflow is not None:
                mlflow.stop()
    messages.info("stopped; running studies will be resumed at the next start")


def make_server(service: Service, connections: Connections | None = None) -> uvicorn.Server:
    """Return the HTTP server of a service; pass the listening socket to its `run`.

    Args:
        service: service that handles the requests.
        connections: open connections and their limits; None means the default limits.
    """
    connections = connections or Connections()
    # URLs may contain private data; rejected requests are logged separately.
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
    """A server with a long backlog in the kernel, which closes the event streams when it stops instead of waiting."""

    def __init__(self, config: uvicorn.Config, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing = closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(BACKLOG)  # asyncio uses one number for this and for connections per iteration

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing()
        await super().shutdown(sockets)


def _say(settings: Settings, listening: socket.socket, mlflow: MlflowServer | None) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    say(f"study is serving at http://{host}:{listening.getsockname()[1]}")
    if mlflow is not None and mlflow.address:
        say(f"MLflow is serving at {mlflow.address}")
    if settings.home.storage is not None:
        say(f"the queue and the ledgers are in {settings.home.place}")
    for folder in settings.folders:
        say(f"data files are read from {folder}")
    messages.info("press Ctrl-C to stop")


@contextmanager
def _only_one(home: Home) -> Iterator[None]:
    """Hold the service's lock on a home. The operating system releases it even after a crash.

    Raises:
        UserError: if another service holds the lock.
    """
    with (home.path / "service.lock").open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            raise UserError(
                f"--home {home.path}: already served by process {held.read().strip() or '?'}; "
                "stop it, or use another home"
            ) from None
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on a socket declared as TCP; otherwise the second piece of a response waits 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            raise UserError(
                f"--host {settings.host} --port {settings.port}: could not listen ({error.strerror}); "
                "use another port, or 0 for a free one"
            ) from None
        yield listening


def _log_to_stderr() -> None:
    handler = BoundedHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    own = messages.level or logging.INFO
    for name, level in (("study.service", own), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
