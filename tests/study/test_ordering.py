"""The order in which several processes begin the tests: each with some of the long ones."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.ordering import long_ones_first


def make_tests(file: str, count: int, *, long: bool = False) -> list[Any]:
    marks = {"long": True} if long else {}
    return [SimpleNamespace(name=f"{file}{k}", path=Path(file), get_closest_marker=marks.get) for k in range(count)]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_each_process_begins_with_long_tests_and_none_is_lost(processes: int) -> None:
    tests = [
        *make_tests("a", 7),
        *make_tests("b", 2, long=True),
        *make_tests("b", 4),
        *make_tests("c", 1, long=True),
        *make_tests("d", 6),
        *make_tests("e", 1, long=True),
    ]
    found: list[Any] = long_ones_first(tests, processes)
    assert sorted(test.name for test in found) == sorted(test.name for test in tests)
    begun, rest = [], found
    for left in range(processes, 0, -1):
        share = len(rest) // left
        begun.append([test.name for test in rest[:share] if test.get_closest_marker("long")])
        assert begun[-1] == [test.name for test in rest[: len(begun[-1])]]
        rest = rest[share:]
    assert rest == []
    assert sum(map(len, begun)) == 4
    assert sum(bool(names) for names in begun) == min(processes, 3)
    assert any({"b0", "b1"} <= set(names) for names in begun)
