"""The lease: one holder, named to whoever comes second, gone with its process, never in the way of readers."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.waiting import wait_for

from study.errors import UserError
from study.ledger import lock as lease

HOLD = """
import sys
from pathlib import Path
from study.ledger import lock as lease
with lease.hold(Path(sys.argv[1]), "small"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small" / "lease.json"


@contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lease."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_refused_and_told_who_holds_it(path: Path) -> None:
    with holder(path) as process:
        assert lease.is_held(path)
        words = rf"study 'small' is being run by process {process.pid} on {socket.gethostname()} since "
        with pytest.raises(UserError, match=words), lease.hold(path, "small"):
            pass


def test_a_lease_that_was_left_is_free(path: Path) -> None:
    assert not lease.is_held(path)
    with lease.hold(path, "small"):
        assert lease.is_held(path)
    assert not lease.is_held(path)
    assert path.read_bytes() == b""
    with lease.hold(path, "small"):
        pass


def test_the_lease_of_a_dead_holder_is_taken_over(path: Path) -> None:
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not lease.is_held(path)
        with lease.hold(path, "small"):
            assert json.loads(path.read_bytes())["pid"] == os.getpid()


def test_a_suspended_holder_keeps_it(path: Path) -> None:
    with holder(path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(UserError, match=str(process.pid)), lease.hold(path, "small"):
            pass


@pytest.mark.parametrize("content", [b"", b"{", b"5", b"{}", b'{"host": "a"}', b"\xff\x00\n", b"null"])
def test_a_torn_file_hinders_nobody(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with lease.hold(path, "small"):
        assert lease.is_held(path)
        path.write_bytes(content)
        with pytest.raises(UserError, match="another process"), lease.hold(path, "small"):
            pass


@pytest.mark.slow
def test_readers_do_not_hinder_a_start(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            lease.is_held(path)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(50):
            with lease.hold(path, "small"):
                pass
    finally:
        over.set()
        for reader in readers:
            reader.join()


def foreign(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"host": "elsewhere", "pid": 7, "started": "2020-02-02 02:02:02"}')


def test_a_dead_holder_on_another_machine_is_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign(path)
    monkeypatch.setattr(lease, "BEAT", 0.01)
    with lease.hold(path, "small"):
        assert json.loads(path.read_bytes())["pid"] == os.getpid()


def test_a_living_holder_on_another_machine_is_found_without_a_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign(path)
    monkeypatch.setattr(lease, "BEAT", 0.05)
    left = threading.Event()
    beating = threading.Thread(target=lease._beat, args=(path, left))
    beating.start()
    try:
        with pytest.raises(UserError, match="process 7 on elsewhere since 2020"), lease.hold(path, "small"):
            pass
        assert b"elsewhere" in path.read_bytes()
    finally:
        left.set()
        beating.join()


def test_a_holder_beats(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    with lease.hold(path, "small"):
        before = path.stat().st_mtime_ns
        wait_for(lambda: path.stat().st_mtime_ns != before, "the holder to touch its file")


def test_a_place_without_locks_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lease.fcntl, "flock", no_locks)
    words = r"cannot be locked \(Operation not supported\); use another --home"
    with pytest.raises(UserError, match=words), lease.hold(path, "small"):
        pass
