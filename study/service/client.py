"""The service asked from Python, and by the commands submit, status, cancel and logs. The standard library alone."""

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
PATIENCE = 30.0  # seconds that a server may be away while a study is handed in
SECONDS = 60.0  # that one answer may take
AGAIN = 0.5  # seconds between two looks at a log


class SubmissionStatus(TypedDict):
    """A submission, as the service answers it: JSON of `study.service.schemas.SubmissionAnswer`."""

    id: int
    name: str
    state: State
    submitted: str
    started: str | None
    ended: str | None
    message: str


class StudyStatus(TypedDict):
    """A study, as the service answers it: JSON of `study.service.schemas.StudyLine`, or of all that is known of one."""

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
    """The service never redirects: what does is something else, which the token is not meant for."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


class Client:
    """One service.

    Args:
        server: its address; None takes STUDY_SERVER, or the default one.
        token: where it asks for one.
        patience: seconds that `submit` tries again for while the server does not answer.

    Raises:
        UserError: the address is none.
    """

    def __init__(self, server: str | None = None, token: str | None = None, patience: float = PATIENCE) -> None:
        self.server = (server or os.environ.get("STUDY_SERVER") or SERVER).rstrip("/")
        parts = urlsplit(self.server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"--server {redact_address(self.server)}: is no address; one looks like {SERVER}")
        if parts.username or parts.query:
            raise UserError("--server: an address holds no user and no token; --token-file FILE gives the token")
        self.patience = patience
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        near = parts.hostname in ("localhost", "127.0.0.1", "::1")
        proxies = [urllib.request.ProxyHandler({})] if near else []
        self._opener = urllib.request.build_opener(_NoRedirect, *proxies)

    def submit(self, spec: str | Path, *, upload: bool = False) -> SubmissionStatus:
        """Hand in the study of a spec; return the submission: {"id", "name", "state", …}.

        However often the line or the server breaks meanwhile, it is handed in once.

        Args:
            spec: path of the TOML file.
            upload: send the data files that it names along; otherwise the server looks for them in its own folders.

        Raises:
            UserError: the spec is not valid, or the service refuses it or does not answer.
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
        """Take a study out of the queue, or stop it."""
        ended: SubmissionStatus = json.loads(self._ask("POST", f"/studies/{quote(name, safe='')}/cancel"))
        return ended

    def log(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """Give what a study printed, piece by piece; `follow` goes on until it has ended."""
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
            raise UserError(f"[data] {given!r}: --upload takes files at or below the folder of the spec")
        try:
            content = (folder / given).read_bytes()
        except OSError as error:
            raise UserError(f"[data] {folder / given}: cannot be read ({error.strerror})") from None
        name = quote(PurePosixPath(given).name, safe="")
        self._ask_patiently("PUT", f"/data/{name}", content, {"Content-Type": "application/octet-stream"})

    def _ask_patiently(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """Ask what may be asked again until the server answers."""
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
            raise _Away(f"no service answers at {self.server} ({reason}); start one with `study serve`") from None


class _Away(UserError):  # noqa: N818 - what happened; it is tried again
    """The server does not answer, or the line broke."""


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        told = json.loads(error.read())
        return f"the service refuses it ({error.code}): {told['detail']}"
    except (ValueError, KeyError, TypeError, OSError):
        return f"something that is no service answers there: {error.code} {error.reason}"
