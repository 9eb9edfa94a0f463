"""The queue: what goes in comes out once, in order, whoever asks and whenever a process dies."""

import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.service.queue import ENDED, Full, Queue, Taken

NAMES = ("a", "b", "c")


def free(_name: str) -> bool:
    return False


def test_what_went_in_first_comes_out_first(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    for name in "cab":
        queue.submit(name, f"spec of {name}", {})
    claimed = [queue.claim(free) for _ in range(4)]
    assert [each.name if each else None for each in claimed] == ["c", "a", "b", None]
    assert [each.name for each in queue.running()] == ["c", "a", "b"]


def test_a_name_that_is_busy_elsewhere_waits_and_keeps_its_place(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    for name in "ab":
        queue.submit(name, "spec", {})
    first = queue.claim(lambda name: name == "a")
    second = queue.claim(free)
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("b", "a")


def test_the_same_again_is_the_one_that_is_there(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
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
    tmp_path: Path, name: str, spec: str, links: dict[str, str], key: str | None
) -> None:
    queue = Queue(tmp_path / "queue.db")
    queue.submit("a", "spec", {}, "key")
    with pytest.raises(Taken) as taken:
        queue.submit(name, spec, links, key)
    assert taken.value.what == "name"


def test_a_key_has_one_spec(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    queue.submit("a", "spec", {}, "key")
    with pytest.raises(Taken) as taken:
        queue.submit("b", "other", {}, "key")
    assert taken.value.what == "key"
    assert [each.name for each in queue.all()] == ["a"]


def test_only_so_many_wait(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db", most=2)
    for name in "ab":
        queue.submit(name, "spec", {})
    with pytest.raises(Full):
        queue.submit("c", "spec", {})
    queue.claim(free)
    queue.submit("c", "spec", {})


def test_what_waits_is_cancelled_at_once_and_what_runs_is_marked(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    for name in "ab":
        queue.submit(name, "spec", {})
    queue.claim(free)
    running, waiting = queue.cancel("a"), queue.cancel("b")
    assert running is not None
    assert waiting is not None
    assert (running.state, running.stopping) == ("running", True)
    assert (waiting.state, waiting.stopping) == ("cancelled", False)
    assert queue.cancel("b") is None
    assert queue.claim(free) is None


def test_many_at_once_lose_nothing_and_take_nothing_twice(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    claimed: list[str] = []

    def hand_in(who: int) -> None:
        for number in range(10):
            queue.submit(f"{who}-{number}", "spec", {}, f"{who}-{number}")
            queue.submit(f"{who}-{number}", "spec", {}, f"{who}-{number}")

    def take() -> None:
        while len(claimed) < 80:
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
    assert len(claimed) == 80


steps = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from(NAMES), st.sampled_from(("one", "two"))),
        st.tuples(st.just("claim"), st.just(""), st.just("")),
        st.tuples(st.just("finish"), st.sampled_from(ENDED), st.just("")),
        st.tuples(st.just("cancel"), st.sampled_from(NAMES), st.just("")),
        st.tuples(st.just("reopen"), st.just(""), st.just("")),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_whatever_is_done_to_it_a_name_is_active_once_and_order_is_kept(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("queue") / "queue.db"
    queue, started = Queue(path), 0
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
            queue.cancel(name)
        else:
            queue = Queue(path)
        now = {each.id: each for each in queue.all()}
        assert set(before) <= set(now)
        for each in before.values():
            if each.state in ENDED:
                assert now[each.id] == each  # what has ended never changes
        active_names = [each.name for each in now.values() if each.state in ("queued", "running")]
        assert len(active_names) == len(set(active_names))
