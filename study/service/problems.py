"""Errors as RFC 9457 problem details: one form for all of them, and a line in the log for each."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from study.text.records import Json

Responses = dict[int | str, dict[str, Json]]
"""What a route may answer, by status, as OpenAPI describes it."""

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("study.service")


class Problem(Exception):  # noqa: N818 - the name that RFC 9457 gives it
    """An answer that says what was wrong with a request.

    Args:
        status: of HTTP.
        detail: what is wrong, where, and what would be right.
        kind: a word for programs; "" leaves that to the status.
        headers: of the answer.
    """

    def __init__(self, status: int, detail: str, kind: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind, self.headers = status, detail, kind, dict(headers or {})

    def body(self) -> bytes:
        """Return it as RFC 9457 has it."""
        told = {
            "type": f"urn:study:problem:{self.kind}" if self.kind else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return json.dumps(told).encode()

    def response(self) -> Response:
        """Return the answer."""
        return Response(self.body(), self.status, self.headers, media_type=MEDIA_TYPE)


SCHEMA: dict[str, Json] = {
    "title": "Problem",
    "description": "Problem details as RFC 9457 has them.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "additionalProperties": False,
}


def declare(**details: str) -> Responses:
    """Return responses for OpenAPI: `declare(s404="no such study")`."""
    schema: Json = {"$ref": "#/components/schemas/Problem"}
    return {
        int(status[1:]): {"description": said, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, said in details.items()
    }


def log_refusal(method: str, path: str, status: int, detail: str, peer: str) -> None:
    """Write the line of a request that was refused; what the client wrote is quoted, so that it stays one line."""
    log.warning("refused %s %r from %s: %d %s", method[:16], path[:200], peer, status, " ".join(detail.split())[:400])


def answer_with_problems(app: FastAPI) -> None:
    """Answer every error of an application with a problem, those of FastAPI and Starlette too."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return _refuse(request, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
        return _refuse(request, Problem(error.status_code, str(error.detail), headers=headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = " ".join(str(part) for part in first["loc"])
        return _refuse(request, Problem(422, f"{place}: {first['msg']}", "invalid"))


def _allowed(request: Request) -> str:
    """Return all methods of a path; a router names those of the first route alone."""
    paths = request.app.openapi()["paths"]
    found = [methods for path, methods in paths.items() if compile_path(path)[0].match(request.scope["path"])]
    return ", ".join(sorted({method.upper() for methods in found for method in methods})) or "GET"


def _refuse(request: Request, problem: Problem) -> Response:
    peer = request.client.host if request.client else "?"
    log_refusal(request.method, request.url.path, problem.status, problem.detail, peer)
    return problem.response()
