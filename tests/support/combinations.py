"""Parameters of tests in all combinations, of which a third is run by default."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

SHARE = 3


def combinations(*axes: Sequence[object]) -> list[Any]:
    """Return every combination of the values, one from each axis, as parameters; two thirds are marked `exhaustive`.

    The positions of the values of a combination that is not marked add up to a multiple of three. So each value of an
    axis is still combined with each value of every other axis, if a third axis (or several together) has three
    positions to choose from.
    """
    return [
        pytest.param(
            *(value for _, value in chosen),
            marks=() if sum(position for position, _ in chosen) % SHARE == 0 else pytest.mark.exhaustive,
        )
        for chosen in product(*map(enumerate, axes))
    ]
