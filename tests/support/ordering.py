"""The order of tests for several processes: long tests start first, since they would end the run late."""

from collections.abc import Sequence
from itertools import groupby, islice

import pytest


def long_ones_first(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """Return the tests in an order in which each process starts with some that are marked `long`.

    Each process of pytest-xdist (`--dist worksteal`) gets an equal number of consecutive tests, and takes tests from
    the end of another's list when it has finished its own. Long tests of one file stay together, since they may share a
    fixture.
    """
    long = [item for item in items if item.get_closest_marker("long")]
    others = (item for item in items if not item.get_closest_marker("long"))
    files = [list(tests) for _, tests in groupby(long, key=lambda item: item.path)]
    beginnings: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for tests in sorted(files, key=len, reverse=True):
        min(beginnings, key=len).extend(tests)
    found: list[pytest.Item] = []
    for number, beginning in enumerate(beginnings):
        share = (len(items) - len(found)) // (processes - number)
        found += [*beginning, *islice(others, max(0, share - len(beginning)))]
    return [*found, *others]
