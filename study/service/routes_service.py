"""Routes: the service itself: its page and documentation, health, metrics, events, and the page's session."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from study import __version__
from study.charts.colors import color_rules
from study.service import events, metrics
from study.service.problems import Problem, Responses, declare
from study.service.schemas import Health
from study.service.security import COOKIE, cookie_for
from study.service.state import Service, answer

_FILES = Path(__file__).parent / "page"
_TYPES = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}
_HTML: Responses = {200: {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}}


def service_routes(service: Service) -> APIRouter:
    """Return the routes."""
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
        """Return this interface as a page."""
        return Response(_describe(request.app.openapi()), media_type="text/html; charset=utf-8")

    @routes.get("/health", tags=["service"], response_model=Health)
    async def health() -> Response:
        """Return how the service is; needs no token."""
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
        responses={200: {"description": "For Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def figures() -> Response:
        """Return figures of the service."""
        counts = await service.read(service.queue.counts)
        text = service.metrics.text(counts, service.events.open)
        return Response(text, headers={"Content-Type": f"{metrics.MEDIA_TYPE}; charset=utf-8"})

    @routes.get(
        "/events",
        tags=["service"],
        response_class=Response,
        responses={
            200: {
                "description": "`studies`: the list; then `changes`: `{studies: [those that differ], gone: [names]}`.",
                "content": {events.MEDIA_TYPE: {"schema": {"type": "string"}}},
            },
            **declare(s429="too many follow already"),
        },
    )
    async def follow() -> Response:
        """Send the list of studies, then what changes in it, as server-sent events for as long as somebody listens."""
        if service.events.open >= events.MOST:
            raise Problem(429, f"{events.MOST} pages follow already; close one", "full")
        return StreamingResponse(service.events.stream(), media_type=events.MEDIA_TYPE)

    @routes.post("/session", tags=["service"], status_code=204, responses=declare(s403="another site's page"))
    async def session(request: Request) -> Response:
        """Give a browser, which sent the token, the cookie that stands for it."""
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
    """Return an OpenAPI document as a page, which needs nothing from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FILES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("docs.html").render(document=document)
