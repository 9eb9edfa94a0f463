"""Routes that submit studies and return their results."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from study.charts.chart import Chart
from study.evaluation.choice_lines import choice_lines
from study.ledger.choice import Choice
from study.ledger.results import Summary, TrialRow
from study.service.limits import SPEC_BYTES
from study.service.problems import Problem, declare
from study.service.queue import Full, Taken
from study.service.reading import describe
from study.service.runner import StudyFiles
from study.service.schemas import (
    AxisAnswer,
    ChartAnswer,
    ChoiceAnswer,
    CurveAnswer,
    Curves,
    MarkAnswer,
    Studies,
    StudyAnswer,
    SubmissionAnswer,
    TrialAnswer,
    Trials,
)
from study.service.state import Name, Service, answer, body_of, media_type_of
from study.service.submitting import JSON, TOML, read_submission
from study.spec.whole import NAME
from study.text.records import Json, to_json

LOG_BYTES = 1 << 20  # maximum number of bytes of a log in one response
_TABLE: dict[str, Json] = {"type": "object"}
# The required parts of a spec. Its tables are documented in docs/spec.md and docs/data.md, and are checked later.
SPEC_SCHEMA: dict[str, Json] = {
    "type": "object",
    "required": ["name", "data", "space"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "description": {"type": "string"},
        "data": {"type": "object", "required": ["source"], "properties": {"source": {"type": "string"}}},
        "space": {"type": "object", "required": ["learning_rate", "iterations", "depth"]},
        "search": _TABLE,
        "confirm": _TABLE,
        "final": _TABLE,
        "baselines": _TABLE,
    },
    "example": {
        "name": "flower",
        "data": {"source": "synthetic:planar_flower"},
        "space": {"learning_rate": 0.5, "iterations": 50, "depth": 1, "units": 4},
        "search": {"trials": 2},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": SPEC_SCHEMA}, TOML: {"schema": {"type": "string"}}},
    }
}


def study_routes(service: Service) -> APIRouter:
    """Return the routes that submit and show studies."""
    routes = APIRouter(tags=["studies"])
    settings = service.settings

    @routes.post(
        "/studies",
        status_code=201,
        response_model=SubmissionAnswer,
        openapi_extra=_BODY,
        responses={
            200: {
                "model": SubmissionAnswer,
                "description": "The study has already been submitted; this is the existing submission.",
            },
            **declare(
                s400="the body is neither TOML nor JSON",
                s403="data outside the folders of this server, or a request from another site",
                s409="the study name or the Idempotency-Key is already in use for a different spec",
                s413="the spec is too large",
                s415="unsupported media type",
                s422="the spec is not valid, or exceeds the limits of this server",
                s429="too many studies are waiting",
            ),
        },
    )
    async def submit(
        request: Request,
        data: Annotated[
            Literal["folders", "uploads"],
            Query(description="Where to look for data files: in the server's folders, or by name among the uploads."),
        ] = "folders",
        idempotency_key: Annotated[
            str | None,
            Header(
                pattern="^[!-~]{1,200}$", description="If the key was used before, the first submission is returned."
            ),
        ] = None,
    ) -> Response:
        """Submit a study, which is appended to the queue."""
        body = await body_of(request, SPEC_BYTES)
        uploads = settings.uploads.resolve()
        folders = (*settings.folders, uploads)
        declared = await service.read(
            read_submission,
            body,
            media_type_of(request),
            folders,
            settings.limits,
            uploads if data == "uploads" else None,
        )
        name = declared.spec.name
        try:
            kept, new = await service.read(service.queue.submit, name, declared.text, declared.links, idempotency_key)
        except Taken as taken:
            if taken.what == "key":
                raise Problem(409, "this Idempotency-Key has already been used for a different spec", "key") from None
            detail = (
                f"study {name!r} is queued or running with another spec; wait until the study has ended, cancel it, "
                "or use another name"
            )
            raise Problem(409, detail, "name") from None
        except Full:
            raise Problem(429, f"the queue is full ({service.queue.most:,} waiting); try again later", "full") from None
        service.changed()
        return answer(describe(kept), 201 if new else 200, {"Location": f"/studies/{name}"})

    @routes.get("/studies", response_model=Studies)
    async def studies() -> Response:
        """Return all studies. The response may be up to half a second old."""
        return Response(await service.studies(), media_type="application/json")

    @routes.get(
        "/studies/{name}", response_model=StudyAnswer, responses=declare(s404="study not found", s422="name not valid")
    )
    async def study(name: Name) -> Response:
        """Return one study."""
        line, submission = await service.find(name)
        summary = await service.read(service.reader.summary, name)
        return answer(
            StudyAnswer(
                **line.model_dump(),
                best_trial=None if summary is None or summary.best is None else _trial(summary.best),
                objectives=[] if summary is None else list(summary.objectives),
                front=[] if summary is None else list(summary.front),
                choice=ChoiceAnswer.model_validate(asdict(Choice() if summary is None else summary.choice)),
                choice_lines=[] if summary is None else choice_lines(summary),
                confirm=None if summary is None or summary.confirm is None else to_json(summary.confirm),
                finalized=[] if summary is None else list(map(to_json, summary.finalized)),
                spec=None if submission is None else submission.spec,
            )
        )

    @routes.get(
        "/studies/{name}/trials",
        response_model=Trials,
        responses=declare(s404="study not found", s422="the name is not valid, or a parameter is out of range"),
    )
    async def trials(
        name: Name,
        order: Annotated[Literal["number", "best"], Query(description="`best`: only complete trials.")] = "number",
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
    ) -> Response:
        """Return the trials of a study."""
        await service.find(name)
        summary: Summary | None = await service.read(service.reader.summary, name)
        rows = [] if summary is None else summary.ranking() if order == "best" else summary.trials
        shown = [_trial(row) for row in rows[offset : offset + limit]]
        return answer(Trials(name=name, total=len(rows), trials=shown))

    @routes.get(
        "/studies/{name}/curves",
        response_model=Curves,
        responses=declare(s404="study not found", s422="name not valid"),
    )
    async def curves(name: Name) -> Response:
        """Return the learning curves of the best and the running trials, with a chart of them."""
        await service.find(name)
        found = await service.read(service.reader.curves, name)
        if found is None:
            return answer(Curves(name=name, version=0, curves=[], chart=None))
        version, summary, by_trial, chart = found
        states = {row.number: row.state for row in summary.trials}
        drawn = [
            CurveAnswer(trial=number, state=states[number], points=[(at, cost) for at, cost in points])
            for number, points in by_trial.items()
        ]
        return answer(Curves(name=name, version=version, curves=drawn, chart=None if chart is None else _chart(chart)))

    @routes.get(
        "/studies/{name}/log",
        response_class=Response,
        responses={
            200: {"description": "Output of the study.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **declare(s404="study not found", s422="the name is not valid, or a parameter is out of range"),
        },
    )
    async def log(name: Name, offset: Annotated[int, Query(ge=0, le=1 << 50)] = 0) -> Response:
        """Return the output of a study from the byte `offset`; at most one megabyte."""
        await service.find(name)
        content = await service.read(_read_log, StudyFiles(settings.home, name), offset)
        return Response(content, media_type="text/plain; charset=utf-8")

    return routes


def _read_log(files: StudyFiles, offset: int) -> bytes:
    try:
        with files.log.open("rb") as file:
            file.seek(offset)
            return file.read(LOG_BYTES)
    except FileNotFoundError:
        return b""


def _trial(row: TrialRow) -> TrialAnswer:
    return TrialAnswer.model_validate(asdict(row))


def _chart(chart: Chart) -> ChartAnswer:
    return ChartAnswer(
        label=chart.label,
        caption=chart.caption,
        x=AxisAnswer(title=chart.x.title, ticks=chart.x.ticks),
        y=AxisAnswer(title=chart.y.title, ticks=chart.y.ticks),
        grid=chart.grid,
        marks=[
            MarkAnswer(kind=mark.kind, style=mark.style, d=mark.d, trials=list(mark.trials)) for mark in chart.marks
        ],
        legend=list(chart.legend),
    )
