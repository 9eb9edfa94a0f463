"""Values are written as TOML that reads as what they were, whatever characters they have."""

import tomllib

import pytest

from study.errors import UserError
from study.text.toml_text import toml_value, write_toml


@pytest.mark.parametrize(
    "text", ["é 😀", "a\tb\n", 'say "no" \\ ', "\x7f\x00", "zero\u200bwidth", "\U000e0001", "\U0010ffff"]
)
def test_text_is_read_as_it_was(text: str) -> None:
    table = {"plain": text, "table": {text: [text, 1, 0.5, True], "inline": {text: text}}}
    assert tomllib.loads(write_toml(table)) == table


def test_what_cannot_be_printed_is_escaped() -> None:
    assert toml_value("\u200b\U000e0001") == '"\\u200b\\U000e0001"'


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UserError, match=r"^'\\ud800' contains a lone surrogate"):
        toml_value("\ud800")
