"""No secret of a database's address reaches output, ledger, MLflow or the process list."""

import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from support.command import begin_process, environment, run_study
from support.postgres import Server
from support.processes import command_of, exporters_of, needs_proc, workers_of
from support.small_study import ENDLESS
from support.waiting import wait_for

from study.ledger.home import Home
from study.ledger.ledger import Ledger

PASSWORD = "hush hush@/%#?"  # noqa: S105 - of a role that the tests make


def make_role(address: str, name: str, password: str) -> str:
    """Make a role that may do all in a database; return the database's address with it and its password."""
    with psycopg.connect(address) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}")  # type: ignore[call-overload]
        connection.execute(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{password}'")  # type: ignore[call-overload]
    return address.replace("study@", f"{name}:{quote(password, safe='')}@")


def forms(secret: str) -> set[str]:
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}


@pytest.mark.parametrize(
    ("userinfo", "parameters", "words"),
    [
        ("guest:wrong%20hush%40%2F%25%23", "", "password authentication failed"),
        ("guest:wrong hush", "", "must be percent-encoded"),
        ("guest:wrong#hush?", "", "password authentication failed"),
        ("guest", "?password=wrong%20hush", "password authentication failed"),
        ("guest", "?password=wrong+hush&sslpassword=wronghush", "password authentication failed"),
        ("guest", "?sslpasswort=wronghush", "invalid URI query parameter"),
        ("guest:wrong%00hush", "", "forbidden value %00"),
        ("guest:wrong@hush", "", "must be percent-encoded"),
        ("guest:wrong/hush", "", "must be percent-encoded"),
        ("guest:wrong%zzhush", "", "must be percent-encoded"),
        ("guest:wronghush@nowhere.invalid", "", "must be percent-encoded"),
    ],
)
def test_a_refused_password_is_not_shown(
    storage: str, spec: Path, tmp_path: Path, userinfo: str, parameters: str, words: str
) -> None:
    make_role(storage, "guest", "right")
    address = storage.replace("study@", f"{userinfo}@") + parameters
    place = storage.partition("@")[2]
    for command in (("run", spec, "--jobs", 1, "--no-tracking"), ("list",), ("show", "small")):
        done = run_study(*command, "--home", tmp_path / "home", "--storage", address)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
        assert words in done.stderr
        assert place in done.stderr
        assert "hush" not in done.stderr
        assert "wrong" not in done.stderr
    done = run_study("list", env=environment() | {"STUDY_STORAGE": address})
    assert done.returncode == 2
    assert "hush" not in done.stderr


@pytest.mark.parametrize(
    "address",
    ["host=127.0.0.1 dbname=studies password='hush hush'", "me:hush@host/studies", "postgresql//me:hush@host/x"],
)
def test_an_address_of_another_form_is_refused_without_its_password(spec: Path, tmp_path: Path, address: str) -> None:
    done = run_study("list", "--home", tmp_path / "home", "--storage", address)
    assert done.returncode == 2
    assert "not a PostgreSQL address" in done.stderr
    assert "hush" not in done.stderr


@needs_proc
@pytest.mark.slow
def test_what_a_run_leaves_behind_and_starts_has_no_secret(
    postgres: Server, storage: str, home: Path, tmp_path: Path
) -> None:
    """The one command line that shows it is that of the user who wrote it there."""
    address = make_role(storage, "runner", PASSWORD) + "?sslpassword=hushhushhush"
    spec = tmp_path / "endless.toml"
    spec.write_text(ENDLESS)
    process = begin_process("run", spec, "--home", home, "--jobs", 2, "--trials", 12, "--storage", address)
    try:
        children: set[int] = set()
        wait_for(
            lambda: children.update(workers_of(process.pid), exporters_of(process.pid)) or len(children) >= 3,
            "children",
        )
        for command in map(command_of, children):
            assert not any(form in command for form in (*forms(PASSWORD), "hush"))
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "hush" not in output + errors

    kept = Home(home, address)
    attributes = Ledger(kept.folder("small"), "small").attributes
    assert "hush" not in json.dumps(attributes)
    assert "postgresql://runner:***@127.0.0.1" in attributes["made_with"]["command"]
    assert not [path for path in home.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
    assert b"postgresql://runner:***@127.0.0.1" in (home / "mlflow.db").read_bytes()
