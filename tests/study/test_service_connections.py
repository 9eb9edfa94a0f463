"""Connections: however many somebody opens, or how slowly somebody sends, others are answered."""

import contextlib
import http.client
import logging
import resource
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service_server import TINY, answering, ask, serving, settings_for, submit
from support.waiting import wait_for

from study.service import bounded_log
from study.service.bounded_log import BoundedHandler
from study.service.connections import Connections, TimeLimits, most_connections

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
FOLLOW = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = (
    b"PUT /data/table.csv HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Length: 100\r\n\r\n"
)
LONG = TimeLimits(head=1000, body=1000, answer=1000, keep_alive=1000)


@contextlib.contextmanager
def connected(port: int, *sent: bytes) -> Iterator[list[socket.socket]]:
    """Have a connection for each of these beginnings of requests."""
    with contextlib.ExitStack() as lines:
        opened = [lines.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in sent]
        for line, beginning in zip(opened, sent, strict=True):
            line.sendall(beginning)
        yield opened


def received(line: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


def read_until(line: socket.socket, words: bytes) -> None:
    """Read up to some words."""
    came = b""
    while words not in came:
        piece = line.recv(65_536)
        assert piece, came
        came += piece


def is_readable(line: socket.socket) -> bool:
    poll = select.poll()  # select itself knows 1,024 files
    poll.register(line, select.POLLIN)
    return bool(poll.poll(0))


def is_ended(line: socket.socket) -> bool:
    """Return whether a connection on which at most an error is answered was closed by the other side."""
    while is_readable(line):
        try:
            if not line.recv(65_536):
                return True
        except ConnectionResetError:
            return True
    return False


def connections(most: int = 100, **seconds: float) -> Connections:
    return Connections(most, TimeLimits(**{**vars(LONG), **seconds}))  # type: ignore[arg-type]  # whole where asked for


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open more files than the thousand that many systems allow at first."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096
    if most not in (resource.RLIM_INFINITY,) and most < wanted:
        pytest.skip(f"needs {wanted} open files, the limit is {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, wanted), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.mark.slow
def test_thousand_idle_connections_keep_nobody_from_being_answered(tmp_path: Path, many_files: None) -> None:
    few_files = ("sh", "-c", 'ulimit -n 300; exec "$@"', "sh")
    with (
        serving(tmp_path / "home", "--no-mlflow", prefix=few_files) as served,
        connected(served.port, *[FOLLOW] * 3) as followed,
    ):
        for line in followed:
            read_until(line, b"event: studies")
        before = served.log.stat().st_size
        with (
            connected(served.port, *[b""] * 1000) as idle,
            connected(served.port, *[HEALTH[:20]] * 50) as slow,
            socket.create_connection(("127.0.0.1", served.port), timeout=60) as line,
        ):
            # Were it not for the limits, this would take as long as those connections stay open: for ever.
            line.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert received(line).startswith(b"HTTP/1.1 200 ")
            for each in (*idle, *slow):
                wait_for(lambda each=each: is_ended(each), "connections that ask nothing to be closed")  # type: ignore[misc]
        assert served.log.stat().st_size - before < 100_000, served.log.read_text()[-1000:]
        assert submit(served.port, TINY.format(name="mine")).status == 201
        for line in followed:
            read_until(line, b"event: changes")
        ask(served.port, "POST", "/studies/mine/cancel")


def test_idle_connections_make_room_the_oldest_first_and_streams_stay(tmp_path: Path) -> None:
    with (
        answering(settings_for(tmp_path), connections=connections(3)) as port,
        connected(port, FOLLOW, b"GET", HEALTH) as (stream, unfinished, kept_alive),
    ):
        read_until(stream, b"event: studies")
        read_until(kept_alive, b'"ok"')
        assert ask(port, "GET", "/health").status == 200
        assert received(unfinished) == b""
        assert not is_ended(kept_alive)
        assert not is_ended(stream)


def test_connection_beyond_those_that_are_busy_is_answered_with_503(tmp_path: Path) -> None:
    with (
        answering(settings_for(tmp_path), connections=connections(2)) as port,
        connected(port, FOLLOW, FOLLOW) as streams,
    ):
        for stream in streams:
            assert stream.recv(65_536).startswith(b"HTTP/1.1 200 ")
        with connected(port, b"") as (refused,):
            assert received(refused).startswith(b"HTTP/1.1 503 ")
        assert not any(map(is_ended, streams))


class Line:
    """A connection of some address."""

    def __init__(self) -> None:
        self.closed = False

    def close_idle(self) -> None:
        self.closed = True


def test_room_is_made_by_the_address_that_has_most_idle_connections() -> None:
    places, theirs, mine = connections(6), [Line() for _ in range(5)], Line()
    for address, line in (("10.0.0.1", mine), *[("10.0.0.2", line) for line in theirs]):
        assert places.admit()
        places.idle(address, line)
    places.busy("10.0.0.2", theirs[0])  # a request on it is being answered
    assert all(places.admit() for _ in range(3))
    assert [line.closed for line in theirs] == [False, True, True, True, False]
    assert not mine.closed
    places.leave("10.0.0.2", theirs[1])
    assert places.open == 8


@pytest.mark.parametrize(
    ("sent", "late", "answer"),
    [
        (b"", "head", b"HTTP/1.1 408 "),
        (HEALTH[:20], "head", b"HTTP/1.1 408 "),
        (UPLOAD, "body", b""),
        (UPLOAD + b"x" * 50, "body", b""),
    ],
)
def test_request_that_does_not_go_on_is_dropped(tmp_path: Path, sent: bytes, late: str, answer: bytes) -> None:
    limits = connections(**{late: 0.2})
    with answering(settings_for(tmp_path), connections=limits) as port, connected(port, sent) as (line,):
        came = received(line)
        assert came.startswith(answer) if answer else came == b""
        wait_for(lambda: limits.open == 0, "the connection to be forgotten")
        uploads = tmp_path / "home" / "uploads"
        wait_for(lambda: not uploads.exists() or not list(uploads.iterdir()), "the upload to be forgotten")


def test_second_request_that_does_not_go_on_is_dropped(tmp_path: Path) -> None:
    with answering(settings_for(tmp_path), connections=connections(head=0.2)) as port:
        with connected(port, HEALTH + HEALTH[:20]) as (line,), contextlib.suppress(TimeoutError):
            line.settimeout(0.5)
            assert received(line).startswith(b"HTTP/1.1 200 ")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/health")
            assert connection.getresponse().read()
            connection.sock.sendall(HEALTH[:20])
            assert received(connection.sock).startswith(b"HTTP/1.1 408 ")


def test_body_that_comes_steadily_has_the_time_that_it_needs(tmp_path: Path) -> None:
    size = 50_000
    head = UPLOAD.replace(b"Content-Length: 100", f"Content-Length: {size}".encode())
    with (
        answering(settings_for(tmp_path), connections=connections(body=0.5)) as port,
        connected(port, head) as (line,),
    ):
        started = time.monotonic()
        sent = 0
        while time.monotonic() - started < 1.5:
            sent += line.send(b"x" * 2500)
            assert not is_ended(line)
            time.sleep(0.1)
        line.sendall(b"x" * (size - sent))
        assert line.recv(65_536).startswith(b"HTTP/1.1 201 ")


def test_answer_that_nobody_takes_is_dropped(tmp_path: Path) -> None:
    limits = connections(answer=0.2)
    script = b"GET /static/page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with answering(settings_for(tmp_path), connections=limits) as port, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", port))
        line.settimeout(60)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(2000):  # many answers, of which none is read
                line.sendall(script)
        wait_for(lambda: limits.open == 0, "the connection to be dropped")


def test_most_connections_are_well_below_the_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((300, 150), (1024, 512), (1 << 20, 512), (resource.RLIM_INFINITY, 512), (1, 1)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert most_connections() == most


def test_log_takes_so_many_lines_of_a_kind_and_counts_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(bounded_log.time, "monotonic", lambda: now[0])
    logger = logging.Logger("flooded")
    logger.addHandler(BoundedHandler(sys.stderr))

    def refuse(count: int) -> list[str]:
        for number in range(count):
            logger.warning("refused %d", number)
        return capsys.readouterr().err.splitlines()

    most = bounded_log.MOST
    told = f"more than {most} similar lines in 60 s; suppressing further ones"
    assert refuse(1000) == [*[f"refused {number}" for number in range(most)], told]
    logger.warning("something else")
    assert capsys.readouterr().err == "something else\n"
    now[0] = bounded_log.PERIOD
    assert refuse(2) == [f"{1000 - most} similar lines were suppressed", "refused 0", "refused 1"]
