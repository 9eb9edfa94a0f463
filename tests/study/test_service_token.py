"""The token that another address than loopback needs: what it opens, what stays shut, and that it is told to nobody."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service_server import answering, ask, assert_refused, settings_for

from study.errors import UserError
from study.service.security import COOKIE
from study.service.settings import read_token

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105 - of these tests
EVERYWHERE = "0.0.0.0"  # noqa: S104 - not bound


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A service with a token, in which no test changes anything."""
    folder = tmp_path_factory.mktemp("guarded")
    with answering(settings_for(folder, token=TOKEN, hosts=("studies.example",))) as port:
        yield port


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \xe9"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}="},
    ],
)
@pytest.mark.parametrize("path", ["/studies", "/events", "/metrics", "/docs", "/openapi.json", "/studies/x/report"])
def test_without_the_token_nothing_is_answered(
    guarded: int, path: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    reply = ask(guarded, "GET", path, headers=headers)
    assert_refused(reply, 401, caplog, "GET", path)
    assert reply.headers["www-authenticate"].startswith("Bearer")


def test_token_is_accepted_and_never_logged(guarded: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    known = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(guarded, "GET", "/studies", headers=known).status == 200
    assert ask(guarded, "GET", "/studies", headers={**known, "Host": "studies.example"}).status == 200
    assert ask(guarded, "GET", "/studies/nothing", headers=known).status == 404
    assert ask(guarded, "GET", f"/studies?token={TOKEN}").status == 401
    assert ask(guarded, "POST", "/session").status == 401
    assert any("refused" in record.getMessage() for record in caplog.records)
    assert not any(TOKEN in record.getMessage() for record in caplog.records)


def test_page_gets_a_cookie_for_the_token_that_does_not_hold_it(guarded: int) -> None:
    for path in ("/", "/static/page.js", "/static/page.css", "/health"):
        assert ask(guarded, "GET", path).status == 200  # which tell nothing
    reply = ask(guarded, "POST", "/session", headers={"Authorization": f"Bearer {TOKEN}"})
    cookie = reply.headers["set-cookie"]
    assert reply.status == 204
    assert TOKEN not in cookie
    for word in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert word in cookie
    value = cookie.partition(";")[0]
    assert ask(guarded, "GET", "/studies", headers={"Cookie": value}).status == 200
    assert ask(guarded, "GET", "/studies", headers={"Cookie": value[:-1]}).status == 401


def test_address_other_than_loopback_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--token-file"):
        settings_for(tmp_path, host="192.0.2.1")
    with pytest.raises(UserError, match="--allow-host"):
        settings_for(tmp_path, host=EVERYWHERE, token=TOKEN)
    settings = settings_for(tmp_path, host=EVERYWHERE, token=TOKEN, hosts=("studies.example",))
    assert settings.names == {"studies.example"}
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("short\n", 0o600, "at least 16"),
        (f"{TOKEN} {TOKEN}\n", 0o600, "without spaces"),
        (f"{TOKEN}é", 0o600, "ASCII"),
        (TOKEN, 0o644, "chmod 600"),
    ],
)
def test_token_must_be_one_long_line_in_a_private_file(tmp_path: Path, text: str, mode: int, said: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(UserError, match=said) as error:
        read_token(path)
    assert TOKEN not in str(error.value)
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    assert read_token(path) == TOKEN
