"""`study serve` as a process: studies run, are followed, cancelled, and go on after the server was killed."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from service_server import TINY, Served, alive, ask, running, serving, submit, until
from small_study import SMALL, fingerprints, run_study

from study import lease
from study.errors import UserError
from study.home import Home
from study.results import summarize
from study.service.client import Client
from study.service.queue import Queue, Submission

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]
SUBMISSIONS = int(os.environ.get("STUDY_TEST_SUBMISSIONS", "8"))
KILLS = int(os.environ.get("STUDY_TEST_KILLS", "3"))
CLIENTS = 20
LONG = SMALL.replace("{ low = 50, high = 200, step = 50 }", "8000").replace("trials = 12", "trials = 40")


def test_a_study_is_handed_in_followed_and_shown(tmp_path: Path, spec: Path, home: Path) -> None:
    with serving(home, "--no-mlflow", "--jobs", "2") as served:
        server = ("--server", served.address)
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
        assert served.stop() == 0
    assert "stopped" in served.log.read_text()
    alone = tmp_path / "alone"
    assert run_study("run", spec, "--home", alone, "--jobs", 1, "--no-tracking").returncode == 0
    assert fingerprints(home) == fingerprints(alone)  # who runs it changes nothing


def test_a_study_that_fails_says_why_and_the_next_one_runs(tmp_path: Path, home: Path) -> None:
    (tmp_path / "bad.csv").write_text("x,y\n")  # a header alone
    with serving(home, "--no-mlflow", "--jobs", "1") as served:
        bad = TINY.format(name="bad").replace("synthetic:planar_flower", "bad.csv").replace("examples = 60\n", "")
        assert submit(served.port, bad).status == 201
        assert submit(served.port, TINY.format(name="good")).status == 201
        assert served.until("good", "complete")["finished"] == 1
        failed = served.study("bad")
        assert failed["state"] == "failed"
        assert "bad.csv" in failed["submission"]["message"]


def test_a_running_study_is_cancelled_and_goes_on_when_handed_in_again(home: Path) -> None:
    with serving(home, "--no-mlflow", "--jobs", "2") as served:
        submit(served.port, LONG)
        while served.study("small")["finished"] < 2:
            time.sleep(0.1)
        done = run_study("cancel", "small", "--server", served.address)
        assert done.returncode == 0, done.stderr
        kept = served.until("small", "cancelled")["finished"]
        assert 2 <= kept < 40
        assert not alive(str(home / "studies" / "small" / "service" / "spec.toml"))
        assert submit(served.port, LONG).status == 201
        while served.study("small")["finished"] <= kept:
            time.sleep(0.1)
        ask(served.port, "POST", "/studies/small/cancel")
        served.until("small", "cancelled")


def test_a_server_that_stops_interrupts_what_runs_and_goes_on_with_it(home: Path) -> None:
    with serving(home, "--no-mlflow", "--jobs", "2") as served:
        submit(served.port, LONG)
        while served.study("small")["finished"] < 1:
            time.sleep(0.1)
        assert served.stop() == 0
        assert not alive(str(home / "studies" / "small" / "service" / "spec.toml"))
        kept = len(summarize(Home(home), "small").trials)
        assert [each.state for each in Queue(Home(home)).all()] == ["running"]
        served.start()
        served.wait()
        while served.study("small")["finished"] <= kept:
            time.sleep(0.1)
        ask(served.port, "POST", "/studies/small/cancel")
        served.until("small", "cancelled")


def test_a_killed_server_leaves_a_study_that_the_next_one_knows_of(home: Path) -> None:
    """Its process goes on; the next server waits for it, and can cancel it."""
    with serving(home, "--no-mlflow", "--jobs", "2") as served:
        submit(served.port, LONG)
        while served.study("small")["finished"] < 1:
            time.sleep(0.1)
        (before,) = coordinators(home, "small")
        served.kill()
        served.start()
        served.wait()
        assert coordinators(home, "small") == [before]
        assert served.study("small")["state"] == "running"
        ask(served.port, "POST", "/studies/small/cancel")
        served.until("small", "cancelled")
        assert coordinators(home, "small") == []


def test_a_study_that_is_killed_takes_neither_server_nor_queue_along(home: Path) -> None:
    with serving(home, "--no-mlflow", "--jobs", "1") as served:
        submit(served.port, LONG)
        submit(served.port, TINY.format(name="next"))
        while served.study("small")["finished"] < 1:
            time.sleep(0.1)
        (running,) = coordinators(home, "small")
        os.kill(running, signal.SIGKILL)
        assert served.until("next", "complete")["finished"] == 1
        assert served.study("small")["submission"]["message"] == "was ended by signal 9"


def test_a_study_that_somebody_runs_by_hand_is_waited_for_and_keeps_no_other_waiting(home: Path) -> None:
    queue, place = Queue(Home(home)), Home(home)
    for name in ("held", "free"):
        queue.submit(name, TINY.format(name=name), {})
    with ExitStack() as begun:
        with lease.hold(place.folder("held").lease, "held"):
            begun.enter_context(running(queue, place))
            until(lambda: queue.counts()["complete"] == 1)
            assert [each.state for each in queue.all()] == ["queued", "complete"]
        until(lambda: queue.counts()["complete"] == 2)
    assert [each.state for each in queue.all()] == ["complete", "complete"]


def test_a_study_that_somebody_was_faster_to_begin_waits_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue, place = Queue(Home(home)), Home(home)
    for name in ("held", "free"):
        queue.submit(name, TINY.format(name=name), {})
    claim, faster, faster_has = queue.claim, ExitStack(), threading.Event()

    def claim_late(is_left: Callable[[Submission], bool]) -> Submission | None:
        found = claim(is_left)
        if found is not None and not faster_has.is_set():
            faster_has.set()
            faster.enter_context(lease.hold(place.folder("held").lease, "held"))
        return found

    monkeypatch.setattr(queue, "claim", claim_late)
    with running(queue, place):
        with faster:
            until(lambda: queue.counts()["complete"] == 1)
            assert [each.state for each in queue.all()] == ["queued", "complete"]
        until(lambda: queue.counts()["complete"] == 2)
    assert [each.message for each in queue.all()] == ["", ""]


def test_what_was_claimed_when_the_server_died_before_it_began_is_begun(home: Path) -> None:
    queue = Queue(Home(home))
    for name in ("first", "second"):
        queue.submit(name, TINY.format(name=name), {})
    queue.claim(lambda _submission: False)
    with running(queue, Home(home)):
        until(lambda: queue.counts()["complete"] == 2)
    first, second = queue.all()
    assert (first.ended or 0.0) <= (second.started or 0.0)


def test_one_home_has_one_server(home: Path) -> None:
    with serving(home, "--no-mlflow") as served:
        assert served.process is not None
        second = run_study("serve", "--home", home, "--port", 0, "--no-mlflow")
        assert second.returncode == 2
        assert f"is served by process {served.process.pid} already" in second.stderr
        taken = run_study("serve", "--home", home.parent / "other", "--port", served.port, "--no-mlflow")
        assert (taken.returncode, taken.stderr.count("\n")) == (2, 1)


def test_with_a_token_the_commands_need_it_and_the_log_keeps_it_secret(tmp_path: Path, home: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("a-token-that-nobody-guesses\n")
    secret.chmod(0o600)
    with serving(home, "--no-mlflow", "--token-file", str(secret)) as served:
        without = run_study("status", "--server", served.address)
        assert (without.returncode, without.stderr.count("\n")) == (2, 1)
        assert "(401)" in without.stderr
        known = run_study("status", "--server", served.address, "--token-file", secret)
        assert (known.returncode, known.stderr) == (0, "")
        assert served.stop() == 0
    said = served.log.read_text()
    assert "refused GET '/studies' from 127.0.0.1: 401 " in said
    assert "nobody-guesses" not in said
    everywhere = run_study("serve", "--home", home, "--host", "0.0.0.0", "--port", 0)  # noqa: S104 - it is refused
    assert (everywhere.returncode, everywhere.stderr.count("\n")) == (2, 1)
    assert "--token-file" in everywhere.stderr


def test_several_at_a_time_share_the_jobs(home: Path) -> None:
    with serving(home, "--no-mlflow", "--jobs", "2", "--concurrent", "2") as served:
        for name in ("one", "two"):
            submit(served.port, LONG.replace('"small"', f'"{name}"'))
        while not all(served.study(name)["finished"] for name in ("one", "two")):
            time.sleep(0.1)
        for name in ("one", "two"):
            (pid,) = coordinators(home, name)
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            assert words[words.index("--jobs") + 1] == "1"
            ask(served.port, "POST", f"/studies/{name}/cancel")
        for name in ("one", "two"):
            served.until(name, "cancelled")


def test_with_mlflow_its_server_is_started_and_stopped_along(home: Path) -> None:
    with serving(home, "--jobs", "2") as served:
        submit(served.port, TINY.format(name="tiny"))
        served.until("tiny", "complete")
        while ask(served.port, "GET", "/health").json()["mlflow"] != "up":
            time.sleep(0.2)
        assert served.study("tiny")["mlflow"].startswith("http://127.0.0.1:")
        assert alive(f"sqlite:///{home}/mlflow.db")
        served.kill()
        served.start()
        served.wait()
        assert served.stop() == 0
        assert not alive(f"sqlite:///{home}/mlflow.db")


def test_what_many_hand_in_at_once_runs_once_each_in_order_whatever_kills_the_server(home: Path) -> None:
    """STUDY_TEST_SUBMISSIONS=200 STUDY_TEST_KILLS=10 is what the service promises; CI does fewer."""
    names = [f"study-{number:03d}" for number in range(SUBMISSIONS)]
    answers: dict[str, dict[str, Any]] = {}
    errors: list[Exception] = []
    rng = random.Random(KILLS)
    # By studies that are complete: the first two while studies are still being handed in.
    moments = [0, 0, *sorted(rng.sample(range(SUBMISSIONS), KILLS - 2))]
    queue = Queue(Home(home))
    with serving(home, "--no-mlflow", "--jobs", "1", "--concurrent", "1") as served:

        def hand_in(mine: list[str]) -> None:
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
        threads = [threading.Thread(target=hand_in, args=(names[who::clients],)) for who in range(clients)]
        for thread in threads:
            thread.start()
        for moment in moments:
            while queue.counts()["complete"] < moment:
                time.sleep(0.05)
            time.sleep(rng.uniform(0.0, 2.0))
            served.kill()
            served.start()
        for thread in threads:
            thread.join()
        assert errors == []
        served.wait()
        while (counts := queue.counts())["complete"] < SUBMISSIONS:
            assert counts["failed"] == counts["cancelled"] == 0, queue.all()
            time.sleep(0.2)
    kept = queue.all()
    assert Counter(each.name for each in kept) == Counter(names)
    assert {name: answer["id"] for name, answer in answers.items()} == {each.name: each.id for each in kept}
    started = [each.started or 0.0 for each in kept]  # by id: the order in which they were taken
    assert started == sorted(started)
    found = {name: summarize(Home(home), name) for name in names}
    assert all([row.state for row in each.trials] == ["complete"] for each in found.values())
    assert len({each.trials[0].fingerprint for each in found.values()}) == 1


def coordinators(home: Path, name: str) -> list[int]:
    return alive(str(home / "studies" / name / "service" / "spec.toml"))


def test_the_client_says_when_nobody_answers(spec: Path, tmp_path: Path) -> None:
    served = Served(tmp_path)
    with pytest.raises(UserError, match="study serve"):
        Client(served.address, patience=0.1).submit(spec)
    done = run_study("status", "--server", served.address)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    for address in ("localhost:5050", "ftp://localhost", "http://token@localhost"):
        with pytest.raises(UserError, match="--server"):
            Client(address)
