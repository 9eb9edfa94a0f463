"""What the [search] and [space] tables promise, each option on a study of milliseconds."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.in_process import run_local, spec_with

from study.errors import UserError
from study.ledger.answers import describe_study
from study.ledger.home import Home
from study.ledger.results import Summary
from study.ledger.trial_artifact import TrialFile, read_result

DISCRETE = """
learning_rate = [0.1, 1.0]
iterations = 50
depth = [0, 1]
units = [2, 4]
activation = "tanh"
"""


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync no file: the machine stays up, so the files are whole without it, in half the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def prints(summary: Summary) -> list[tuple[int, str, str | None]]:
    return [(row.number, row.state, row.fingerprint) for row in summary.trials]


def file_of(folder: Path, number: int) -> TrialFile:
    return read_result(Home(folder).folder("small").result(number))


def test_asha_pauses_trials_and_promotes_the_best(tmp_path: Path) -> None:
    summary = run_local(spec_with('pruner = "asha"\ntrials = 30', space="iterations = 200"), tmp_path)
    states = [row.state for row in summary.trials]
    assert summary.state == "complete"
    assert states.count("pruned") > states.count("complete") > 0
    for row in summary.trials:
        assert row.iterations == (200 if row.state == "complete" else row.iterations)
        assert row.iterations in (20, 70, 200)
    assert not list(tmp_path.rglob("*.state.npz"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pruner", "every"),
    [
        pytest.param("median", 0.0, id="median from checkpoints"),
        pytest.param("median", 1e9, id="median from the start", marks=pytest.mark.exhaustive),
        pytest.param("asha", 0.0, id="asha from checkpoints", marks=pytest.mark.exhaustive),
        pytest.param("asha", 1e9, id="asha from the start"),
    ],
)
def test_a_search_stopped_after_each_round_gives_the_same_trials(
    tmp_path: Path, pruner: str, every: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.search.coordinator.CHECKPOINT_EVERY", every)
    monkeypatch.setattr("study.search.objective.LEAST", 1e-4)  # several chunks a trial
    text = spec_with(f'pruner = "{pruner}"\ntrials = 12')
    whole = run_local(text, tmp_path / "whole")
    pieces = run_local(text, tmp_path / "pieces", stop=lambda: True)
    for _ in range(200):
        if pieces.state == "complete":
            break
        pieces = run_local(text, tmp_path / "pieces", stop=iter([False, True, True]).__next__)
    assert prints(pieces) == prints(whole)


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [1, *(pytest.param(number, marks=pytest.mark.exhaustive) for number in (2, 3))])
def test_few_in_flight_repeat_as_well_and_end_where_nothing_improves(
    tmp_path: Path, in_flight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.search.objective.LEAST", 1e-4)
    text = spec_with(f"in_flight = {in_flight}\nstop_after = 4\ntrials = 40")
    whole = run_local(text, tmp_path / "whole")
    assert len(whole.trials) < 40
    assert prints(run_local(text, tmp_path / "two", jobs=2)) == prints(whole)
    pieces = run_local(text, tmp_path / "pieces", stop=lambda: True)
    for _ in range(200):
        if pieces.state == "complete":
            break
        pieces = run_local(text, tmp_path / "pieces", stop=iter([False, True]).__next__)
    assert prints(pieces) == prints(whole)


@pytest.mark.slow
def test_asha_goes_on_without_its_checkpoints(tmp_path: Path) -> None:
    text = spec_with('pruner = "asha"\ntrials = 15')
    whole = run_local(text, tmp_path / "whole")
    pieces = run_local(text, tmp_path / "pieces", stop=lambda: True)
    for _ in range(200):
        for checkpoint in (tmp_path / "pieces").rglob("*.state.npz"):
            checkpoint.write_bytes(checkpoint.read_bytes()[:100])
        if pieces.state == "complete":
            break
        pieces = run_local(text, tmp_path / "pieces", stop=iter([False, True, True]).__next__)
    assert prints(pieces) == prints(whole)


def test_settings_to_try_first_are_tried_first(tmp_path: Path) -> None:
    text = spec_with("enqueue = [{ learning_rate = 0.5, depth = 1, units_1 = 3 }, { iterations = 50 }]")
    summary = run_local(text, tmp_path)
    first, second = summary.trials[:2]
    assert (first.params["learning_rate"], first.params["depth"], first.params["units_1"]) == (0.5, 1, 3)
    assert second.params["iterations"] == 50


def test_no_setting_of_a_small_space_is_tried_twice_and_all_are(tmp_path: Path) -> None:
    summary = run_local(spec_with("trials = 50", space=DISCRETE), tmp_path)
    settings = {tuple(sorted(row.params.items())) for row in summary.trials}
    assert len(settings) == len(summary.trials) == 6  # 2 rates × (no hidden layer, or one of 2 or 4 units)
    assert summary.state == "complete"


def test_a_grid_ends_when_it_is_done(tmp_path: Path) -> None:
    summary = run_local(spec_with('trials = 50\nsampler = "grid"\npruner = "none"', space=DISCRETE), tmp_path)
    assert len(summary.trials) == 6
    assert {row.state for row in summary.trials} == {"complete"}


@pytest.mark.slow
def test_networks_stay_within_max_parameters(tmp_path: Path) -> None:
    summary = run_local(spec_with("trials = 20", space="max_parameters = 30"), tmp_path)
    folder = tmp_path
    assert max(file_of(folder, row.number).parameters.shape[1] for row in summary.trials) <= 30
    with pytest.raises(UserError, match="max_parameters = 1: no network that small was found"):
        run_local(spec_with("trials = 2", space="max_parameters = 1"), tmp_path / "none")


def test_constant_and_tapered_units(tmp_path: Path) -> None:
    space = 'depth = 3\nunits = { low = 4, high = 8 }\nunits_pattern = ["constant", "taper"]'
    summary = run_local(spec_with("trials = 8", space=space), tmp_path)
    patterns = set()
    for row in summary.trials:
        sizes = file_of(tmp_path, row.number).layer_sizes[1:-1]
        units, pattern = row.params["units"], row.params["units_pattern"]
        assert sizes == ((units,) * 3 if pattern == "constant" else (units, units // 2, units // 4))
        patterns.add(pattern)
    assert patterns == {"constant", "taper"}


def test_with_repeated_seeds_the_mean_counts(tmp_path: Path) -> None:
    summary = run_local(spec_with("seeds = 3\ntrials = 5"), tmp_path)
    for row in summary.trials:
        file = file_of(tmp_path, row.number)
        assert file.parameters.shape[0] == len(file.curves) == 3
        if row.state == "complete":
            assert len({curve.tobytes() for curve in file.curves}) == 3
            assert row.value == pytest.approx(np.mean(file.evaluations[-1]["dev_accuracy"]))


def test_the_first_of_several_seeds_is_the_one_of_a_single(tmp_path: Path) -> None:
    fixed = "learning_rate = 0.5\niterations = 50\ndepth = 1\nunits = 4\nactivation = 'tanh'"
    run_local(spec_with("seeds = 1\ntrials = 1", space=fixed), tmp_path / "one")
    run_local(spec_with("seeds = 2\ntrials = 1", space=fixed), tmp_path / "two")
    one, two = file_of(tmp_path / "one", 0), file_of(tmp_path / "two", 0)
    np.testing.assert_allclose(two.parameters[0], one.parameters[0], rtol=1e-4, atol=1e-6)


def test_folds_are_trained_as_one_stack(tmp_path: Path) -> None:
    summary = run_local(spec_with("trials = 4", data="folds = 3"), tmp_path)
    for row in summary.trials:
        file = file_of(tmp_path, row.number)
        assert file.parameters.shape[0] == 3
        if row.state == "complete":
            assert sum(A.shape[1] for A in file.dev_predictions) == 320  # train and dev, each example dev once
            assert row.value == pytest.approx(np.mean(file.evaluations[-1]["dev_accuracy"]))


def test_several_objectives_have_a_front(tmp_path: Path) -> None:
    text = spec_with('metric = ["accuracy", "parameters"]\npruner = "none"\nsampler = "nsga2"\ntrials = 20')
    summary = run_local(text, tmp_path)
    assert summary.objectives == ("accuracy", "parameters")
    assert summary.front
    for number in summary.front:
        mine = summary.values[number]
        for other in summary.values.values():
            assert not (other[0] >= mine[0] and other[1] <= mine[1] and other != mine)
    assert describe_study(summary).front == summary.front


def test_work_ends_a_search(tmp_path: Path) -> None:
    everything = run_local(spec_with("trials = 12"), tmp_path / "all")
    little = run_local(spec_with("trials = 12\nwork = 1e-9"), tmp_path / "little")
    assert len(little.trials) < len(everything.trials)
    assert little.state == "complete"
    assert prints(little) == prints(everything)[: len(little.trials)]


def test_it_stops_after_trials_without_a_better_one(tmp_path: Path) -> None:
    summary = run_local(spec_with("trials = 200\nstop_after = 10"), tmp_path)
    assert summary.state == "complete"
    assert len(summary.trials) < 200
    assert summary.best is not None
    assert sum(row.number > summary.best.number for row in summary.trials) >= 10


def test_a_learning_rate_that_diverges_fails_with_the_reason(tmp_path: Path) -> None:
    space = "learning_rate = 1e30\ndepth = 1\nunits = 4\nactivation = 'relu'\niterations = 50"
    summary = run_local(spec_with("trials = 1", space=space), tmp_path)
    assert [row.state for row in summary.trials] == ["failed"]
    assert summary.best is None


def test_a_step_that_does_not_divide_the_range_ends_at_the_last_whole_one(tmp_path: Path) -> None:
    space = "learning_rate = { low = 0.1, high = 0.75, step = 0.2 }\niterations = { low = 50, high = 119, step = 50 }"
    summary = run_local(spec_with("trials = 12", space=space), tmp_path)
    assert {round(row.params["learning_rate"], 6) for row in summary.trials} <= {0.1, 0.3, 0.5, 0.7}
    assert {row.params["iterations"] for row in summary.trials} == {50, 100}
