"""Remove secrets from addresses, commands and messages.

An address is parsed, and only parts that are known to contain no secret are shown; unknown parameters are masked. In
messages from libraries, the secrets of the given addresses are masked everywhere, in every form of quoting.
"""

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote, unquote_plus

MASK = "***"
SHORTEST = 4  # minimum length of a secret that is masked in text; a shorter one would mask parts of ordinary words
# Parameters of libpq and SQLAlchemy whose values may be shown. `options` is not included: it may contain anything.
# fmt: off
_HARMLESS = frozenset({
    "application_name", "channel_binding", "charset", "client_encoding", "connect_timeout", "dbname",
    "driver", "fallback_application_name", "gssencmode", "host", "hostaddr", "keepalives", "keepalives_count",
    "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts", "mode", "passfile", "port",
    "require_auth", "requirepeer", "service", "ssl_max_protocol_version", "ssl_min_protocol_version",
    "sslcert", "sslcertmode", "sslcrl", "sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslrootcert",
    "sslsni", "target_session_attrs", "tcp_user_timeout", "timeout", "user",
})
# fmt: on
_ADDRESS_VARIABLES = ("STUDY_STORAGE", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_BACKEND_STORE_URI")
_SECRET_VARIABLES = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "DATABRICKS_TOKEN",
)
_ADDRESS_OPTIONS = ("--storage", "--server", "--scheduler", "--address")
_HOSTS = re.compile(r"(?:(?:\[[^\]]*\]|[^:,\[\]]*)(?::\d{0,5})?(?:,|$))+")
_QUERY = re.compile(r"(?:\?(?:[\w.-]+=[^&#]*(?:&|(?=#|$)))*)?(?:#[^@]*)?")
_KEYWORD = re.compile(r"\s*([A-Za-z]\w*)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)")
_STRAY = re.compile(r"\s*(\S+)")
_EMBEDDED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_SEPARATORS = re.compile(r"[\s/?#@:]+")  # where a parser splits a secret that is not percent-encoded


class _Parsed(NamedTuple):
    """A redacted address, and its secrets as they appear in it."""

    shown: str
    secrets: list[str]


def redact_address(address: str) -> str:
    """Return an address (a URL or libpq keywords) in which anything that may be a secret is replaced by ***."""
    return _parse(address).shown


def redact(text: str, *addresses: str | None) -> str:
    """Return a text in which the secrets of addresses and of the environment are masked, and URLs are redacted.

    Args:
        text: message, such as one from a library.
        addresses: addresses to which the message may refer; None is ignored.
    """
    for secret in sorted(_secrets(addresses), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _EMBEDDED.sub(_redact_embedded, text)


def redact_command(words: Sequence[str]) -> str:
    """Return a command as a line for a shell, without secrets."""
    shown = []
    for before, word in pairwise(["", *words]):
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        is_address = "://" in value or (option or before) in _ADDRESS_OPTIONS
        shown.append(option + equals + (redact_address(value) if is_address else value))
    return shlex.join(redact(word) for word in shown)


def redact_line(command: str) -> str:
    """Return a command line without secrets."""
    try:
        return redact_command(shlex.split(command))
    except ValueError:  # an unterminated quotation
        return redact(command)


def is_percent_encoded(address: str) -> bool:
    """Return True if the user and password of a URL are encoded so that all parsers read them in the same way."""
    _, _, rest = address.partition("://")
    return re.search(r"[\s/@]|%(?![0-9A-Fa-f]{2})", rest[: max(0, _end_of_userinfo(rest))]) is None


def _parse(address: str) -> _Parsed:
    scheme, separator, rest = address.partition("://")
    if not separator:
        if _KEYWORD.match(address):
            return _parse_keywords(address)
        scheme, rest = "", address
    end = _end_of_userinfo(rest)
    userinfo, at, rest = (rest[:end], "@", rest[end + 1 :]) if end >= 0 else ("", "", rest)
    user, colon, password = userinfo.partition(":")
    if scheme.lower() in ("http", "https") and userinfo:  # the user may be a token
        shown, secrets = MASK, [password or user]
    else:
        shown, secrets = (f"{user}:{MASK}", [password]) if colon else (user, [])
    place = re.match(r"[^?#]*", rest)[0]  # type: ignore[index]  # it also matches the empty string
    query, hash_, fragment = rest[len(place) :].partition("#")
    host, slash, path = place.partition("/")
    if not _HOSTS.fullmatch(host):  # a password, or the start of one, without its @
        host, colon, password = host.partition(":")
        place, secrets = f"{host}{colon}{MASK if colon else ''}{slash}{path}", [*secrets, password]
    if query:
        parameters, found = _parse_query(query[1:])
        query, secrets = f"?{parameters}", secrets + found
    if hash_ and not fragment.startswith("/"):  # the fragment of a page of MLflow starts with /
        fragment, secrets = MASK, [*secrets, fragment]
    return _Parsed(f"{scheme}{separator}{shown}{at}{place}{query}{hash_}{fragment}", secrets)


def _end_of_userinfo(rest: str) -> int:
    """Return the position of the @ after user and password in a URL without its scheme; -1 if it has neither.

    A password that is not percent-encoded may contain any character. If the text after the last @ before the query is
    not a list of hosts, or the query is not valid, everything up to the very last @ is treated as the password.
    """
    if rest.startswith("/"):
        return -1
    place = re.match(r"[^?#]*", rest)[0]  # type: ignore[index]  # it also matches the empty string
    end = place.rfind("@")
    if not (_HOSTS.fullmatch(place[end + 1 :].partition("/")[0]) and _QUERY.fullmatch(rest[len(place) :])):
        end = rest.rfind("@")
    is_path = ":" not in rest[: max(0, end)] and "/" in rest[: max(0, end)]  # as in s3://bucket/folder@2
    return -1 if is_path else end


def _parse_query(query: str) -> _Parsed:
    shown, secrets = [], []
    for parameter in query.split("&"):
        name, equals, value = parameter.partition("=")
        if not parameter or (equals and unquote(name).lower() in _HARMLESS):
            shown.append(parameter)
        else:
            shown.append(f"{name}={MASK}" if equals else MASK)
            secrets.append(value if equals else name)
    return _Parsed("&".join(shown), secrets)


def _parse_keywords(address: str) -> _Parsed:
    shown, secrets, at = [], [], 0
    while found := _KEYWORD.match(address, at) or _STRAY.match(address, at):
        at = found.end()
        if found.re is _STRAY:  # the rest of a value that should have been quoted
            shown.append(MASK)
            secrets.append(found[1])
        elif found[1].lower() in _HARMLESS:
            shown.append(f"{found[1]}={found[2]}")
        else:
            shown.append(f"{found[1]}={MASK}")
            value = found[2][1:-1] if found[2].startswith("'") else found[2]
            secrets += [found[2], value, re.sub(r"\\(.)", r"\1", value)]
    return _Parsed(" ".join(shown), secrets)


def _secrets(addresses: Iterable[str | None]) -> set[str]:
    """Return all strings to mask in a text."""
    given = [*addresses, *map(os.environ.get, _ADDRESS_VARIABLES)]
    raw = [secret for address in given if address for secret in _parse(address).secrets]
    forms = {form for secret in raw for form in (*_forms(secret), *_SEPARATORS.split(secret))}
    forms |= {form for name in _SECRET_VARIABLES for form in _forms(os.environ.get(name, ""))}
    return {form for form in forms if len(form) >= SHORTEST}


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as written, decoded, and in the forms in which libraries and Python quote it."""
    yield secret
    for decoded in (secret, unquote(secret), unquote_plus(secret)):
        yield from (decoded, quote(decoded), quote(decoded, safe=""), quote_plus(decoded))
        yield from (repr(decoded)[1:-1], json.dumps(decoded)[1:-1])


def _redact_embedded(found: re.Match[str]) -> str:
    address = found[0].rstrip("'\")],.;:>")
    return redact_address(address) + found[0][len(address) :]
