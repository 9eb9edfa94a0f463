"""Report every error as problem details (RFC 9457), and write one line to the log for each."""

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
"""The possible responses of a route by status, as OpenAPI describes them."""

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("study.service")


class Problem(Exception):  # noqa: N818 - the term of RFC 9457
    """An error response to a request.

    Args:
        status: HTTP status.
        detail: what is wrong, where, and how to fix it.
        kind: machine-readable type of the problem; "" if the status is sufficient.
        headers: additional headers of the response.
    """

    def __init__(self, status: int, detail: str, kind: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind, self.headers = status, detail, kind, dict(headers or {})

    def body(self) -> bytes:
        """Return the problem as a JSON document (RFC 9457)."""
        problem = {
            "type": f"urn:study:problem:{self.kind}" if self.kind else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return json.dumps(problem).encode()

    def response(self) -> Response:
        """Return the problem as a response."""
        return Response(self.body(), self.status, self.headers, media_type=MEDIA_TYPE)


SCHEMA: dict[str, Json] = {
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
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
    """Return error responses for OpenAPI, as in `declare(s404="no such study")`."""
    schema: Json = {"$ref": "#/components/schemas/Problem"}
    return {
        int(status[1:]): {"description": detail, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, detail in details.items()
    }


def log_refusal(method: str, path: str, status: int, detail: str, peer: str) -> None:
    """Log a rejected request. Text from the client is quoted, so that the entry stays on one line."""
    log.warning("refused %s %r from %s: %d %s", method[:16], path[:200], peer, status, " ".join(detail.split())[:400])


def answer_with_problems(app: FastAPI) -> None:
    """Respond to every error of an application with a problem, including errors of FastAPI and Starlette."""

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
    """Return all methods of a path; a router only names those of the first matching route."""
    paths = request.app.openapi()["paths"]
    found = [methods for path, methods in paths.items() if compile_path(path)[0].match(request.scope["path"])]
    return ", ".join(sorted({method.upper() for methods in found for method in methods})) or "GET"


def _refuse(request: Request, problem: Problem) -> Response:
    peer = request.client.host if request.client else "?"
    log_refusal(request.method, request.url.path, problem.status, problem.detail, peer)
    return problem.response()
