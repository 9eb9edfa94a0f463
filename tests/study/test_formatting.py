"""Numbers as people read them."""

import ast
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest

from study.text import formatting
from study.text.formatting import counted, figure, figures, signed


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


THINGS = (
    *(
        "bytes",
        "cells",
        "characters",
        "classes",
        "columns",
        "examples",
        "features",
        "files",
        "folds",
        "groups",
        "images",
    ),
    *(
        "iterations",
        "jobs",
        "labels",
        "lines",
        "networks",
        "parameters",
        "rows",
        "runs",
        "seconds",
        "seeds",
        "settings",
    ),
    *("studies", "times", "trials", "units", "values", "workers"),
)
NEVER_ONE = {  # or not whole, or said of one in other words
    *("done", "took", "len(look.classes)", "len(self.folds)", "len(names)", "distinct", "final.times", "len(openings)"),
    *("state.replicas", "plan.networks", "len(datasets)", "name", "where", "values[0]", "most", "short(again.value)"),
}


def test_what_is_counted_in_a_message_is_counted_by_the_helper() -> None:
    """`f"{n} trials"` says "1 trials"; `counted` does not."""
    said = re.compile(rf"(?: (?!has |and |of )[a-z]+){{0,2}} (?:{'|'.join(THINGS)})\b(?! too large)")
    found = []
    for path in sorted(Path(formatting.__file__).parent.rglob("*.py")):
        strings = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.JoinedStr)]
        for value, words in [pair for string in strings for pair in pairwise(string.values)]:
            if isinstance(value, ast.FormattedValue) and isinstance(words, ast.Constant):
                number = ast.unparse(value.value)
                if said.match(str(words.value)) and number not in NEVER_ONE and not number.isupper():
                    found.append(f"{path.name}:{value.lineno}: {number}{words.value}")
    assert not found


def test_words_go_with_their_number() -> None:
    assert [formatting.agree(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]
