"""Numbers as people read them."""

import math

import pytest

from study.formatting import counted, figure, figures, signed


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1200, "1,200 rows")])
def test_things_are_counted(number: int, text: str) -> None:
    assert counted(number, "row") == text


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1.0, 0.90456, None], ["1.0000", "0.9046", ""]),
        ([2910.3, 3798.0, 940.0], ["2,910", "3,798", "940"]),
        ([12.5, 3.0], ["12.50", "3.00"]),
        ([0.0, math.nan], ["0.0000", "nan"]),
        ([112_500_000_000.0, 3.89e-05], ["112,500,000,000", "3.89e-05"]),
        ([1.125e15, 2e15], ["1.125e+15", "2e+15"]),
    ],
)
def test_figures_of_a_column_have_the_same_decimals_where_that_is_readable(
    values: list[float | None], shown: list[str]
) -> None:
    assert figures(values) == shown


def test_differences_have_a_sign() -> None:
    assert signed([0.0312, -0.004, None], 3) == ["+0.031", "-0.004", ""]


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (380.4, "380.4"), (0.00012, "0.00012"), (1.5e-7, "1.5e-07"), (0.0, "0")]
)
def test_a_single_figure_has_the_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text
