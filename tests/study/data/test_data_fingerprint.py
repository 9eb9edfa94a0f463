"""Fingerprints: equal for equal content however it is written, different for any change of a value or name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_tables import mixed_table

from study.data.fingerprint import explain_change, fingerprint

CELLS = st.lists(st.text(max_size=5), min_size=2, max_size=8)


def frame_of(columns: dict[str, Any]) -> pd.DataFrame:
    import pyarrow as pa

    return pd.DataFrame(
        {name: pd.array(cells, dtype=pd.ArrowDtype(pa.large_string())) for name, cells in columns.items()}
    )


@pytest.mark.slow
@settings(max_examples=50)
@given(cells=CELLS, data=st.data())
def test_a_change_of_a_cell_is_seen(cells: list[str], data: Any) -> None:
    at = data.draw(st.integers(0, len(cells) - 1))
    other = [*cells]
    other[at] = data.draw(st.text(max_size=5).filter(lambda each: each != cells[at]))
    assert fingerprint(frame_of({"a": cells})) != fingerprint(frame_of({"a": other}))
    assert fingerprint(frame_of({"a": cells})) == fingerprint(frame_of({"a": [*cells]}))


def test_cells_do_not_run_together() -> None:
    assert fingerprint(frame_of({"a": ["ab", "c"]})) != fingerprint(frame_of({"a": ["a", "bc"]}))
    assert fingerprint(frame_of({"a": [None, "x"]})) != fingerprint(frame_of({"a": ["", "x"]}))


def test_names_and_order_count() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert fingerprint(frame) != fingerprint(frame.rename(columns={"a": "c"}))
    assert fingerprint(frame) != fingerprint(frame[["b", "a"]])
    assert fingerprint(frame) != fingerprint(frame.iloc[::-1])
    assert fingerprint(frame) == fingerprint(frame.copy())


def test_rows_are_a_table_of_their_own() -> None:
    for frame in (frame_of({"a": ["p", "q", "rs", None]}), pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]})):
        rows = np.array([1, 3])
        assert fingerprint(frame, rows) == fingerprint(frame.iloc[rows].reset_index(drop=True))


def test_how_a_file_is_written_does_not_count(tmp_path: Path, load_here: Any) -> None:
    table = mixed_table()
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_csv(tmp_path / "b.csv", index=False, sep=";", quoting=1, encoding="utf-16")
    assert load_here(source="a.csv").fingerprint == load_here(source="b.csv").fingerprint


@pytest.mark.parametrize(
    ("recorded", "current", "said"),
    [
        ({"train": "1", "dev": "2"}, {"train": "1", "dev": "2"}, ""),
        ({"train": "1", "dev": "2", "test": "3"}, {"train": "0", "dev": "2", "test": "4"}, "test and train"),
        ({"train": "1"}, {"train": "1", "confirm": "2"}, "confirm"),
    ],
)
def test_what_changed_is_named(recorded: dict[str, str], current: dict[str, str], said: str) -> None:
    assert explain_change(recorded, current) == said
