"""The `[data]` table: what is refused, in words that name the rule and the value."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from study.spec.data import DataSpec

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"source": "sklearn:digit"}, "did you mean 'digits'"),
    ({"source": "synthetic:moon"}, "did you mean 'moons'"),
    ({"source": "sklearm:digits"}, "did you mean 'sklearn'"),
    ({"source": "openml:adult"}, "openml:NAME@VERSION"),
    ({"source": "table.xlsx"}, "got 'table.xlsx'"),
    ({"source": "a.csv", "split": [0.6, 0.2, 0.3]}, "sums to 1.1"),
    ({"source": "a.csv", "split": [0.8, 0.2, 0.0]}, "each above 0"),
    ({"source": "a.csv", "split": [1.0]}, "fractions of train, dev and test"),
    ({"source": "a.csv", "confirm": 1.0}, "less than 1"),
    ({"source": "a.csv", "folds": 1}, "greater than or equal to 2"),
    ({"source": "a.csv", "separator": "<-->"}, "one to three ASCII characters, or '\\s+', got '<-->'"),
    ({"source": "a.csv", "separator": ""}, "separator must be one to three ASCII characters"),
    ({"source": "a.csv", "escape": "ab"}, "one ASCII character, got 'ab'"),
    ({"source": "a.csv", "skip_lines": -1}, "greater than or equal to 0"),
    ({"source": "a.npz", "skip_lines": 1}, "skip_lines does not apply"),
    *(
        (
            {"source": "a.csv", "encoding": name},
            f"encoding must be a text encoding, such as utf-8, cp1252 or utf-16, got {name!r}",
        )
        for name in ("utf-9", "punycode", "idna", "rot13", "base64", "zlib", "hex", "unicode_escape", "undefined")
    ),
    ({"source": "a.csv", "encoding": "raw_unicode_escape"}, "got 'raw_unicode_escape'"),
    ({"source": "a.csv", "encoding": "utf_7"}, "got 'utf_7'"),
    ({"source": "a.csv", "x": "X"}, "x does not apply to source 'a.csv'"),
    ({"source": "a.parquet", "separator": ","}, "separator does not apply"),
    ({"source": "sklearn:digits", "target": "y"}, "target does not apply"),
    ({"source": "sklearn:digits", "examples": 100}, "examples does not apply"),
    ({"source": "synthetic:moons", "bits": 4}, "bits applies only to parity"),
    ({"source": "synthetic:parity", "classes": 4}, "classes applies only to blobs and spirals"),
    ({"source": "a.csv", "test": "b.parquet"}, "file of the same kind"),
    ({"source": "a.csv", "group": "g", "time": "t"}, "group and time are mutually exclusive"),
    ({"source": "a.csv", "group": "g", "duplicates": "group"}, "cannot be combined with group"),
    ({"source": "a.csv", "drop": ["a"], "numeric": ["a"]}, "listed in both numeric and drop"),
    ({"source": "a.csv", "target": "a", "drop": ["a"]}, "is the target"),
    ({"source": "a.csv", "target": "a", "group": "a"}, "cannot be the group column"),
    ({"source": "a.csv", "log_target": True, "task": "binary"}, "log_target applies only to regression"),
    ({"source": "a.csv", "sead": 1}, "sead"),
    ({"source": "a.csv", "seed": "1"}, "valid integer"),
    ({"source": "a.csv", "scale": "none "}, "standard"),
]


@pytest.mark.parametrize(("keys", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DataSpec(**keys)
    assert words in str(caught.value)


def test_every_key_is_described() -> None:
    assert [name for name, field in DataSpec.model_fields.items() if not field.description] == []


def test_one_line_is_enough() -> None:
    spec = DataSpec(source="a.csv")
    assert spec.split == (0.6, 0.2, 0.2)
    assert spec.confirm == 0


def test_windows_paths_are_files() -> None:
    assert DataSpec(source=r"C:\tables\a.csv").kind == "text"


def test_importing_is_light() -> None:
    code = "import sys, study.spec.data, study.data; print({'pandas', 'sklearn', 'pyarrow'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
