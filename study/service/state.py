"""State and helpers that all routes of the service share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, TypeVar, TypeVarTuple

from fastapi import Path, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from study.errors import MachineError, UserError
from study.service.commanding import Commands
from study.service.events import Events
from study.service.metrics import Metrics
from study.service.mlflow_server import MlflowServer
from study.service.problems import Problem, log
from study.service.queue import Queue, Submission
from study.service.reading import StudyReader
from study.service.runner import Runner
from study.service.schemas import StudyLine
from study.service.settings import Settings
from study.spec.whole import NAME

RETRY_AFTER = "5"  # seconds
Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$", max_length=100, description="Name of the study.")]


@dataclass
class Service:
    """Configuration and components of a running service. `runner` and `mlflow` are None if it only handles requests."""

    settings: Settings
    queue: Queue
    reader: StudyReader
    metrics: Metrics
    commands: Commands
    runner: Runner | None = None
    mlflow: MlflowServer | None = None
    events: Events = field(init=False)
    _readers: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        # One thread reads ledgers and one reads the files of trials; more threads would only wait for each other.
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="reader")
        self.events = Events(self.studies)

    async def studies(self) -> bytes:
        """Return the list of studies as JSON, at most half a second old."""
        listed = self.reader.listed()
        return await self.read(self.reader.studies) if listed is None else listed

    async def read(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Call a function that reads files or the database in a reader thread.

        Raises:
            Problem: 503 if the database does not respond or refuses access.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, call, *arguments)
        except (MachineError, UserError) as error:
            if self.settings.home.storage is None:
                raise
            log.warning("%s", error)
            detail = "the database of the queue and the ledgers does not respond; try again later"
            raise Problem(503, detail, "database", {"Retry-After": RETRY_AFTER}) from None

    def changed(self) -> None:
        """Update the list and wake the runner, because a study was submitted or cancelled."""
        self.reader.expire()
        if self.runner is not None:
            self.runner.wake()

    async def find(self, name: str) -> tuple[StudyLine, Submission | None]:
        """Return a study.

        Raises:
            Problem: 404 if there is no study with this name.
        """

        def read_line() -> tuple[StudyLine | None, Submission | None]:
            submission = self.queue.find(name)
            return self.reader.line(name, submission), submission

        line, submission = await self.read(read_line)
        if line is None:
            raise Problem(404, f"study {name!r} not found", "no-study")
        return line, submission


def answer(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a model as a JSON response. Numbers that are not finite are null."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


async def chunks_of(request: Request, most: int) -> AsyncIterator[bytes]:
    """Yield the body of a request piece by piece.

    Raises:
        Problem: 413 if the body is larger than allowed, regardless of its Content-Length.
    """
    too_large = Problem(413, f"the body exceeds the limit of this server, {most:,} bytes", "too-large")
    length = request.headers.get("content-length", "")
    if length.isdigit() and len(length) < 20 and int(length) > most:
        raise too_large
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise too_large
            yield chunk
    except ClientDisconnect:
        raise Problem(400, "the client disconnected before the end of the body", "left") from None


async def body_of(request: Request, most: int) -> bytes:
    """Return the body of a request; reject it if it has more bytes than `most`."""
    return b"".join([chunk async for chunk in chunks_of(request, most)])


def media_type_of(request: Request) -> str:
    """Return the media type of a request's body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
