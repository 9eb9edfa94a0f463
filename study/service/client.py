"""A client of the service for Python, which uses only the standard library for HTTP."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TypedDict
from urllib.parse import quote, urlencode, urlsplit

from study.errors import UserError
from study.service.schemas import State, StudyState
from study.spec import read_spec
from study.text.redaction import redact_address

SERVER = "http://127.0.0.1:5050"
PATIENCE = 30.0  # seconds for which a submission is retried while the server does not respond
SECONDS = 60.0  # timeout of one request
AGAIN = 0.5  # seconds between two requests for new log output


class SubmissionStatus(TypedDict):
    """A submission as the service returns it: the JSON of `study.service.schemas.SubmissionAnswer`."""

    id: int
    name: str
    state: State
    submitted: str
    started: str | None
    ended: str | None
    message: str


class StudyStatus(TypedDict):
    """A study as the service returns it: the JSON of `StudyLine` or `StudyAnswer` in `study.service.schemas`."""

    name: str
    state: StudyState
    description: str
    finished: int
    planned: int | None
    confirming: float | None
    best: float | None
    metric: str | None
    direction: str | None
    version: int
    mlflow: str | None
    submission: SubmissionStatus | None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuse redirects. The service never sends one, so the token must not be forwarded to another server."""

    def redirect_request(self, *_: object) -> None:
        """Do not follow the redirect."""


class Client:
    """A client of one service.

    Args:
        server: URL of the service; None means STUDY_SERVER, or the default URL.
        token: token of the service, if it requires one.
        patience: seconds for which `submit` retries while the server does not respond.

    Raises:
        UserError: if the URL is not valid.
    """

    def __init__(self, server: str | None = None, token: str | None = None, patience: float = PATIENCE) -> None:
        self.server = (server or os.environ.get("STUDY_SERVER") or SERVER).rstrip("/")
        parts = urlsplit(self.server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"--server {redact_address(self.server)}: not a valid URL; expected one like {SERVER}")
        if parts.username or parts.query:
            raise UserError("--server: the URL must not contain a user or a token; use --token-file FILE for the token")
        self.patience = patience
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        near = parts.hostname in ("localhost", "127.0.0.1", "::1")
        proxies = [urllib.request.ProxyHandler({})] if near else []
        self._opener = urllib.request.build_opener(_NoRedirect, *proxies)

    def submit(self, spec: str | Path, *, upload: bool = False) -> SubmissionStatus:
        """Submit the study of a spec; return the submission: {"id", "name", "state", …}.

        The request is retried if the connection or the server fails, and the study is submitted only once.

        Args:
            spec: path of the TOML file.
            upload: upload the data files that the spec names; otherwise the server looks for them in its own folders.

        Raises:
            UserError: if the spec is not valid, or the service rejects it or does not respond.
        """
        path = Path(spec)
        declared = read_spec(path)
        text, query = path.read_text(encoding="utf-8-sig"), ""
        if upload:
            query = "?data=uploads"
            for given in (declared.data.source, declared.data.test):
                if given is not None and declared.data.kind in ("text", "parquet", "arrays"):
                    self._upload(path.parent, given)
        headers = {"Content-Type": "application/toml", "Idempotency-Key": uuid.uuid4().hex}
        made: SubmissionStatus = json.loads(self._ask_patiently("POST", f"/studies{query}", text.encode(), headers))
        return made

    def studies(self) -> list[StudyStatus]:
        """Return all studies."""
        found: list[StudyStatus] = json.loads(self._ask("GET", "/studies"))["studies"]
        return found

    def study(self, name: str) -> StudyStatus:
        """Return one study."""
        found: StudyStatus = json.loads(self._ask("GET", f"/studies/{quote(name, safe='')}"))
        return found

    def cancel(self, name: str) -> SubmissionStatus:
        """Remove a study from the queue, or stop it if it is running."""
        ended: SubmissionStatus = json.loads(self._ask("POST", f"/studies/{quote(name, safe='')}/cancel"))
        return ended

    def log(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """Yield the output of a study piece by piece; with `follow`, until the study has ended."""
        offset, ended = 0, not follow
        while True:
            content = self._ask("GET", f"/studies/{quote(name, safe='')}/log?{urlencode({'offset': offset})}")
            offset += len(content)
            if content:
                yield content.decode(errors="replace")
            elif ended:
                return
            else:
                ended = self.study(name)["state"] not in ("queued", "running")
                if not ended:
                    time.sleep(AGAIN)

    def _upload(self, folder: Path, given: str) -> None:
        if PurePosixPath(given).is_absolute() or ".." in PurePosixPath(given).parts:
            raise UserError(f"[data] {given!r}: --upload accepts only files in or below the folder of the spec")
        try:
            content = (folder / given).read_bytes()
        except OSError as error:
            raise UserError(f"[data] could not read {folder / given} ({error.strerror})") from None
        name = quote(PurePosixPath(given).name, safe="")
        self._ask_patiently("PUT", f"/data/{name}", content, {"Content-Type": "application/octet-stream"})

    def _ask_patiently(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """Send an idempotent request, and retry it until the server responds or the patience is exhausted."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self._ask(method, path, body, headers)
            except _Away:
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN / 2)

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - http or https, as checked
            self.server + path, body, {**self._headers, **(headers or {})}, method=method
        )
        try:
            with self._opener.open(request, timeout=SECONDS) as reply:
                return bytes(reply.read())
        except urllib.error.HTTPError as error:
            raise UserError(_detail(error)) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _Away(f"no service is responding at {self.server} ({reason}); start one with `study serve`") from None


class _Away(UserError):  # noqa: N818 - a condition; the request is retried
    """The server does not respond, or the connection was lost."""


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read())
        return f"the service rejected the request ({error.code}): {problem['detail']}"
    except (ValueError, KeyError, TypeError, OSError):
        return f"the server at this URL is not a study service: it responded with {error.code} {error.reason}"
