"""What the service must not let in: each refused with its code, a problem, and a line in the log that keeps secrets."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.service_server import TINY, answering, ask, assert_refused, settings_for, submit

from study.service.data_files import forget_unfinished, keep_upload
from study.service.http_protocol import HEAD_BYTES
from study.service.limits import SPEC_BYTES, Limits
from study.service.problems import Problem

CSV = TINY.replace("synthetic:planar_flower", "{source}").replace("examples = 60\n", "")


def make_folder(path: Path) -> Path:
    """Make `data` in a folder, which may be read from, and beside it a file that may not."""
    (path / "data" / "deep").mkdir(parents=True)
    table = "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40))
    for place in ("data/good.csv", "data/deep/good.csv", "secret.csv"):
        (path / place).write_text(table)
    (path / "data" / "out.csv").symlink_to(path / "secret.csv")
    (path / "data" / "away").symlink_to(path)
    return path


@contextmanager
def answering_in(folder: Path) -> Iterator[int]:
    allowed = ((folder / "data").resolve(),)
    with answering(settings_for(folder, folders=allowed, limits=Limits(upload=1000, uploads=1500))) as port:
        yield port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    """A service of the test's own, for tests that get something in."""
    with answering_in(folder) as port:
        yield port


@pytest.fixture(scope="module")
def strict_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("strict"))


@pytest.fixture(scope="module")
def strict(strict_folder: Path) -> Iterator[int]:
    """A service that all tests share whose requests it refuses: in the end it is as empty as it was."""
    with answering_in(strict_folder) as port:
        yield port
        assert ask(port, "GET", "/studies").json()["studies"] == []
        assert not (strict_folder / "home" / "uploads").exists()


@pytest.mark.parametrize("source", ["good.csv", "deep/good.csv", "{folder}/data/good.csv"])
def test_data_below_an_allowed_folder_are_accepted(port: int, folder: Path, source: str) -> None:
    reply = submit(port, CSV.format(name="mine", source=source.format(folder=folder)))
    assert reply.status == 201, reply.body


@pytest.mark.parametrize(
    "source",
    [
        "../secret.csv",
        "deep/../../secret.csv",
        "{folder}/secret.csv",
        "{folder}/data/../secret.csv",
        "/etc/hosts.csv",
        "out.csv",
        "away/secret.csv",
        "~/secret.csv",
        "~root/secret.csv",
        "a\\u0000.csv",
    ],
)
def test_data_outside_the_allowed_folders_are_refused(
    strict: int, strict_folder: Path, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = submit(strict, CSV.format(name="mine", source=source.format(folder=strict_folder)))
    assert_refused(reply, 403, caplog, "POST", "/studies")
    assert ask(strict, "GET", "/studies").json()["studies"] == []


def test_test_file_outside_the_allowed_folders_is_refused(strict: int, caplog: pytest.LogCaptureFixture) -> None:
    spec = CSV.format(name="mine", source="good.csv").replace("[space]", 'test = "out.csv"\n[space]')
    assert_refused(submit(strict, spec), 403, caplog, "POST", "/studies")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/data/..%2Fevil.csv", 404),
        ("/data/a/b.csv", 404),
        ("/data/.hidden.csv", 422),
        ("/data/no-table.exe", 422),
        ("/data/back%5Cslash.csv", 422),
        ("/data/null%00.csv", 422),
    ],
)
def test_name_of_an_upload_that_is_a_path_is_refused(
    strict: int, strict_folder: Path, path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    reply = ask(strict, "PUT", path, b"x", {"Content-Type": "application/octet-stream"})
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert sum(f": {status} " in record.getMessage() for record in caplog.records) == 1
    assert not (strict_folder / "home" / "uploads").exists()


@pytest.mark.parametrize("name", ["a/b", "../a", "a\\\\b", ".", "a b", "", "x" * 101])
def test_name_of_a_study_that_is_a_path_or_too_long_is_refused(
    strict: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert_refused(submit(strict, TINY.format(name=name)), 422, caplog, "POST", "/studies")


@pytest.mark.parametrize("path", ["/studies/..%2F..%2Fetc", "/studies/..%2Fa/report", "/static/..%2Fapp.py"])
def test_paths_do_not_lead_out_of_the_service(strict: int, path: str) -> None:
    assert ask(strict, "GET", path).status in (404, 422)


def test_spec_whose_declared_length_is_too_large_is_refused(strict: int, caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Content-Type": "application/toml", "Content-Length": str(SPEC_BYTES + 1)}
    assert_refused(ask(strict, "POST", "/studies", b"", headers), 413, caplog, "POST", "/studies")


def test_spec_that_turns_out_too_large_while_it_is_sent_is_refused(
    strict: int, caplog: pytest.LogCaptureFixture
) -> None:
    """In chunks, without a length; the answer comes before the body has ended."""
    with socket.create_connection(("127.0.0.1", strict), timeout=30) as line:
        line.sendall(
            b"POST /studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/toml\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(SPEC_BYTES // 65_536 + 1):
            line.sendall(b"10000\r\n" + b"#" * 65_536 + b"\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 413 ")
    assert any(": 413 " in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("path", ["/data/large.csv", "/studies/mine/predict"])
def test_table_that_is_too_large_leaves_nothing_behind(
    port: int, folder: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    submit(port, TINY.format(name="mine"))
    # As if it were finalized: only then a table is read.
    (folder / "home" / "studies" / "mine" / "final").mkdir(parents=True)
    method, kind = ("PUT", "application/octet-stream") if path.startswith("/data") else ("POST", "text/csv")
    reply = ask(port, method, path, b"x" * 1001, {"Content-Type": kind})
    assert_refused(reply, 413, caplog, method, path)
    chunked = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    reply = ask(port, method, path, chunked, {"Content-Type": kind, "Transfer-Encoding": "chunked"})
    assert reply.status == 413
    uploads = folder / "home" / "uploads"
    assert not uploads.exists() or list(uploads.iterdir()) == []


def test_uploads_together_have_a_limit(port: int, folder: Path) -> None:
    octets = {"Content-Type": "application/octet-stream"}
    assert ask(port, "PUT", "/data/one.csv", b"x" * 1000, octets).status == 201
    assert ask(port, "PUT", "/data/two.csv", b"x" * 501, octets).status == 413
    assert ask(port, "PUT", "/data/two.csv", b"x" * 500, octets).status == 201
    assert sorted(path.name for path in (folder / "home" / "uploads").iterdir()) == ["one.csv", "two.csv"]


def test_uploads_at_once_keep_to_the_limit_that_they_have_together(tmp_path: Path) -> None:
    most, seen = 1500, []

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 100
            seen.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
            await asyncio.sleep(0)

    async def upload_all() -> list[Any]:
        uploads = [keep_upload(tmp_path, f"{number}.csv", chunks(), most) for number in range(20)]
        return await asyncio.gather(*uploads, return_exceptions=True)

    outcomes = asyncio.run(upload_all())
    assert any(isinstance(outcome, Problem) and outcome.status == 413 for outcome in outcomes)
    assert max(seen) <= most
    assert not list(tmp_path.glob(".*"))


def test_what_an_upload_left_behind_is_deleted_when_a_service_begins(tmp_path: Path) -> None:
    for name in (".upload-abc", ".upload-def", "kept.csv"):
        (tmp_path / name).write_text("x")
    forget_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.csv"]


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("trials = 1", "trials = 1001", "trials"),
        ("trials = 1", "trials = 1000000000000", "trials"),
        ("units = 2", "units = 5000", "units"),
        ("units = 2", "units = { low = 1, high = 5000 }", "units"),
        ("units = 2", "units = [1, 5000]", "units"),
        ("depth = 1", "depth = 21", "depth"),
        ("depth = 1", "depth = { low = 0, high = 50 }", "depth"),
        ("iterations = 5", "iterations = 1000001", "iterations"),
        ("units = 2", "units = 2\nbatch_size = 2000000", "batch_size"),
        ("examples = 60", "examples = 10000000", "examples"),
        ("examples = 60", "examples = 60\nfolds = 1000", "folds"),
        ("trials = 1", "trials = 1\nin_flight = 1024", "in_flight"),
        ("[search]", "[confirm]\ntop = 1000\nseeds = 1000\n[search]", "top"),
        ("trials = 1", "trials = 1\nenqueue = [{ units_1 = 5000 }]", "units_1"),
        ("trials = 1", "trials = 1\nenqueue = [{ __init__ = 1, depth = 99 }]", "depth"),
    ],
)
def test_spec_bombs_are_refused(
    strict: int, before: str, after: str, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = submit(strict, TINY.format(name="bomb").replace(before, after))
    assert_refused(reply, 422, caplog, "POST", "/studies")
    assert named in reply.json()["detail"]
    assert "exceeds the limit of this server" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[" * 200_000, "application/json", 400),
        (b'{"a":' * 100_000, "application/json", 400),
        (b"a = " + b"[" * 200_000, "application/toml", 422),
        (b"1" * 5_000, "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 422),
        (b'{"name": null}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"\xff\xfe", "application/toml", 400),
        (b"name = ", "application/toml", 400),
        (b"name = 1", "text/plain", 415),
        (b"name = 1", "multipart/form-data", 415),
        (b"name = 1", "", 415),
    ],
)
def test_body_that_is_not_a_spec_is_refused(
    strict: int, body: bytes, kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert_refused(ask(strict, "POST", "/studies", body, headers), status, caplog, "POST", "/studies")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5050", "localhost.evil.example", "", "127.0.0.1.nip.io"]
)
def test_foreign_host_is_refused(strict: int, host: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_refused(ask(strict, "GET", "/studies", headers={"Host": host}), 421, caplog, "GET", "/studies")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:5050"])
def test_loopback_hosts_are_accepted(strict: int, host: str) -> None:
    assert ask(strict, "GET", "/studies", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    ],
)
def test_page_of_another_site_changes_nothing(
    port: int, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    submit(port, TINY.format(name="tiny"))
    reply = ask(port, "POST", "/studies/tiny/cancel", headers={"Host": "localhost", **headers})
    assert_refused(reply, 403, caplog, "POST", "/studies/tiny/cancel")
    assert ask(port, "GET", "/studies/tiny").json()["state"] == "queued"


def test_page_of_the_service_may_change_something(port: int) -> None:
    submit(port, TINY.format(name="tiny"))
    headers = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}", "Sec-Fetch-Site": "same-origin"}
    assert ask(port, "POST", "/studies/tiny/cancel", headers=headers).status == 200


@pytest.mark.parametrize("path", ["/", "/studies", "/nothing", "/docs", "/static/page.js"])
def test_every_answer_has_the_headers_that_browsers_want(strict: int, path: str) -> None:
    headers = ask(strict, "GET", path).headers
    rules = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in rules
    assert "default-src 'none'" in rules
    assert "unsafe" not in rules
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


@pytest.mark.parametrize(
    ("begin", "answered"),
    [
        (b"GET /studies?q=", b"HTTP/1.1 400 "),
        (b"GET /studies HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"HTTP/1.1 400 "),
        (b"GET /studies HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Long: ", b"HTTP/1.1 "),
    ],
    ids=["address", "header", "trailer"],
)
def test_head_without_end_is_not_kept(strict: int, begin: bytes, answered: bytes) -> None:
    """The server hangs up long before it has taken all of it."""
    sent = 0
    with socket.create_connection(("127.0.0.1", strict), timeout=30) as line:
        line.sendall(begin)
        with pytest.raises(ConnectionError):
            while sent < 64 << 20:
                line.sendall(b"x" * 65_536)
                sent += 65_536
    assert sent < 16 << 20  # what the buffers on the way hold
    with socket.create_connection(("127.0.0.1", strict), timeout=30) as line:
        line.sendall(begin + b"x" * (HEAD_BYTES * 4))
        assert line.recv(9_999).startswith(answered)
    assert ask(strict, "GET", "/health").status == 200


def test_large_heads_one_after_another_are_accepted(strict: int) -> None:
    line = http.client.HTTPConnection("127.0.0.1", strict, timeout=30)
    for _ in range(4):
        line.request("GET", "/studies", headers={"Host": "localhost", "X-Long": "x" * (HEAD_BYTES - 1024)})
        answer = line.getresponse()
        assert (answer.status, answer.read()[:1]) == (200, b"{")
    line.close()
