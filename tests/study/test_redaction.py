"""No secret of an address is shown, however it is written, and the rest of the address is."""

import json
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from study.text.redaction import is_percent_encoded, redact, redact_address, redact_command, redact_line

NAME = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
# No letters of the other parts: otherwise a host that repeats the password would fail the test.
SECRET = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="abcdefghijklmnopqrstuvwxyz"),
    min_size=4,
    max_size=24,
)
RAW = st.text("ABCD0123 ?#&=;,+'\"<>$!()[]~^|", min_size=4, max_size=24)
PORT = st.integers(1024, 65535)
SCHEME = st.sampled_from(["postgresql", "postgresql+psycopg", "mysql+pymysql", "http", "https", "s3", "tcp"])
PARAMETER = st.sampled_from(
    ["password", "sslpassword", "token", "sig", "access_key", "X-Amz-Signature", "oauth_client_secret", "newest"]
)


def forms(secret: str) -> set[str]:
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], json.dumps(secret)}


@given(SCHEME, NAME, SECRET, NAME, PORT, NAME)
@example("postgresql", "me", "a b@c/d%e", "host", 5432, "db")
def test_a_password_is_masked_and_the_place_stays(
    scheme: str, user: str, secret: str, host: str, port: int, database: str
) -> None:
    shown = redact_address(f"{scheme}://{user}:{quote(secret, safe='')}@{host}:{port}/{database}")
    assert shown.endswith(f"***@{host}:{port}/{database}")
    assert not any(form in shown for form in forms(secret))


@given(NAME, RAW, NAME, PORT, NAME)
@example("me", "12?ss", "host", 5432, "db")
def test_a_password_that_is_not_encoded_is_masked(user: str, secret: str, host: str, port: int, database: str) -> None:
    shown = redact_address(f"postgresql://{user}:{secret}@{host}:{port}/{database}")
    assert shown == f"postgresql://{user}:***@{host}:{port}/{database}"


@given(NAME, st.lists(RAW, min_size=2, max_size=3), st.sampled_from("/@"), NAME, PORT)
def test_a_password_with_the_marks_of_an_address_is_masked_and_refused(
    user: str, parts: list[str], mark: str, host: str, port: int
) -> None:
    address = f"postgresql://{user}:{mark.join(parts)}@{host}:{port}/db"
    assert not any(part in redact_address(address) for part in parts)
    assert not is_percent_encoded(address)


@given(SCHEME, PARAMETER, SECRET, NAME, PORT, NAME, st.booleans())
def test_every_parameter_that_is_not_known_is_masked(
    scheme: str, parameter: str, secret: str, host: str, port: int, database: str, first: bool
) -> None:
    parameters = [f"{parameter}={quote(secret)}", "sslmode=require"]
    shown = redact_address(f"{scheme}://{host}:{port}/{database}?{'&'.join(parameters if first else parameters[::-1])}")
    assert shown.startswith(f"{scheme}://{host}:{port}/{database}?")
    assert f"{parameter}=***" in shown
    assert "sslmode=require" in shown
    assert not any(form in shown for form in forms(secret))


@given(SECRET, NAME, PORT, NAME, PARAMETER)
def test_keywords_of_libpq_are_masked(secret: str, host: str, port: int, database: str, parameter: str) -> None:
    assume(not secret.isspace())
    value = "'" + secret.replace("\\", "\\\\").replace("'", "\\'") + "'"
    shown = redact_address(f"host={host} port={port} dbname={database} {parameter.replace('-', '_')}={value}")
    assert shown == f"host={host} port={port} dbname={database} {parameter.replace('-', '_')}=***"


@given(RAW, NAME)
def test_a_keyword_whose_value_is_not_quoted_is_masked_to_the_last_word(secret: str, host: str) -> None:
    assume("=" not in secret)
    shown = redact_address(f"host={host} password={secret}")
    assert shown.startswith(f"host={host} ")
    assert not any(word in shown.removeprefix(f"host={host} ") for word in secret.split())


@given(NAME, SECRET, NAME, PORT)
def test_a_secret_is_masked_in_the_text_of_a_library_however_it_is_quoted(
    user: str, secret: str, host: str, port: int
) -> None:
    address = f"postgresql://{user}:{quote(secret, safe='')}@{host}:{port}/db?sslpassword={quote_plus(secret)}"
    for form in forms(secret):
        shown = redact(f"connection to {host}:{port} failed: [{form}]", address)
        assert shown.startswith(f"connection to {host}:{port} failed: ")
        assert not any(each in shown for each in forms(secret))


@settings(max_examples=30)
@given(st.text("AB12 %/@:?#'\"", min_size=4, max_size=12))
@example("1234")
@example("sec ret")
@example("%zzzz")
@example("%00abc")
@example("se/cret@host")
def test_what_libraries_say_of_an_address_shows_no_secret(secret: str) -> None:
    """Their own words, where they do not take it."""
    address = f"postgresql://me:{secret}@localhost:port/db"
    for parse in (psycopg.conninfo.conninfo_to_dict, make_url):
        try:
            parse(address)
        except (psycopg.Error, ArgumentError, ValueError, UnicodeError) as error:
            assert secret not in redact(str(error), address).replace("localhost:port", "").replace("me:", "")


@given(NAME, SECRET, NAME)
def test_an_address_of_sqlalchemy_is_masked_as_it_does_itself(user: str, secret: str, host: str) -> None:
    url = URL.create("postgresql", user, secret, host, 5432, "db")
    assert redact_address(url.render_as_string(hide_password=False)) == url.render_as_string(hide_password=True)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5000/#/experiments/2", "http://127.0.0.1:5000/#/experiments/2"),
        ("http://host/x#access_token=hush", "http://host/x#***"),
        ("https://ghp_token@host/x", "https://***@host/x"),
        ("https://me:p@ss:w@host/x", "https://***@host/x"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("s3://bucket/folder@2", "s3://bucket/folder@2"),
        ("wasbs://box@account.blob.core.windows.net/a?sig=hush", "wasbs://box@account.blob.core.windows.net/a?sig=***"),
        ("postgresql://me:hush@one:1,two:2/db", "postgresql://me:***@one:1,two:2/db"),
        ("postgresql://me:hush@[::1]:5432/db", "postgresql://me:***@[::1]:5432/db"),
        ("postgresql://host:5432/db?user=me@work&password=h@sh", "postgresql://host:5432/db?user=me@work&password=***"),
        ("postgresql://me@host/db?sslpassword=h@sh", "postgresql://me@host/db?sslpassword=***"),
        ("postgresql://me:hush/db", "postgresql://me:***/db"),
        ("me:hush@host/db", "me:***@host/db"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dhush", "mssql+pyodbc:///?odbc_connect=***"),
    ],
)
def test_addresses_of_all_kinds(address: str, shown: str) -> None:
    assert redact_address(address) == shown


@pytest.mark.parametrize(
    "variable", ["MLFLOW_TRACKING_URI", "STUDY_STORAGE", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"]
)
def test_secrets_of_the_environment_are_masked(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_secret = variable.endswith(("PASSWORD", "TOKEN"))
    monkeypatch.setenv(variable, "hush hush" if is_secret else "https://me:hush%20hush@host/x")
    assert redact("refused 'hush hush' as hush%20hush and hush+hush") == "refused '***' as *** and ***"


def test_text_around_an_address_stays() -> None:
    text = "no route to 'http://me:hush@h:5000/x', (http://127.0.0.1:5000); start it"
    assert redact(text) == "no route to 'http://***@h:5000/x', (http://127.0.0.1:5000); start it"


def test_a_kept_command_is_masked() -> None:
    assert redact_line("study run a.toml --storage 'postgresql://me:hush hush@h/db'") == (
        "study run a.toml --storage 'postgresql://me:***@h/db'"
    )
    assert redact_line("study run 'a.toml --storage postgresql://me:hush@h/db") == (
        "study run 'a.toml --storage postgresql://me:***@h/db"
    )
    assert redact_command(["study", "plan", "a b.toml"]) == "study plan 'a b.toml'"
