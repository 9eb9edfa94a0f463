"""`[data] weight`: how much each training row counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.command import run_study
from support.in_process import run_local

from engine.worker_data import pack_data, read_data, unpack_data
from study.data import load
from study.errors import UserError
from study.ledger.home import Home
from study.ledger.trial_artifact import read_result
from study.model.finalize import finalize
from study.spec.data import DataSpec

SPEC = """
name = "weighted"
baselines.enabled = false
[data]
source = "lines.csv"
target = "y"
weight = "w"
{data}
[space]
depth = 0
iterations = 60
learning_rate = 0.3
[search]
trials = 1
sampler = "random"
"""


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Two lines, y = 2x and y = -2x; the rows of the second one weigh nothing."""
    rng = np.random.default_rng(0)
    x, second = rng.standard_normal(300), rng.random(300) < 0.5
    y = np.where(second, -2 * x, 2 * x)
    pd.DataFrame({"x": x, "w": np.where(second, 0.0, 3.0), "y": y}).to_csv(tmp_path / "lines.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("data", ["", "folds = 3"])
def test_rows_of_weight_0_are_not_learned_from(lines: Path, data: str) -> None:
    (lines / "spec.toml").write_text(SPEC.format(data=data))
    done = run_study("run", lines / "spec.toml", "--home", lines, "--no-tracking", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    networks = read_result(Home(lines).folder("weighted").result(0)).parameters
    assert (networks[:, 0] > 0).all()  # in standardized units; without weights it would be about 0
    final = finalize(Home(lines), "weighted")
    predicted = final.load_model().predict(pd.DataFrame({"x": [-1.0, 1.0]}))
    assert predicted[1] - predicted[0] == pytest.approx(4.0, rel=0.05)


def test_weight_column_is_no_feature_and_has_mean_1_on_train(lines: Path) -> None:
    dataset = load(DataSpec(source="lines.csv", target="y", weight="w"), lines)
    assert dataset.column_names == ("x",)
    assert dataset.train.weight is not None
    assert dataset.train.weight.shape == (1, dataset.train.m)
    assert dataset.train.weight.mean() == pytest.approx(1.0)
    assert dataset.dev.weight is None


def test_workers_that_are_sent_the_data_have_the_weights(lines: Path) -> None:
    run_local(SPEC.format(data=""), lines)
    folder = Home(lines).folder("weighted").data
    here, sent = read_data(str(folder)).weight, unpack_data(pack_data(folder)).weight
    assert here is not None
    assert sent is not None
    np.testing.assert_array_equal(here, sent)


@pytest.mark.slow
def test_jobs_change_nothing(lines: Path) -> None:
    alone = run_local(SPEC.format(data=""), lines, jobs=1)
    there = run_local(SPEC.format(data=""), lines / "two", jobs=2, base=lines)
    assert [row.fingerprint for row in there.trials] == [row.fingerprint for row in alone.trials]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-1", "row 1 of the weight column 'w' has '-1'; weights must be numbers that are at least 0"),
        ("", "row 1 of the weight column 'w' has no value"),
        ("much", "row 1 of the weight column 'w' has 'much'"),
        ("inf", "row 1 of the weight column 'w' has 'inf'"),
    ],
)
def test_wrong_weight_is_named_with_its_row(tmp_path: Path, cell: str, message: str) -> None:
    rows = "\n".join(f"{k},{cell if k == 0 else 1},{k % 2}" for k in range(40))
    (tmp_path / "data.csv").write_text(f"x,w,y\n{rows}\n")
    # All of the table but two rows may be train: the first row is in it whatever the split.
    with pytest.raises(UserError, match="weight column") as caught:
        for seed in range(20):
            load(DataSpec(source="data.csv", target="y", weight="w", seed=seed), tmp_path)
    assert message in str(caught.value)


def test_weights_of_0_alone_are_refused(tmp_path: Path) -> None:
    rows = "\n".join(f"{k},0,{k % 2}" for k in range(40))
    (tmp_path / "data.csv").write_text(f"x,w,y\n{rows}\n")
    with pytest.raises(UserError, match="all weights in 'w' are 0 on the training set"):
        load(DataSpec(source="data.csv", target="y", weight="w"), tmp_path)


def test_weight_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,y\n" + "\n".join(f"{k},{k % 2}" for k in range(40)))
    with pytest.raises(UserError, match=r"\[data\] weight: column 'w' not found"):
        load(DataSpec(source="data.csv", target="y", weight="w"), tmp_path)
