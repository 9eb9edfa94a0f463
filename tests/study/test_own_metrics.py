"""A study of a metric that its user registered: in workers, in its identity, and in a later process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.command import run_study
from support.in_process import run_local, spec_with
from support.small_study import SMALL, show

from engine import METRICS, register_metric
from study import Study
from study.ledger.home import Home
from study.search.identity import identify
from study.spec import parse_spec

OWN = spec_with('metric = "worst_class"\ntrials = 3\nin_flight = 2', text=SMALL)


def worst_class(y_true, y_pred, sample_weight=None):
    return min(float((y_pred[y_true == each] == each).mean()) for each in np.unique(y_true))


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registry what a test has put into it."""
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))
    yield


def register(version: int | str = 1, metric: Callable[..., float] = worst_class) -> None:
    register_metric(metric, name="worst_class", direction="maximize", task="classification", version=version)


def run(folder: Path, text: str = OWN, jobs: int = 1):
    path = folder / "small.toml"
    path.write_text(text)
    return run_study("run", path, "--home", folder / "home", "--no-tracking", "--jobs", jobs)


@pytest.mark.slow
def test_workers_give_the_trials_that_this_process_gives(tmp_path: Path) -> None:
    register()
    alone = run_local(OWN, tmp_path / "alone", jobs=1)
    there = run_local(OWN, tmp_path / "there", jobs=2)
    assert [(row.state, row.value) for row in alone.trials] == [(row.state, row.value) for row in there.trials]
    assert [row.fingerprint for row in alone.trials] == [row.fingerprint for row in there.trials]
    assert alone.metric == "worst_class"


def test_the_version_of_a_metric_is_part_of_the_studys_identity() -> None:
    register()
    one = identify(parse_spec(OWN, "small.toml"))
    register("2a")
    two = identify(parse_spec(OWN, "small.toml"))
    assert [key for key in two if one[key] != two[key]] == ["the version of metric 'worst_class'"]
    built_in = identify(parse_spec(SMALL, "small.toml"))
    assert not any("version" in key for key in built_in)


def test_a_study_does_not_continue_with_another_version(tmp_path: Path) -> None:
    register()
    assert run(tmp_path).returncode == 0
    register(version=2)
    done = run(tmp_path)
    assert done.returncode == 2
    assert "the version of metric 'worst_class' has changed since study 'small' started; undo the change" in done.stderr
    confirmed = run_study("confirm", "small", "--home", tmp_path / "home", "--jobs", 1)
    assert confirmed.returncode == 2
    assert "uses the metric 'worst_class' of version 1, but version 2 is registered" in confirmed.stderr


def test_a_process_that_has_not_registered_the_metric_says_what_to_import(tmp_path: Path) -> None:
    register()
    assert run(tmp_path).returncode == 0
    METRICS._entries.pop("worst_class")
    for command in (("confirm", "small", "--jobs", 1), ("finalize", "small"), ("compare", "small", 0, 1)):
        done = run_study(*command, "--home", tmp_path / "home")
        assert done.returncode == 2, command
        assert "study 'small' uses the metric 'worst_class', which is not registered in this process" in done.stderr
        assert f"import {__name__} first" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert show(tmp_path / "home")["metric"] == "worst_class"  # what is only shown needs no function


def test_a_metric_that_fails_is_answered_in_a_line_before_anything_is_trained(tmp_path: Path) -> None:
    register(metric=lambda y_true, y_pred: y_true["label"])  # noqa: ARG005
    done = run(tmp_path)
    assert done.returncode == 2
    assert "[search] metric: worst_class failed on the targets of dev (IndexError: only integers" in done.stderr
    assert not Home(tmp_path / "home").folder("small").path.exists()


def test_a_metric_that_cannot_be_sent_to_workers_is_named(tmp_path: Path) -> None:
    position = (each for each in range(9))
    register(metric=lambda y_true, y_pred: float(position.gi_running) + worst_class(y_true, y_pred))
    done = run(tmp_path, jobs=2)
    assert done.returncode == 2
    assert "metric 'worst_class' cannot be sent to workers (TypeError: cannot pickle 'generator' object)" in done.stderr


@pytest.mark.slow
def test_every_registered_metric_that_a_study_names_is_measured_on_the_test_set(tmp_path: Path) -> None:
    register()
    text = spec_with('metric = ["accuracy", "worst_class"]\ntrials = 3\nin_flight = 2', text=SMALL)
    assert run(tmp_path, text).returncode == 0
    done = run_study("finalize", "small", "--home", tmp_path / "home", "--json")
    assert done.returncode == 0, done.stderr
    assert '"worst_class":' in done.stdout
    METRICS._entries.pop("worst_class")  # predictions need no metric
    (tmp_path / "new.csv").write_text("x_1,x_2\n0.5,0.5\n")
    done = run_study("predict", "small", tmp_path / "new.csv", "--home", tmp_path / "home")
    assert done.returncode == 0, done.stderr


def test_a_metric_is_tried_on_targets_in_the_unit_of_the_table(tmp_path: Path) -> None:
    """As workers have them; standardized ones are negative, which this metric would not take."""

    def relative_error(y_true, y_pred):
        assert y_true.min() > 0
        return float(np.mean(np.abs(y_pred - y_true) / y_true))

    noise = np.random.default_rng(0).normal(scale=10, size=60)
    frame = pd.DataFrame({"x": np.arange(60.0), "price": 100 + np.arange(60.0) + noise})
    register_metric(relative_error, name="relative_error_of_prices", direction="minimize", task="regression")
    how = {"n_trials": 1, "folds": 0, "confirm": False, "space": {"iterations": 50, "depth": 0}}
    study = Study(frame, "price", metric="relative_error_of_prices", home=tmp_path, **how)
    assert study.run(n_jobs=1, show_progress=False, tracking=False).best_value < 1
