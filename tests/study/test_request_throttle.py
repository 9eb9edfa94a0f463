"""RequestThrottle: however many ask while a study runs, responses take their share of the CPU time and no more."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from study.service import request_throttle
from study.service.request_throttle import BURST, LONGEST, SHARE, RequestThrottle


async def nothing(scope: Scope, receive: Receive, send: Send) -> None: ...


@given(
    costs=st.lists(st.floats(1e-4, 0.02), min_size=1, max_size=200),
    together=st.integers(1, 20),
    processors=st.integers(1, 16),
)
def test_answers_take_their_share_of_the_processors(costs: list[float], together: int, processors: int) -> None:
    """Clients that ask again at once, so many of them: after the first burst, no more than the share is used."""
    paced = RequestThrottle(nothing, processors=processors, busy=lambda: True)
    now = used = forgiven = 0.0
    for first in range(0, len(costs), together):
        group = costs[first : first + together]
        waits = [paced.wait(now, used) for _ in group]
        assert len(set(waits)) == 1  # all go on together
        assert 0 <= waits[0] <= LONGEST
        now += waits[0] + sum(group)
        used += sum(group)
        forgiven += max(0.0, sum(group) - SHARE * processors * LONGEST)  # nobody waits longer than LONGEST
    largest = sum(sorted(costs)[-together:])
    assert used <= BURST + SHARE * processors * now + largest + forgiven + 1e-9


def test_a_quiet_time_is_worth_a_burst() -> None:
    paced = RequestThrottle(nothing, processors=2, busy=lambda: True)
    assert paced.wait(0.0, 0.0) == 0
    assert paced.wait(0.0, BURST) == 0
    assert paced.wait(0.0, BURST + 0.012) == pytest.approx(0.1)
    assert paced.wait(0.05, BURST + 0.012) == pytest.approx(0.05)
    assert paced.wait(100.0, BURST + 0.012) == 0
    assert paced.wait(100.0, 2 * BURST + 0.012) == 0


@pytest.mark.parametrize(("busy", "kind", "waits"), [(True, "http", 1), (False, "http", 0), (True, "lifespan", 0)])
def test_only_requests_wait_and_only_while_a_study_runs(
    monkeypatch: pytest.MonkeyPatch, busy: bool, kind: str, waits: int
) -> None:
    slept: list[float] = []
    answered: list[str] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        answered.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    monkeypatch.setattr(request_throttle.asyncio, "sleep", sleep)
    monkeypatch.setattr(request_throttle.time, "thread_time", iter([0.0, 1.0]).__next__)
    paced = RequestThrottle(answer, processors=2, busy=lambda: busy)
    for _ in range(2):
        asyncio.run(paced({"type": kind}, receive, send))
    assert answered == [kind, kind]
    assert slept == [LONGEST] * waits
