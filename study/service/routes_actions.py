"""Routes that act on an existing study (cancel, report, finalize, predict) and upload data files."""

import asyncio
import base64
import hashlib
import json
import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from study.ledger import holding
from study.service.data_files import check_upload_name, keep_upload
from study.service.limits import SPEC_BYTES
from study.service.problems import Problem, declare
from study.service.reading import describe
from study.service.runner import StudyFiles
from study.service.schemas import FinalAnswer, FinalizeRequest, SubmissionAnswer, UploadAnswer
from study.service.state import Name, Service, answer, body_of, chunks_of, media_type_of

BINARY, CSV, JSON = "application/octet-stream", "text/csv", "application/json"
NOTES, MOST_NOTES = "Study-Notes", 20
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_FOUND = {"s404": "study not found", "s422": "the name or the body is not valid"}
_REFUSED = "the request comes from another site"


def action_routes(service: Service) -> APIRouter:
    """Return the routes that act on studies."""
    routes = APIRouter()
    settings = service.settings
    made: dict[str, int] = {}
    making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def _is_held(name: str) -> bool:
        return holding.is_held(settings.home.folder(name), name)

    @routes.post(
        "/studies/{name}/cancel",
        tags=["studies"],
        response_model=SubmissionAnswer,
        responses=declare(**_FOUND, s403=_REFUSED, s409="the study is neither queued nor running"),
    )
    async def cancel(name: Name) -> Response:
        """Remove a study from the queue, or stop it if it is running. Finished trials are kept."""
        await service.find(name)
        cancelled = await service.read(service.queue.cancel, name, _is_held)
        if cancelled is None:
            raise Problem(409, f"study {name!r} is neither queued nor running", "not-active")
        service.changed()
        return answer(describe(cancelled))

    @routes.get(
        "/studies/{name}/report",
        tags=["studies"],
        response_class=Response,
        responses={
            200: {"description": "One HTML page.", "content": {"text/html": {"schema": {"type": "string"}}}},
            **declare(**_FOUND, s409="the study has not started", s503="the command took too long"),
        },
    )
    async def report(name: Name) -> Response:
        """Return the current report of a study."""
        line, _ = await service.find(name)
        if not line.version:
            raise Problem(409, f"study {name!r} has not started; there is nothing to report yet", "not-begun")
        path = StudyFiles(settings.home, name).report
        async with making[name]:
            if made.get(name) != line.version or not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                await service.commands.run("report", name, "--output", str(path))
                made[name] = line.version
            text = await service.read(path.read_text, "utf-8")
        return Response(text, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy(text)})

    @routes.post(
        "/studies/{name}/finalize",
        tags=["studies"],
        response_model=FinalAnswer,
        openapi_extra={
            "requestBody": {
                "required": False,
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/FinalizeRequest"}}},
            }
        },
        responses=declare(
            **_FOUND,
            s400="the body is not JSON",
            s403=_REFUSED,
            s409="the study cannot be finalized yet, or its test set has already been opened",
            s413="the body is too large",
            s415="unsupported media type",
            s503="the command took too long",
        ),
    )
    async def finalize(name: Name, request: Request) -> Response:
        """Retrain one trial on several seeds, evaluate the average on the test set, and save the model.

        The default is the confirmed trial. The test set can be opened only once, unless `again` is set.
        """
        body = await body_of(request, SPEC_BYTES)
        wanted = _finalize_request(body, media_type_of(request))
        if not (await service.find(name))[0].version:
            raise Problem(409, f"study {name!r} has not started; there is nothing to finalize yet", "not-begun")
        options = [] if wanted.trial is None else ["--trial", str(wanted.trial)]
        options += [f"--{key.replace('_', '-')}" for key in ("train_only", "again") if getattr(wanted, key)]
        printed = await service.commands.run("finalize", name, "--json", *options)
        return answer(FinalAnswer.model_validate(json.loads(printed)))

    @routes.post(
        "/studies/{name}/predict",
        tags=["studies"],
        response_class=Response,
        openapi_extra={"requestBody": {"required": True, "content": {CSV: {"schema": {"type": "string"}}}}},
        responses={
            200: {
                "description": "One row of predictions per row of the table.",
                "content": {CSV: {"schema": {"type": "string"}}},
                "headers": {
                    NOTES: {
                        "description": "A JSON list of notes on ignored or unexpected cells; absent if there are none.",
                        "schema": {"type": "string"},
                    }
                },
            },
            **declare(
                **_FOUND,
                s403=_REFUSED,
                s409="there is no final model, or the table does not match it",
                s413="the table is too large",
                s415="unsupported media type",
                s503="the command took too long",
            ),
        },
    )
    async def predict(
        name: Name,
        request: Request,
        safe_csv: Annotated[
            bool, Query(description="Put ' before text that a spreadsheet would read as a formula.")
        ] = False,
    ) -> Response:
        """Predict the target for each row of a table with the final model."""
        if media_type_of(request) != CSV:
            raise Problem(415, f"the media type of a table must be {CSV}", "media-type")
        await service.find(name)
        if not settings.home.folder(name).final.exists():
            raise Problem(409, f"study {name!r} has no final model yet; finalize it first", "no-model")
        with tempfile.TemporaryDirectory(prefix="study-predict-") as folder:
            table, out = Path(folder) / "table.csv", Path(folder) / "predictions.csv"
            with table.open("wb") as file:
                async for chunk in chunks_of(request, settings.limits.upload):
                    file.write(chunk)
            options = ["--safe-csv"] if safe_csv else []
            printed = await service.commands.run("predict", name, str(table), "--out", str(out), "--json", *options)
            notes = json.loads(printed)["notes"]
            headers = {NOTES: json.dumps(notes[:MOST_NOTES])} if notes else None
            return Response(out.read_bytes(), headers=headers, media_type=f"{CSV}; charset=utf-8")

    @routes.put(
        "/data/{file}",
        tags=["data"],
        status_code=201,
        response_model=UploadAnswer,
        openapi_extra={
            "requestBody": {"required": True, "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}
        },
        responses={
            200: {"model": UploadAnswer, "description": "The same file has already been uploaded."},
            **declare(
                s403=_REFUSED,
                s409="another file has this name",
                s413="the file is too large",
                s415="unsupported media type",
                s422="the name is not valid for a data file",
            ),
        },
    )
    async def upload(file: str, request: Request) -> Response:
        """Store a data file, which specs can then use."""
        check_upload_name(file)
        if media_type_of(request) != BINARY:
            raise Problem(415, f"the media type of a data file must be {BINARY}", "media-type")
        limits = settings.limits
        kept, new = await keep_upload(settings.uploads, file, chunks_of(request, limits.upload), limits.uploads)
        return answer(UploadAnswer(name=kept.name, bytes=kept.bytes, sha256=kept.sha256), 201 if new else 200)

    return routes


def policy(page: str) -> str:
    """Return the content security policy of a report, which allows its own script and styles and no other source."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in _SCRIPT.findall(page)]
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _finalize_request(body: bytes, media_type: str) -> FinalizeRequest:
    if not body:
        return FinalizeRequest()
    if media_type != JSON:
        raise Problem(415, f"the media type of the body must be {JSON}", "media-type")
    try:
        return FinalizeRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise Problem(400, f"the body is not JSON: {first['msg']}", "not-json") from None
        raise Problem(422, f"{' '.join(map(str, first['loc'])) or 'body'}: {first['msg']}", "invalid") from None
