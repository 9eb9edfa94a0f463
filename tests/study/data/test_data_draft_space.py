"""When a draft tries encodings of numbers and class weights: by the rows, columns and classes of the table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study.data import draft_spec
from study.data.draft import draft_source
from study.spec import parse_spec

BOTH = ["standard", "ple"]


def table(rows: int, share: float = 0.5) -> pd.DataFrame:
    """A table with a number, a category and two classes, the second of which has a share of the rows."""
    rng = np.random.default_rng(0)
    kinds = np.where(np.arange(rows) < share * rows, "rare", "usual")
    return pd.DataFrame({"size": rng.normal(size=rows), "town": rng.choice(["Rome", "Oslo"], rows), "kind": kinds})


def space_of(frame: pd.DataFrame, folder: Path, target: str = "kind") -> object:
    frame.to_csv(folder / "t.csv", index=False)
    draft = draft_spec(folder / "t.csv", target)
    parse_spec(draft.text, "t.toml")
    return draft.tables["space"]


@pytest.mark.parametrize(
    ("frame", "target", "encoding"),
    [
        (table(1700), "kind", BOTH),
        (table(1700), "size", None),  # no other column is numeric
        (table(1700).assign(other=np.arange(1700) / 7), "size", BOTH),  # regression
        (table(1600), "kind", None),  # train has fewer than 1,000 rows
        (table(1700).drop(columns="size"), "kind", None),
    ],
)
def test_encodings_for_numbers_in_more_than_a_thousand_rows(
    frame: pd.DataFrame, target: str, encoding: object, tmp_path: Path
) -> None:
    space = space_of(frame, tmp_path, target)
    assert isinstance(space, dict)
    assert space.get("encoding") == encoding


def test_no_encodings_for_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.random.default_rng(0).normal(size=(1700, 3)), y=np.arange(1700) % 2)
    space = draft_source("t.npz", tmp_path).tables["space"]
    assert isinstance(space, dict)
    assert "encoding" not in space


@pytest.mark.parametrize(("share", "weights"), [(0.08, ["none", "balanced"]), (0.12, None)])
def test_class_weights_for_a_rare_class(share: float, weights: object, tmp_path: Path) -> None:
    space = space_of(table(400, share), tmp_path)
    assert isinstance(space, dict)
    assert space.get("class_weight") == weights
