"""`study serve`: studies run, are followed and cancelled, and go on after the server or their process was killed.

The service is a process of its own where its start, its end or its output matters, and is in this process elsewhere.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import processes
from support.command import run_study
from support.service_server import (
    TINY,
    Served,
    ask,
    instant_studies,
    refuse_to_serve,
    running,
    serving,
    serving_here,
    submit,
)
from support.small_study import ENDLESS, fingerprints
from support.waiting import wait_for

from study.errors import UserError
from study.ledger import lock
from study.ledger.home import Home
from study.ledger.results import summarize
from study.service.client import Client
from study.service.queue import Queue, Submission
from study.service.queue_table import ENDED

pytestmark = [pytest.mark.faults, pytest.mark.slow, processes.needs_proc]
SUBMISSIONS = int(os.environ.get("STUDY_TEST_SUBMISSIONS", "3"))
KILLS = int(os.environ.get("STUDY_TEST_KILLS", "3"))
CLIENTS = 20
TRIALS = 1000  # as many as a service takes
LONG = ENDLESS.replace("trials = 400", f"trials = {TRIALS}")  # cancelled or killed as soon as it is seen to run
SECRET = "a-token-that-nobody-guesses"  # noqa: S105 - of these tests


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "token"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def served(token_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A process that serves an empty home and asks for a token; no test stops it."""
    home = tmp_path_factory.mktemp("served") / "home"
    home.mkdir()
    with serving(home, "--no-mlflow", "--jobs", "2", "--token-file", str(token_file)) as served:
        yield served


def coordinators(home: Path, name: str) -> list[int]:
    """Return the processes that run a study for a service."""
    return processes.running(str(home / "studies" / name / "service" / "spec.toml"))


def test_submitted_study_is_followed_and_shown(served: Served, token_file: Path, spec: Path, finished: Path) -> None:
    server = ("--server", served.address, "--token-file", token_file)
    done = run_study("submit", spec, *server)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("small: ")
    logs = run_study("logs", "small", "-f", *server)
    assert logs.returncode == 0
    assert sum(line.startswith("trial ") for line in logs.stdout.splitlines()) == 12
    status = run_study("status", "small", *server, "--json")
    told = json.loads(status.stdout)
    assert (told["state"], told["finished"], told["submission"]["state"]) == ("complete", 12, "complete")
    listed = run_study("status", *server)
    assert "12/12" in listed.stdout
    unknown = run_study("status", "smell", *server)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert fingerprints(served.home) == fingerprints(finished)  # who runs it changes nothing


def test_one_home_has_one_server(served: Served) -> None:
    assert served.process is not None
    second = refuse_to_serve("--home", served.home, "--port", 0, "--no-mlflow")
    assert second.returncode == 2
    assert f"already served by process {served.process.pid}" in second.stderr
    taken = refuse_to_serve("--home", served.home.parent / "other", "--port", served.port, "--no-mlflow")
    assert (taken.returncode, taken.stderr.count("\n")) == (2, 1)


def test_commands_need_the_token_and_the_log_keeps_it_secret(served: Served, token_file: Path) -> None:
    without = run_study("status", "--server", served.address)
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert "(401)" in without.stderr
    known = run_study("status", "--server", served.address, "--token-file", token_file)
    assert (known.returncode, known.stderr) == (0, "")
    log = served.log.read_text()
    assert "refused GET '/studies' from 127.0.0.1: 401 " in log
    assert SECRET not in log
    everywhere = refuse_to_serve("--home", served.home, "--host", "0.0.0.0", "--port", 0)  # noqa: S104 - it is refused
    assert (everywhere.returncode, everywhere.stderr.count("\n")) == (2, 1)
    assert "--token-file" in everywhere.stderr


def test_failed_study_says_why_and_the_next_one_runs(home: Path) -> None:
    (home.parent / "bad.csv").write_text("x,y\n")  # a header alone
    with serving_here(home) as service:
        bad = TINY.format(name="bad").replace("synthetic:planar_flower", "bad.csv").replace("examples = 60\n", "")
        assert submit(service.port, bad).status == 201
        assert submit(service.port, TINY.format(name="good")).status == 201
        assert service.until("good", "complete")["finished"] == 1
        failed = service.study("bad")
        assert failed["state"] == "failed"
        assert "bad.csv" in failed["submission"]["message"]


def test_running_study_is_cancelled_and_goes_on_when_submitted_again(home: Path) -> None:
    with serving_here(home, jobs=2) as service:
        submit(service.port, LONG)
        service.until_finished("small", 2)
        done = run_study("cancel", "small", "--server", service.address)
        assert done.returncode == 0, done.stderr
        kept = service.until("small", "cancelled")["finished"]
        assert 2 <= kept < TRIALS
        assert not coordinators(home, "small")
        assert submit(service.port, LONG).status == 201
        service.until_finished("small", kept + 1)
        ask(service.port, "POST", "/studies/small/cancel")
        service.until("small", "cancelled")


def test_stopped_server_interrupts_what_runs_and_the_next_one_goes_on_with_it(home: Path) -> None:
    with serving(home, "--no-mlflow", "--jobs", "2") as served:
        submit(served.port, LONG)
        served.until_finished("small", 1)
        assert served.stop() == 0
    assert "stopped" in served.log.read_text()
    assert not coordinators(home, "small")
    kept = len(summarize(Home(home), "small").trials)
    assert [each.state for each in Queue(Home(home)).all()] == ["running"]
    with serving_here(home) as service:
        service.until_finished("small", kept + 1)
        ask(service.port, "POST", "/studies/small/cancel")
        service.until("small", "cancelled")


def test_killed_server_leaves_its_study_running_and_the_next_one_can_cancel_it(home: Path) -> None:
    with serving(home, "--no-mlflow", "--jobs", "2") as served:
        submit(served.port, LONG)
        served.until_finished("small", 1)
        (before,) = coordinators(home, "small")
        served.kill()
    with serving_here(home) as service:
        assert coordinators(home, "small") == [before]
        assert service.study("small")["state"] == "running"
        ask(service.port, "POST", "/studies/small/cancel")
        service.until("small", "cancelled")
        assert coordinators(home, "small") == []


def test_killed_study_takes_neither_server_nor_queue_along(home: Path) -> None:
    with serving_here(home) as service:
        submit(service.port, LONG)
        submit(service.port, TINY.format(name="next"))
        service.until_finished("small", 1)
        (running,) = coordinators(home, "small")
        os.kill(running, signal.SIGKILL)
        assert service.until("next", "complete")["finished"] == 1
        assert service.study("small")["submission"]["message"] == "killed by signal 9"


def test_study_that_is_run_by_hand_is_waited_for_and_delays_no_other(home: Path) -> None:
    queue, place = Queue(Home(home)), Home(home)
    for name in ("held", "free"):
        queue.submit(name, TINY.format(name=name), {})
    with instant_studies("held", "free"), ExitStack() as begun:
        with lock.hold(place.folder("held").lease, "held"):
            begun.enter_context(running(queue, place))
            wait_for(lambda: queue.counts()["complete"] == 1, "one study to be complete")
            assert [each.state for each in queue.all()] == ["queued", "complete"]
        wait_for(lambda: queue.counts()["complete"] == 2, "both studies to be complete")
    assert [each.state for each in queue.all()] == ["complete", "complete"]


def test_study_that_is_begun_by_hand_just_before_the_server_does_waits_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, place = Queue(Home(home)), Home(home)
    for name in ("held", "free"):
        queue.submit(name, TINY.format(name=name), {})
    claim, faster, faster_has = queue.claim, ExitStack(), threading.Event()

    def claim_late(is_left: Callable[[Submission], bool]) -> Submission | None:
        found = claim(is_left)
        if found is not None and not faster_has.is_set():
            faster_has.set()
            faster.enter_context(lock.hold(place.folder("held").lease, "held"))
        return found

    monkeypatch.setattr(queue, "claim", claim_late)
    with instant_studies("free"), running(queue, place):
        with faster:
            wait_for(lambda: queue.counts()["complete"] == 1, "one study to be complete")
            assert [each.state for each in queue.all()] == ["queued", "complete"]
        wait_for(lambda: queue.counts()["complete"] == 2, "both studies to be complete")
    assert [each.message for each in queue.all()] == ["", ""]


def test_study_whose_server_died_before_it_began_is_begun_by_the_next(home: Path) -> None:
    queue = Queue(Home(home))
    for name in ("first", "second"):
        queue.submit(name, TINY.format(name=name), {})
    queue.claim(lambda _submission: False)
    with instant_studies("first", "second"), running(queue, Home(home)):
        wait_for(lambda: queue.counts()["complete"] == 2, "both studies to be complete")
    first, second = queue.all()
    assert (first.ended or 0.0) <= (second.started or 0.0)


def test_concurrent_studies_share_the_jobs(home: Path) -> None:
    with serving_here(home, jobs=2, concurrent=2) as service:
        for name in ("one", "two"):
            submit(service.port, LONG.replace('"small"', f'"{name}"'))
        for name in ("one", "two"):
            service.until_finished(name, 1)
        for name in ("one", "two"):
            (pid,) = coordinators(home, name)
            words = processes.command_of(pid).split()
            assert words[words.index("--jobs") + 1] == "1"
            ask(service.port, "POST", f"/studies/{name}/cancel")
        for name in ("one", "two"):
            service.until(name, "cancelled")


def test_mlflow_server_is_started_and_stopped_with_the_service(home: Path) -> None:
    with serving(home, "--jobs", "1") as served:
        submit(served.port, TINY.format(name="tiny"))
        served.until("tiny", "complete")
        wait_for(lambda: ask(served.port, "GET", "/health").json()["mlflow"] == "up", "MLflow's server to answer")
        assert served.study("tiny")["mlflow"].startswith("http://127.0.0.1:")
        port = served.study("tiny")["mlflow"].removeprefix("http://127.0.0.1:").partition("/")[0]
        assert processes.running(f"mlflow server --host 127.0.0.1 --port {port}")
        assert not processes.running(f"sqlite:///{home}")  # an address may have a password
        served.kill()
        served.start()
        served.wait()
        assert served.stop() == 0
        assert not processes.running(f"mlflow server --host 127.0.0.1 --port {port}")


def test_what_many_submit_at_once_runs_once_each_in_order_however_often_the_server_is_killed(home: Path) -> None:
    """STUDY_TEST_SUBMISSIONS=200 STUDY_TEST_KILLS=10 is what the service promises; CI does fewer."""
    names = [f"study-{number:03d}" for number in range(SUBMISSIONS)]
    answers: dict[str, dict[str, Any]] = {}
    errors: list[Exception] = []
    rng = random.Random(KILLS)
    queue = Queue(Home(home))

    def submitted() -> int:
        return len(queue.all())

    def complete() -> int:
        return queue.counts()["complete"]

    # The first two kills come while studies are being submitted, the others while they run.
    moments = [(submitted, 1), (submitted, SUBMISSIONS // 2)]
    moments += [(complete, count) for count in sorted(rng.sample(range(1, SUBMISSIONS), KILLS - 2))]
    with serving(home, "--no-mlflow", "--jobs", "1", "--concurrent", "1") as served:

        def submit_all(mine: list[str]) -> None:
            folder = home.parent / f"specs-{mine[0]}"
            folder.mkdir()
            client = Client(served.address, patience=300)
            for name in mine:
                (folder / f"{name}.toml").write_text(TINY.format(name=name))
                try:
                    answers[name] = client.submit(folder / f"{name}.toml")
                except UserError as error:
                    errors.append(error)

        clients = min(CLIENTS, SUBMISSIONS)
        threads = [threading.Thread(target=submit_all, args=(names[who::clients],)) for who in range(clients)]
        for thread in threads:
            thread.start()
        for count, least in moments:
            wait_for(lambda count=count, least=least: count() >= least, f"{least} studies to be {count.__name__}")
            time.sleep(rng.uniform(0.0, 0.3))  # so that it is killed in the middle of anything
            served.kill()
            served.start()
        for thread in threads:
            thread.join()
        assert errors == []
        served.wait()
        wait_for(lambda: sum(queue.counts()[state] for state in ENDED) == SUBMISSIONS, "all studies to end")
        assert {each.state for each in queue.all()} == {"complete"}
    kept = queue.all()
    assert Counter(each.name for each in kept) == Counter(names)
    assert {name: answer["id"] for name, answer in answers.items()} == {each.name: each.id for each in kept}
    started = [each.started or 0.0 for each in kept]  # by id: the order in which they were taken
    assert started == sorted(started)
    found = {name: summarize(Home(home), name) for name in names}
    assert all([row.state for row in each.trials] == ["complete"] for each in found.values())
    assert len({each.trials[0].fingerprint for each in found.values()}) == 1


def test_client_says_when_no_service_answers(spec: Path, tmp_path: Path) -> None:
    served = Served(tmp_path)
    with pytest.raises(UserError, match="study serve"):
        Client(served.address, patience=0.1).submit(spec)
    done = run_study("status", "--server", served.address)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    for address in ("localhost:5050", "ftp://localhost", "http://token@localhost"):
        with pytest.raises(UserError, match="--server"):
            Client(address)
