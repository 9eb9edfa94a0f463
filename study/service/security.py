"""Access control, applied to every request before anything else, and security headers on every response.

- The Host header must be one of the service's names, which prevents DNS rebinding.
- A request that changes something must not come from another site, according to Origin and Sec-Fetch-Site.
- If the service has a token, every path except /health and the files of the page requires it, either as
  `Authorization: Bearer …` or as the cookie that POST /session sets. The cookie is derived from the token.
"""

import hashlib
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from study.service.metrics import Metrics
from study.service.problems import Problem, log_refusal

SAFE = ("GET", "HEAD", "OPTIONS")
OPEN_PATHS = ("/", "/health", "/static/page.js", "/static/page.css", "/favicon.ico")
COOKIE = "study_session"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def cookie_for(token: str) -> str:
    """Return the value of the session cookie, which proves knowledge of the token without revealing it."""
    return hmac.new(token.encode(), b"study service session", hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware that rejects requests without access.

    Args:
        app: application to protect.
        names: allowed host names of a request.
        token: token that requests must present; None requires none.
        metrics: metrics in which requests are counted.
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str], token: str | None, metrics: Metrics) -> None:
        self.app, self.names, self.token, self.metrics = app, frozenset(names), token, metrics
        self.cookie = cookie_for(token) if token is not None else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a request, or pass it on to the application."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # not answering a web socket rejects it
        status = 500

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            problem = self._refusal(scope)
            if problem is None:
                await self.app(scope, receive, with_headers)
            else:
                peer = (scope.get("client") or ("?",))[0]
                log_refusal(scope["method"], scope["path"], problem.status, problem.detail, peer)
                await problem.response()(scope, receive, with_headers)
        finally:
            self.metrics.count(scope["method"], status)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _without_port(hosts[0]) not in self.names:
            return Problem(421, "the Host header does not name this service; allow it with --allow-host NAME", "host")
        if scope["method"] not in SAFE:
            site, origin = headers.get("sec-fetch-site"), headers.get("origin")
            if site not in (None, "same-origin", "none") or (origin is not None and not _is_own(origin, hosts[0])):
                return Problem(403, "this request comes from another site", "cross-site")
        if self.token is not None and scope["path"] not in OPEN_PATHS and not self._is_known(headers):
            detail = "a token is required, as Authorization: Bearer or as the cookie that POST /session sets"
            return Problem(401, detail, "token", {"WWW-Authenticate": 'Bearer realm="study"'})
        return None

    def _is_known(self, headers: Headers) -> bool:
        """Return True if a request has the token or its cookie, compared in constant time."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), (self.token or "").encode()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self.cookie.encode())


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _is_own(origin: str, host: str) -> bool:
    """Return True if an Origin is this service. Behind a proxy, the scheme may be http or https."""
    scheme, separator, rest = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and rest.lower() == host.lower()
