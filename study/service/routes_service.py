"""Routes of the service itself: its page, documentation, health, metrics, events and session."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from study import __version__
from study.service import events, metrics
from study.service.problems import Problem, Responses, declare
from study.service.schemas import Health
from study.service.security import COOKIE, cookie_for
from study.service.state import Service, answer
from study.text.colors import color_rules

_FILES = Path(__file__).parent / "page"
_TYPES = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}
_HTML: Responses = {200: {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}}


def service_routes(service: Service) -> APIRouter:
    """Return the routes of the service itself."""
    routes = APIRouter()

    @routes.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(_read("index.html"), media_type="text/html; charset=utf-8")

    @routes.get("/static/{file}", include_in_schema=False)
    async def static(file: Literal["page.js", "page.css"]) -> Response:
        text = color_rules().encode() + _read(file) if file == "page.css" else _read(file)
        return Response(text, media_type=_TYPES[file], headers={"Cache-Control": "no-cache"})

    @routes.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        return Response(status_code=204)

    @routes.get("/docs", tags=["service"], response_class=Response, responses=_HTML)
    async def docs(request: Request) -> Response:
        """Return the documentation of this API as a page."""
        return Response(_describe(request.app.openapi()), media_type="text/html; charset=utf-8")

    @routes.get("/health", tags=["service"], response_model=Health)
    async def health() -> Response:
        """Return the state of the service. No token is needed."""
        counts = await service.read(service.queue.counts)
        alive = service.runner is None or service.runner.is_alive()
        return answer(
            Health(
                status="ok" if alive else "failing",
                version=__version__,
                queued=counts["queued"],
                running=counts["running"],
                mlflow="off" if service.mlflow is None else await service.read(service.mlflow.state),
            )
        )

    @routes.get(
        "/metrics",
        tags=["service"],
        response_class=Response,
        responses={
            200: {"description": "Metrics for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}
        },
    )
    async def figures() -> Response:
        """Return the metrics of the service."""
        counts = await service.read(service.queue.counts)
        text = service.metrics.text(counts, service.events.open)
        return Response(text, headers={"Content-Type": f"{metrics.MEDIA_TYPE}; charset=utf-8"})

    @routes.get(
        "/events",
        tags=["service"],
        response_class=Response,
        responses={
            200: {
                "description": "`studies`: the list; then `changes`: `{studies: [new or changed], gone: [names]}`.",
                "content": {events.MEDIA_TYPE: {"schema": {"type": "string"}}},
            },
            **declare(s429="too many event streams are open"),
        },
    )
    async def follow() -> Response:
        """Send the list of studies, then its changes, as server-sent events until the client disconnects."""
        if service.events.open >= events.MOST:
            raise Problem(429, f"{events.MOST} event streams are already open; close one", "full")
        return StreamingResponse(service.events.stream(), media_type=events.MEDIA_TYPE)

    @routes.post(
        "/session", tags=["service"], status_code=204, responses=declare(s403="the request comes from another site")
    )
    async def session(request: Request) -> Response:
        """Set the session cookie of a browser that sent the token."""
        response = Response(status_code=204)
        token = service.settings.token
        if token is not None:
            secure = request.url.scheme == "https"
            response.set_cookie(COOKIE, cookie_for(token), httponly=True, samesite="strict", secure=secure)
        return response

    return routes


@cache
def _read(name: str) -> bytes:
    return (_FILES / name).read_bytes()


def _describe(document: Mapping[str, object]) -> str:
    """Return an OpenAPI document as a page that loads nothing from other sites."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FILES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("docs.html").render(document=document)
