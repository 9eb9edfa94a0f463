"""The ASGI application: routes, error handling, access control, and a complete OpenAPI document."""

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.types import ASGIApp

from study import __version__
from study.execution import default_jobs
from study.service.commanding import Commands
from study.service.metrics import Metrics
from study.service.mlflow_server import MlflowServer
from study.service.problems import SCHEMA, Problem, Responses, answer_with_problems, declare, log
from study.service.queue import Queue
from study.service.reading import StudyReader
from study.service.request_throttle import RequestThrottle
from study.service.routes_actions import action_routes
from study.service.routes_service import service_routes
from study.service.routes_studies import study_routes
from study.service.runner import Runner
from study.service.schemas import FinalizeRequest
from study.service.security import Guard
from study.service.settings import Settings
from study.service.state import Service
from study.text.records import Json

_DESCRIPTION = (
    "Submit studies, run them from a queue, and read their results. Errors are problem details (RFC 9457). "
    "The format of a spec is documented in docs/spec.md and docs/data.md."
)


def make_service(
    settings: Settings, queue: Queue, runner: Runner | None = None, mlflow: MlflowServer | None = None
) -> Service:
    """Assemble a service from its parts.

    Args:
        settings: settings of the service.
        queue: queue of submissions.
        runner: thread that runs the submissions; None for a service that only handles requests.
        mlflow: MLflow server of the service; None for a service without one.
    """
    reader = StudyReader(settings.home, queue, lambda: mlflow.address if mlflow is not None else None)
    return Service(settings, queue, reader, Metrics(), Commands(settings.home), runner, mlflow)


def create_app(service: Service) -> ASGIApp:
    """Return the ASGI application of a service."""
    app = FastAPI(
        title="study",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_common(service.settings),
    )
    answer_with_problems(app)
    app.add_exception_handler(Exception, _failed)
    for routes in (study_routes(service), action_routes(service), service_routes(service)):
        app.include_router(routes)
    app.openapi = lambda: _openapi(app, service.settings)  # type: ignore[method-assign]
    guard = Guard(app, names=service.settings.names, token=service.settings.token, metrics=service.metrics)
    runner = service.runner
    return guard if runner is None else RequestThrottle(guard, processors=default_jobs(), busy=lambda: runner.busy)


async def _failed(request: Request, error: Exception) -> Response:
    """Return the response to an internal error, whose traceback is in the server's log."""
    log.error("%s %r failed: %s", request.method, request.url.path[:200], type(error).__name__)
    return Problem(500, "internal error; see the server's log for details").response()


def _common(settings: Settings) -> Responses:
    """Return the error responses that every route has in common."""
    token = {} if settings.token is None else declare(s401="the token is missing or wrong")
    database = {} if settings.home.storage is None else declare(s503="the database does not respond")
    return {**declare(s421="the Host header is not one of this service's names"), **token, **database}


def _openapi(app: FastAPI, settings: Settings) -> dict[str, Json]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = SCHEMA
        schemas["FinalizeRequest"] = FinalizeRequest.model_json_schema()
        if settings.token is not None:
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}]
            document["paths"]["/health"]["get"]["security"] = []
        app.openapi_schema = document
    return app.openapi_schema
