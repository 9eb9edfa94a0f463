"""When a draft tries class weights: if a class is rare."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study.data import draft_spec
from study.spec import parse_spec


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


@pytest.mark.parametrize(("share", "weights"), [(0.08, ["none", "balanced"]), (0.12, None)])
def test_class_weights_for_a_rare_class(share: float, weights: object, tmp_path: Path) -> None:
    space = space_of(table(400, share), tmp_path)
    assert isinstance(space, dict)
    assert space.get("class_weight") == weights
