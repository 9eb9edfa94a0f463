"""`Float(…)` and `Int(…)` are checked when they are made, by the rules and in the words that a spec has for ranges."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from study import Float, Int
from study.errors import ArgumentError, UserError
from study.spec.reading import check_table


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(3, 1), "Float: low must not be above high, got low = 3 and high = 1"),
        (lambda: Int(3, 1), "Int: low must not be above high, got low = 3 and high = 1"),
        (lambda: Float(0, 1, log=True), "Float: low must be above 0 with log = true, got 0"),
        (lambda: Float(math.nan, 1), "Float: low must be a finite number, got nan"),
        (lambda: Float(0, math.inf), "Float: high must be a finite number, got inf"),
        (lambda: Float(True, 3), "Float: low must be a number, got True"),
        (lambda: Int(0, True), "Int: high must be a number, got True"),
        (lambda: Float("1", 3), "Float: low must be a number, got '1'"),  # type: ignore[arg-type]
        (lambda: Float(None, 3), "Float: low must be a number, got None"),  # type: ignore[arg-type]
        (lambda: Int(0.5, 3), "Int: must be a range of whole numbers, got 0.5"),  # type: ignore[arg-type]
        (lambda: Int(1, 10**400), "Int: high must be a finite number, got 1000"),
        (lambda: Int(1, 9, step=0), "Int: "),
        (lambda: Int(1, 9, 2), "Int: log must be True or False, got 2; to set a step, use step="),  # type: ignore[arg-type]
        (lambda: Float(1, 9, log=True, step=2), "Float: log and step cannot be combined; remove one of them"),
    ],
)
def test_a_range_that_breaks_a_rule_is_refused_when_it_is_made(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, UserError)
    assert isinstance(caught.value, ValueError)


def test_numbers_of_numpy_are_numbers() -> None:
    assert Float(np.float32(0.5), np.float64(2)).low == 0.5
    assert Int(np.int64(1), np.int32(3), log=np.bool_(True)).high == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [True, "1"])
def test_a_spec_has_the_same_rule_for_ends(end: object) -> None:
    space = {"learning_rate": {"low": end, "high": 3.0}, "iterations": 10, "depth": 1}
    with pytest.raises(UserError, match=f"learning_rate low: must be a number, got {end!r}"):
        check_table("space", space)
