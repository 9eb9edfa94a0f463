"""The queue: what goes in comes out once, in order, whoever asks and whenever a process dies."""

import multiprocessing
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.postgres import Server, start_server

from study.errors import MachineError, UserError
from study.ledger.home import Home
from study.service.queue import Full, Queue, Submission, Taken
from study.service.queue_table import ENDED

NAMES = ("a", "b", "c")


@pytest.fixture(params=["file", "database"])
def make_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Home]:
    """Make homes whose queue, which is empty, is in a file or in a database."""
    storage = request.getfixturevalue("postgres").make_database() if request.param == "database" else None

    def make() -> Home:
        if storage is not None:
            change(storage, "DROP TABLE IF EXISTS study_submissions")
        return Home(tmp_path_factory.mktemp("home"), storage)

    return make


@pytest.fixture
def place(make_place: Callable[[], Home]) -> Home:
    return make_place()


def change(address: str, statement: str) -> None:
    with psycopg.connect(address) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def free(_submission: Submission) -> bool:
    return False


def held(_name: str) -> bool:
    return True


def test_what_went_in_first_comes_out_first(place: Home) -> None:
    queue = Queue(place)
    for name in "cab":
        queue.submit(name, f"spec of {name}", {})
    claimed = [queue.claim(free) for _ in range(4)]
    assert [each.name if each else None for each in claimed] == ["c", "a", "b", None]
    assert [each.name for each in queue.running()] == ["c", "a", "b"]


def test_a_name_that_is_busy_elsewhere_waits_and_keeps_its_place(place: Home) -> None:
    queue = Queue(place)
    for name in "ab":
        queue.submit(name, "spec", {})
    first = queue.claim(lambda submission: submission.name == "a")
    second = queue.claim(free)
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("b", "a")


def test_same_study_submitted_again_is_the_one_that_is_there(place: Home) -> None:
    queue = Queue(place)
    first, new = queue.submit("a", "spec", {"x.csv": "/x.csv"}, "key")
    assert new
    assert queue.submit("a", "spec", {"x.csv": "/x.csv"}, "key") == (first, False)
    assert queue.submit("a", "spec", {"x.csv": "/x.csv"}) == (first, False)
    claimed = queue.claim(free)
    assert claimed is not None
    queue.finish(claimed.id, "complete")
    again, new = queue.submit("a", "spec", {"x.csv": "/x.csv"}, "key")
    assert (again.id, again.state, new) == (first.id, "complete", False)
    assert queue.submit("a", "spec", {"x.csv": "/x.csv"})[1]  # and without the key it is another


@pytest.mark.parametrize(("name", "spec", "links", "key"), [("a", "other", {}, None), ("a", "spec", {"x": "/y"}, None)])
def test_a_name_that_waits_has_one_spec(
    place: Home, name: str, spec: str, links: dict[str, str], key: str | None
) -> None:
    queue = Queue(place)
    queue.submit("a", "spec", {}, "key")
    with pytest.raises(Taken) as taken:
        queue.submit(name, spec, links, key)
    assert taken.value.what == "name"


def test_a_key_has_one_spec(place: Home) -> None:
    queue = Queue(place)
    queue.submit("a", "spec", {}, "key")
    with pytest.raises(Taken) as taken:
        queue.submit("b", "other", {}, "key")
    assert taken.value.what == "key"
    assert [each.name for each in queue.all()] == ["a"]


def test_full_queue_takes_no_more(place: Home) -> None:
    queue = Queue(place, most=2)
    for name in "ab":
        queue.submit(name, "spec", {})
    with pytest.raises(Full):
        queue.submit("c", "spec", {})
    queue.claim(free)
    queue.submit("c", "spec", {})


def test_what_waits_is_cancelled_at_once_and_what_runs_is_marked(place: Home) -> None:
    queue = Queue(place)
    for name in "ab":
        queue.submit(name, "spec", {})
    queue.claim(free)
    running, waiting = queue.cancel("a", held), queue.cancel("b", held)
    assert running is not None
    assert waiting is not None
    assert (running.state, running.stopping) == ("running", True)
    assert (waiting.state, waiting.stopping) == ("cancelled", False)
    assert queue.cancel("b", held) is None
    assert queue.claim(free) is None


def test_concurrent_submissions_are_each_kept_and_claimed_once(place: Home) -> None:
    queue = Queue(place)
    claimed: list[str] = []

    def hand_in(who: int) -> None:
        for number in range(5):
            queue.submit(f"{who}-{number}", "spec", {}, f"{who}-{number}")
            queue.submit(f"{who}-{number}", "spec", {}, f"{who}-{number}")

    def take() -> None:
        while len(claimed) < 40:
            found = queue.claim(free)
            if found is not None:
                claimed.append(found.name)

    threads = [threading.Thread(target=hand_in, args=(who,)) for who in range(8)]
    threads += [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(claimed) == Counter(each.name for each in queue.all())
    assert max(Counter(claimed).values()) == 1
    assert len(claimed) == 40


def take_all(home: Path, storage: str, most: int) -> list[int]:
    """Claim what waits until all were claimed, by whomever; return the numbers in the order they were taken in."""
    queue, taken = Queue(Home(home, storage)), []
    while sum(each.state == "running" for each in queue.all()) < most:
        found = queue.claim(free)
        if found is not None:
            taken.append(found.id)
    assert [each.id for each in queue.running()] == taken  # its own, and in the order handed in
    return taken


@pytest.mark.slow
def test_servers_that_share_a_database_take_each_submission_once_and_in_order(postgres: Server, tmp_path: Path) -> None:
    """Three processes with homes of their own take while two more hand in."""
    storage, count = postgres.make_database(), 60
    first = Queue(Home(tmp_path / "first", storage))
    for number in range(count // 2):
        first.submit(f"early-{number}", "spec", {})
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        homes = [tmp_path / f"server-{number}" for number in range(3)]
        taking = [pool.submit(take_all, home, storage, count) for home in homes]

        def hand_in(who: int) -> None:
            for number in range(count // 4):
                first.submit(f"{who}-{number}", "spec", {}, f"{who}-{number}")

        threads = [threading.Thread(target=hand_in, args=(who,)) for who in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = [each.result() for each in taking]
    assert sorted(number for each in taken for number in each) == [each.id for each in first.all()]
    assert len(first.all()) == count
    for each in taken:
        assert each == sorted(each)


def test_submission_that_another_server_looks_at_is_skipped_without_waiting(postgres: Server, tmp_path: Path) -> None:
    storage = postgres.make_database()
    here, there = (Queue(Home(tmp_path / name, storage)) for name in ("here", "there"))
    for name in "ab":
        here.submit(name, "spec", {})
    between: list[Submission | None] = []

    def look(_submission: Submission) -> bool:
        between.append(there.claim(free))
        return False

    claimed = here.claim(look)
    assert claimed is not None
    assert claimed.name == "a"
    assert [None if each is None else each.name for each in between] == ["b"]


def test_server_resumes_only_what_it_ran_itself(postgres: Server, tmp_path: Path) -> None:
    storage = postgres.make_database()
    here, there = (Queue(Home(tmp_path / name, storage)) for name in ("here", "there"))
    for name in "abc":
        here.submit(name, "spec", {})
    here.claim(free)
    there.claim(free)
    assert ([each.name for each in here.running()], [each.name for each in there.running()]) == (["a"], ["b"])
    again = Queue(Home(tmp_path / "here", storage))  # as after a restart
    assert [each.name for each in again.running()] == ["a"]
    # What another runs is marked; once nobody does, it is taken out, and may be handed in again.
    marked, out = there.cancel("a", held), here.cancel("b", lambda _name: False)
    assert marked is not None
    assert out is not None
    assert ((marked.state, marked.stopping), out.state) == (("running", True), "cancelled")
    assert there.running() == []
    there.finish(out.id, "complete")
    assert [each.state for each in here.all()] == ["running", "cancelled", "queued"]


def test_queue_of_an_older_version_is_still_used(tmp_path: Path) -> None:
    queue = Queue(Home(tmp_path))
    for name in "ab":
        queue.submit(name, "spec", {})
    queue.claim(free)
    before = queue.all()
    with closing(sqlite3.connect(tmp_path / "queue.db")) as database:
        database.execute("ALTER TABLE submissions DROP COLUMN owner")
    queue = Queue(Home(tmp_path))
    assert queue.all() == before
    assert [each.name for each in queue.running()] == ["a"]
    queue.claim(free)
    assert [each.name for each in queue.running()] == ["a", "b"]


def test_database_that_cannot_hold_the_queue_is_refused_in_one_line(postgres: Server, tmp_path: Path) -> None:
    storage = postgres.make_database()
    change(storage, "CREATE TABLE study_submissions (id bigint, name text, state text)")
    with pytest.raises(
        UserError, match="table study_submissions is from another version and lacks the columns digest, ended"
    ):
        Queue(Home(tmp_path, storage))
    storage = postgres.make_database()
    change(storage, "CREATE ROLE reader LOGIN PASSWORD 'secret'")
    with pytest.raises(UserError, match="permission denied for schema public; ask a database administrator") as refused:
        Queue(Home(tmp_path, storage.replace("study@", "reader:secret@")))
    assert "secret" not in str(refused.value)


@pytest.mark.slow
def test_queue_works_again_after_its_database_restarts(tmp_path: Path) -> None:
    with start_server() as server:
        queue = Queue(Home(tmp_path, server.make_database()))
        queue.submit("a", "spec", {})
        server.stop()
        for ask in (queue.all, queue.counts, lambda: queue.claim(free), lambda: queue.submit("b", "spec", {})):
            with pytest.raises(UserError, match="Connection refused"):
                ask()
        server.start()
        assert [each.name for each in queue.all()] == ["a"]

        def restart(_submission: Submission) -> bool:
            server.restart()
            return False

        with pytest.raises(MachineError, match="the database at postgresql://"):
            queue.claim(restart)
        assert [each.state for each in queue.all()] == ["queued"]  # nothing is half done


steps = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from(NAMES), st.sampled_from(("one", "two"))),
        st.tuples(st.just("claim"), st.just(""), st.just("")),
        st.tuples(st.just("finish"), st.sampled_from(ENDED), st.just("")),
        st.tuples(st.just("cancel"), st.sampled_from(NAMES), st.just("")),
        st.tuples(st.just("reopen"), st.just(""), st.just("")),
    ),
    min_size=8,  # opening a queue costs more than twenty steps do
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_after_any_steps_a_name_is_active_once_and_order_is_kept(
    make_place: Callable[[], Home], steps: list[tuple[str, str, str]]
) -> None:
    place = make_place()
    queue, started = Queue(place), 0
    for what, name, spec in steps:
        before = {each.id: each for each in queue.all()}
        if what == "submit":
            active = [each for each in before.values() if each.name == name and each.state in ("queued", "running")]
            if active and active[0].spec != spec:
                with pytest.raises(Taken):
                    queue.submit(name, spec, {})
            else:
                kept, new = queue.submit(name, spec, {})
                assert new == (not active)
                assert new or kept == active[0]
        elif what == "claim":
            waiting = [each.id for each in before.values() if each.state == "queued"]
            claimed = queue.claim(free)
            assert (None if claimed is None else claimed.id) == (min(waiting) if waiting else None)
            if claimed is not None:
                assert claimed.id > started  # in the order handed in
                started = claimed.id
        elif what == "finish" and queue.running():
            queue.finish(queue.running()[0].id, name)
        elif what == "cancel":
            queue.cancel(name, held)
        else:
            queue = Queue(place)
        now = {each.id: each for each in queue.all()}
        assert set(before) <= set(now)
        for each in before.values():
            if each.state in ENDED:
                assert now[each.id] == each  # what has ended never changes
        active_names = [each.name for each in now.values() if each.state in ("queued", "running")]
        assert len(active_names) == len(set(active_names))
