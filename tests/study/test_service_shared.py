"""`study serve --storage`: queue and ledgers in a real PostgreSQL, which several servers share and which may go."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from postgres import Server, start_server
from service_server import TINY, alive, ask, running, serving, submit, until
from small_study import SMALL, environment, fingerprints, run_study

from study import holding
from study.errors import MachineError
from study.home import Home
from study.results import summarize
from study.service import reading
from study.service.queue import Queue, Submission
from study.service.reading import StudyReader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]
OPTIONS = ("--no-mlflow", "--jobs", "1")
# Long enough to be met while it runs, however late one looks.
LONG = SMALL.replace("{ low = 50, high = 200, step = 50 }", "15000")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with start_server() as running:
        yield running


@pytest.fixture
def storage(server: Server) -> str:
    """The address of an empty database."""
    return server.make_database()


def trials(home: Path, storage: str, name: str = "small") -> list[tuple[int, str, str | None]]:
    return [(row.number, row.state, row.fingerprint) for row in summarize(Home(home, storage), name).trials]


def test_a_killed_server_goes_on_with_what_is_in_the_database(tmp_path: Path, home: Path, storage: str) -> None:
    (tmp_path / "long.toml").write_text(LONG)
    alone = tmp_path / "alone"
    assert run_study("run", tmp_path / "long.toml", "--home", alone, "--jobs", 1, "--no-tracking").returncode == 0
    with serving(home, *OPTIONS, storage=storage) as served:
        assert submit(served.port, LONG).status == 201
        assert submit(served.port, TINY.format(name="next")).status == 201
        until(lambda: served.study("small")["finished"] >= 1)
        (running,) = alive(str(home / "studies" / "small" / "service" / "spec.toml"))
        # The password of an address would be seen by everybody.
        assert not alive(storage)
        served.kill()
        os.kill(running, signal.SIGKILL)  # as when the machine goes down
        assert [each.state for each in Queue(Home(home, storage)).all()] == ["running", "queued"]
        served.start()
        served.wait()
        served.until("next", "complete")
        assert served.study("small")["state"] == "complete"
        listed = ask(served.port, "GET", "/studies").json()["studies"]
        assert [(line["name"], line["finished"], line["planned"]) for line in listed] == [
            ("small", 12, 12),
            ("next", 1, 1),
        ]
        curves = ask(served.port, "GET", "/studies/small/curves").json()
        assert curves["curves"]
        assert curves["version"] == served.study("small")["version"]
        report = ask(served.port, "GET", "/studies/small/report")
        assert (report.status, report.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert served.stop() == 0
    assert not (home / "queue.db").exists()
    assert trials(home, storage) == fingerprints(alone)  # where it is kept changes nothing
    assert [(each.name, each.state) for each in Queue(Home(home, storage)).all()] == [
        ("small", "complete"),
        ("next", "complete"),
    ]


def test_a_database_that_goes_away_is_said_and_waited_for(home: Path, finished: Path) -> None:
    with start_server() as server:
        storage = server.make_database()
        with serving(home, *OPTIONS, storage=storage) as served:
            submit(served.port, SMALL)
            until(lambda: served.study("small")["finished"] >= 1)
            server.stop()
            time.sleep(0.6)  # the list of studies may be half a second old
            requests = [
                ("GET", "/studies"),
                ("GET", "/studies/small"),
                ("GET", "/studies/small/trials"),
                ("GET", "/health"),
            ]
            for method, path in [*requests, ("GET", "/metrics"), ("POST", "/studies/small/cancel")]:
                reply = ask(served.port, method, path)
                assert (reply.status, reply.headers["content-type"]) == (503, "application/problem+json"), path
                assert (reply.json()["type"], reply.headers["retry-after"]) == ("urn:study:problem:database", "5")
                assert "postgresql://" not in reply.json()["detail"]
            assert submit(served.port, TINY.format(name="next")).status == 503
            until(lambda: "; trying again" in served.log.read_text())
            server.start()
            assert served.until("small", "complete")["finished"] == 12
            assert submit(served.port, TINY.format(name="next")).status == 201
            served.until("next", "complete")
            assert served.stop() == 0
        said = served.log.read_text()
        assert "the database answers again" in said
        assert "Traceback" not in said
        assert trials(home, storage) == fingerprints(finished)


def test_servers_of_two_machines_share_a_queue(home: Path, storage: str) -> None:
    other = home.parent / "other"
    names = [f"study-{number}" for number in range(6)]
    with serving(home, *OPTIONS, storage=storage) as here, serving(other, *OPTIONS, storage=storage) as there:
        for number, name in enumerate(names):
            assert submit((here, there)[number % 2].port, TINY.format(name=name)).status == 201
        for served in (here, there):
            for name in names:
                assert served.until(name, "complete")["finished"] == 1
        for served in (here, there):
            assert served.stop() == 0
    queue = Queue(Home(home, storage))
    assert [each.name for each in queue.all()] == names
    logs = [each.log.read_text() for each in (here, there)]
    for name in names:
        assert sum(text.count(f"study {name} runs") for text in logs) == 1
    assert len({trials(home, storage, name)[0][2] for name in names}) == 1


def test_what_the_queue_calls_complete_is_shown_with_its_trials(
    tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FRESH", float("inf"))  # what was looked at once would do for good
    place = Home(tmp_path / "here", storage)
    queue = Queue(place)
    reader = StudyReader(place, queue)
    for name in ("one", "two"):
        queue.submit(name, TINY.format(name=name), {})
        waiting = reader.line(name, queue.find(name))
        assert waiting is not None
        assert (waiting.state, waiting.finished) == ("queued", 0)
    with running(queue, place):
        until(lambda: queue.counts()["complete"] == 2)
    line = reader.line("one", queue.find("one"))
    assert line is not None
    assert (line.state, line.finished) == ("complete", 1)
    (_, two) = json.loads(reader.studies())["studies"]
    assert (two["name"], two["state"], two["finished"]) == ("two", "complete", 1)


def test_a_study_that_another_machine_runs_is_waited_for(tmp_path: Path, storage: str) -> None:
    place, elsewhere = Home(tmp_path / "here", storage), Home(tmp_path / "there", storage)
    queue = Queue(place)
    for name in ("held", "free"):
        queue.submit(name, TINY.format(name=name), {})
    with ExitStack() as begun:
        with holding.hold(elsewhere.folder("held"), "held"):
            begun.enter_context(running(queue, place))
            until(lambda: queue.counts()["complete"] == 1)
            assert [each.state for each in queue.all()] == ["queued", "complete"]
        until(lambda: queue.counts()["complete"] == 2)


def test_a_claim_whose_answer_is_lost_is_gone_on_with(
    tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Home(tmp_path / "here", storage)
    queue = Queue(place)
    queue.submit("one", TINY.format(name="one"), {})
    claim, lost = queue.claim, iter([True])

    def claim_without_answer(is_left: Callable[[Submission], bool]) -> Submission | None:
        found = claim(is_left)
        if next(lost, False):
            raise MachineError("the line broke")
        return found

    monkeypatch.setattr(queue, "claim", claim_without_answer)
    with running(queue, place):
        until(lambda: queue.counts()["complete"] == 1)


def test_a_study_is_run_where_its_data_are(tmp_path: Path, storage: str) -> None:
    place = Home(tmp_path / "here", storage)
    queue = Queue(place)
    spec = TINY.replace("synthetic:planar_flower", "x.csv").replace("examples = 60\n", "").format(name="data")
    queue.submit("data", spec, {"x.csv": str(tmp_path / "x.csv")})
    queue.submit("free", TINY.format(name="free"), {})
    rows = "".join(f"{number % 7},{number % 5},{'yes' if number % 2 else 'no'}\n" for number in range(80))
    with running(queue, place):
        until(lambda: queue.counts()["complete"] == 1)
        assert [each.state for each in queue.all()] == ["queued", "complete"]
        (tmp_path / "x.csv").write_text(f"a,b,target\n{rows}")
        until(lambda: queue.counts()["complete"] == 2)


def test_what_ran_on_a_machine_that_is_gone_is_cancelled_and_run_elsewhere(home: Path, storage: str) -> None:
    gone = Queue(Home(home.parent / "gone", storage))
    gone.submit("lost", TINY.format(name="lost"), {})
    gone.claim(lambda _submission: False)
    with serving(home, *OPTIONS, storage=storage) as served:
        submit(served.port, TINY.format(name="next"))
        served.until("next", "complete")
        assert served.study("lost")["state"] == "running"  # it is another's
        assert ask(served.port, "POST", "/studies/lost/cancel").json()["state"] == "cancelled"
        assert submit(served.port, TINY.format(name="lost")).status == 201
        assert served.until("lost", "complete")["finished"] == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://someone:secret@127.0.0.1:9/studies", "Connection refused; correct the address"),
        ("mysql://someone:secret@host/studies", "is no address of PostgreSQL"),
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_a_line(tmp_path: Path, address: str, words: str) -> None:
    variables = environment() | {"STUDY_STORAGE": address}
    for options, env in ((("--storage", address), environment()), ((), variables)):
        done = run_study("serve", "--home", tmp_path / "home", "--port", 0, *options, env=env)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert words in done.stderr
        assert "secret" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_role_without_rights_is_refused_in_a_line(server: Server, storage: str, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(storage) as connection:
        connection.execute("CREATE ROLE visitor LOGIN PASSWORD 'secret'")
    address = storage.replace("study@", "visitor:secret@")
    done = run_study("serve", "--home", tmp_path / "home", "--port", 0, env=environment() | {"STUDY_STORAGE": address})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "permission denied for schema public; have the table study_submissions made by who may" in done.stderr
    assert "secret" not in done.stderr
