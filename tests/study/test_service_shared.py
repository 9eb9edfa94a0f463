"""`study serve --storage`: queue and ledgers in a real PostgreSQL, which several servers share and which may go."""

import json
import logging
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import processes
from support.command import environment
from support.in_process import run_local
from support.postgres import Server, start_server
from support.service_server import (
    TINY,
    ask,
    instant_studies,
    refuse_to_serve,
    running,
    serving,
    serving_here,
    submit,
)
from support.small_study import ENDLESS, SMALL, fingerprints
from support.waiting import wait_for

from study.errors import MachineError
from study.ledger import holding
from study.ledger.home import Home
from study.ledger.results import summarize
from study.service import reading
from study.service.queue import Queue, Submission
from study.service.reading import StudyReader

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    processes.needs_proc,
]
OPTIONS = ("--no-mlflow", "--jobs", "1")


def trials(home: Path, storage: str | None, name: str = "small") -> list[tuple[int, str, str | None]]:
    return [(row.number, row.state, row.fingerprint) for row in summarize(Home(home, storage), name).trials]


def test_killed_server_goes_on_with_what_is_in_the_database(home: Path, storage: str, finished: Path) -> None:
    with serving(home, *OPTIONS, storage=storage) as served:
        assert submit(served.port, ENDLESS).status == 201
        assert submit(served.port, TINY.format(name="next")).status == 201
        served.until_finished("small", 1)
        (running,) = processes.running(str(home / "studies" / "small" / "service" / "spec.toml"))
        # The password of an address would be seen by everybody.
        assert not processes.running(storage)
        served.kill()
        os.kill(running, signal.SIGKILL)  # as when the machine goes down
        assert [each.state for each in Queue(Home(home, storage)).all()] == ["running", "queued"]
        kept = sum(state != "running" for _, state, _ in trials(home, storage))
        assert 1 <= kept < 400
        served.start()
        served.wait()
        served.until_finished("small", kept + 1)
        assert ask(served.port, "POST", "/studies/small/cancel").status == 200
        finished_then = served.until("small", "cancelled")["finished"]
        served.until("next", "complete")
        listed = ask(served.port, "GET", "/studies").json()["studies"]
        assert [(line["name"], line["finished"], line["planned"]) for line in listed] == [
            ("small", finished_then, 400),
            ("next", 1, 1),
        ]
        curves = ask(served.port, "GET", "/studies/small/curves").json()
        assert curves["curves"]
        assert curves["version"] == served.study("small")["version"]
        report = ask(served.port, "GET", "/studies/small/report")
        assert (report.status, report.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert served.stop() == 0
    assert not (home / "queue.db").exists()
    run_local(SMALL, home, storage=storage)
    assert trials(home, storage)[:12] == fingerprints(finished)  # where it is kept changes nothing
    assert [(each.name, each.state) for each in Queue(Home(home, storage)).all()] == [
        ("small", "cancelled"),
        ("next", "complete"),
    ]


def test_database_that_goes_away_is_reported_and_waited_for(
    home: Path, finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "study.service")
    with start_server() as server:
        storage = server.make_database()
        with serving_here(home, storage=storage) as service, instant_studies("next"):
            submit(service.port, ENDLESS)
            kept = service.until_finished("small", 1)["finished"]
            server.stop()
            # The list of studies may be half a second old.
            wait_for(lambda: ask(service.port, "GET", "/studies").status == 503, "the list of studies to expire")
            requests = [
                ("GET", "/studies"),
                ("GET", "/studies/small"),
                ("GET", "/studies/small/trials"),
                ("GET", "/health"),
            ]
            for method, path in [*requests, ("GET", "/metrics"), ("POST", "/studies/small/cancel")]:
                reply = ask(service.port, method, path)
                assert (reply.status, reply.headers["content-type"]) == (503, "application/problem+json"), path
                assert (reply.json()["type"], reply.headers["retry-after"]) == ("urn:study:problem:database", "5")
                assert "postgresql://" not in reply.json()["detail"]
            assert submit(service.port, TINY.format(name="next")).status == 503
            wait_for(lambda: "; trying again" in caplog.text, "the server to say that it tries again")
            server.start()
            service.until_finished("small", kept + 1)
            ask(service.port, "POST", "/studies/small/cancel")
            service.until("small", "cancelled")
            assert submit(service.port, TINY.format(name="next")).status == 201
            service.until("next", "complete")
        assert "the database is available again" in caplog.text
        assert "Traceback" not in caplog.text
        run_local(SMALL, home, storage=storage)
        assert trials(home, storage)[:12] == fingerprints(finished)


def test_servers_of_two_machines_share_a_queue(home: Path, storage: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "study.service")
    other = home.parent / "other"
    names = [f"study-{number}" for number in range(2)]
    with serving_here(home, storage=storage) as here, serving_here(other, storage=storage) as there:
        for number, name in enumerate(names):
            assert submit((here, there)[number % 2].port, TINY.format(name=name)).status == 201
        for service in (here, there):
            for name in names:
                assert service.until(name, "complete")["finished"] == 1
    queue = Queue(Home(home, storage))
    assert [each.name for each in queue.all()] == names
    for name in names:
        assert caplog.text.count(f"study {name} started") == 1
    assert len({trials(home, storage, name)[0][2] for name in names}) == 1


def test_study_that_is_complete_in_the_queue_is_shown_with_its_trials(
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
    for name in ("one", "two"):
        claimed = queue.claim(lambda _submission: False)
        assert claimed is not None
        run_local(TINY.format(name=name), place.path, storage=storage)
        queue.finish(claimed.id, "complete")
    line = reader.line("one", queue.find("one"))
    assert line is not None
    assert (line.state, line.finished) == ("complete", 1)
    (_, two) = json.loads(reader.studies())["studies"]
    assert (two["name"], two["state"], two["finished"]) == ("two", "complete", 1)


def test_study_that_another_machine_runs_is_waited_for(tmp_path: Path, storage: str) -> None:
    place, elsewhere = Home(tmp_path / "here", storage), Home(tmp_path / "there", storage)
    queue = Queue(place)
    for name in ("held", "free"):
        queue.submit(name, TINY.format(name=name), {})
    with instant_studies("held", "free"), ExitStack() as begun:
        with holding.hold(elsewhere.folder("held"), "held"):
            begun.enter_context(running(queue, place))
            wait_for(lambda: queue.counts()["complete"] == 1, "one study to be complete")
            assert [each.state for each in queue.all()] == ["queued", "complete"]
        wait_for(lambda: queue.counts()["complete"] == 2, "both studies to be complete")


def test_claim_whose_answer_is_lost_is_still_run(tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
    with instant_studies("one"), running(queue, place):
        wait_for(lambda: queue.counts()["complete"] == 1, "one study to be complete")


def test_study_runs_only_where_its_data_files_are(tmp_path: Path, storage: str) -> None:
    place = Home(tmp_path / "here", storage)
    queue = Queue(place)
    spec = TINY.replace("synthetic:planar_flower", "x.csv").replace("examples = 60\n", "").format(name="data")
    queue.submit("data", spec, {"x.csv": str(tmp_path / "x.csv")})
    queue.submit("free", TINY.format(name="free"), {})
    rows = "".join(f"{number % 7},{number % 5},{'yes' if number % 2 else 'no'}\n" for number in range(80))
    with instant_studies("free"), running(queue, place):
        wait_for(lambda: queue.counts()["complete"] == 1, "one study to be complete")
        assert [each.state for each in queue.all()] == ["queued", "complete"]
        (tmp_path / "x.csv").write_text(f"a,b,target\n{rows}")
        wait_for(lambda: queue.counts()["complete"] == 2, "both studies to be complete")


def test_study_of_a_machine_that_is_gone_can_be_cancelled_and_run_elsewhere(home: Path, storage: str) -> None:
    gone = Queue(Home(home.parent / "gone", storage))
    gone.submit("lost", TINY.format(name="lost"), {})
    gone.claim(lambda _submission: False)
    with serving_here(home, storage=storage) as service, instant_studies("next"):
        submit(service.port, TINY.format(name="next"))
        service.until("next", "complete")
        assert service.study("lost")["state"] == "running"  # it is another's
        assert ask(service.port, "POST", "/studies/lost/cancel").json()["state"] == "cancelled"
        assert submit(service.port, TINY.format(name="lost")).status == 201
        assert service.until("lost", "complete")["finished"] == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://someone:secret@127.0.0.1:9/studies", "Connection refused; correct the address"),
        ("mysql://someone:secret@host/studies", "not a PostgreSQL address"),
    ],
)
def test_database_that_cannot_be_used_is_reported_in_one_line(tmp_path: Path, address: str, words: str) -> None:
    variables = environment() | {"STUDY_STORAGE": address}
    for options, env in ((("--storage", address), environment()), ((), variables)):
        done = refuse_to_serve("--home", tmp_path / "home", "--port", 0, *options, env=env)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert words in done.stderr
        assert "secret" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_role_without_rights_is_refused_in_one_line(postgres: Server, storage: str, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(storage) as connection:
        connection.execute("CREATE ROLE visitor LOGIN PASSWORD 'secret'")
    address = storage.replace("study@", "visitor:secret@")
    done = refuse_to_serve("--home", tmp_path / "home", "--port", 0, env=environment() | {"STUDY_STORAGE": address})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert (
        "permission denied for schema public; ask a database administrator to create the table study_submissions"
        in done.stderr
    )
    assert "secret" not in done.stderr
