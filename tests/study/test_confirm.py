"""`study confirm`: the same figures whatever the number of jobs, what is asked of it, and what it refuses."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from support.command import environment, run_study
from support.confirmed_study import confirmed, nobody
from support.in_process import run_local, spec_with
from support.processes import workers_of
from support.small_study import SMALL

from engine.metrics import METRICS, labels
from study.cli.views.confirm import confirmation_lines
from study.errors import UserError
from study.evaluation.confirm import confirm
from study.evaluation.retrain import Retraining, fresh_seed
from study.execution import Workers
from study.ledger.confirmation import Confirmation
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import is_current, summarize
from study.run import Progress, run
from study.search.objective import network_seed
from study.search.session import load_all
from study.spec import parse_spec
from study.text.records import to_json

CONFIRMED = SMALL + "[confirm]\ntop = 3\nseeds = 4\n"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Confirmation]:
    """The home of the small study, searched and confirmed by one job, and the outcome; tests do not change it."""
    folder = tmp_path_factory.mktemp("confirmed")
    return folder, confirmed(SMALL, folder)


def figures(outcome: Confirmation) -> dict:
    plain = to_json(outcome)
    for candidate in plain["candidates"]:
        del candidate["seconds"]
    return plain


@pytest.mark.slow
def test_run_with_confirm_table_ends_with_the_verdict_and_confirm_retrains_nothing(spec: Path, home: Path) -> None:
    spec.write_text(CONFIRMED)
    done = run_study("run", spec, "--home", home, "--no-tracking", "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert "Confirmed on 4 fresh seeds and 80 dev examples: trial" in done.stdout
    files = {path: path.stat().st_mtime_ns for path in (home / "studies/small/confirm").glob("*.npz")}
    assert len(files) == 3
    ledger = (home / "studies/small/ledger.log").read_bytes()

    shown = run_study("confirm", "small", "--home", home, "--json")
    assert shown.returncode == 0, shown.stderr
    outcome = json.loads(shown.stdout)
    keys = ["metric", "direction", "part", "m", "seeds", "top", "search_best", "candidates", "failed", "winner"]
    assert list(outcome) == [*keys, "margin", "recommended", "power", "optimism", "of", "confirmed", "finalize"]
    assert outcome["confirmed"] == outcome["finalize"] == outcome["winner"]
    assert (outcome["metric"], outcome["direction"], outcome["part"]) == ("accuracy", "maximize", "dev")
    assert (outcome["m"], outcome["seeds"]) == (80, 4)
    names = "trial search_value value low high by_seed indistinguishable equivalent difference power work parameters"
    assert [list(candidate) for candidate in outcome["candidates"]] == [[*names.split(), "seconds", "average"]] * 3
    for candidate in outcome["candidates"]:
        assert len(candidate["by_seed"]) == 4
        assert np.mean(candidate["by_seed"]) == pytest.approx(candidate["value"])
        assert candidate["low"] <= candidate["value"] <= candidate["high"]
    assert [candidate["power"] is None for candidate in outcome["candidates"]].count(True) == 1  # the best
    assert {path: path.stat().st_mtime_ns for path in files} == files

    again = run_study("run", spec, "--home", home, "--no-tracking")
    assert "Confirmed on 4 fresh seeds" in again.stdout
    assert "confirming" not in again.stdout
    assert (home / "studies/small/ledger.log").read_bytes() == ledger
    text = run_study("confirm", "small", "--home", home, env={**environment(), "COLUMNS": "80"}).stdout
    assert "recommended" in text
    table = text[text.index(" trial  search") :].partition("\nTrial ")[0]  # sentences follow it
    assert "work: training work" in table
    assert max(map(len, table.splitlines())) <= 80


@pytest.mark.slow
def test_number_of_jobs_and_an_interruption_change_no_figure(once: tuple[Path, Confirmation], tmp_path: Path) -> None:
    _, first = once
    assert figures(confirmed(SMALL, tmp_path / "two", jobs=2)) == figures(first)

    def die(line: str) -> None:
        if "retrained" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confirmed(SMALL, tmp_path / "three", said=die)
    kept = list((tmp_path / "three/studies/small/confirm").glob("*.npz"))
    assert kept
    said: list[str] = []
    assert figures(confirmed(SMALL, tmp_path / "three", said=said.append)) == figures(first)
    assert len(said) == 1 + 3 - len(kept)


@pytest.mark.slow
def test_worker_processes_of_the_search_also_confirm(spec: Path, home: Path) -> None:
    spec.write_text(CONFIRMED)
    crew, seen = Workers(2), list[tuple[str, frozenset[int]]]()

    def look(what: str) -> None:
        seen.append((what, frozenset(workers_of(os.getpid()))))

    progress = Progress(lambda *_: None, lambda number, *_: look(f"trial {number} ended"), look)
    result = run(spec, Home(home), workers=crew, exporter=None, progress=progress)
    assert result.confirmed is not None
    candidates = {candidate.trial for candidate in result.confirmed.candidates}
    assert {f"trial {number} retrained" for number in candidates} <= {what for what, _ in seen}
    (processes,) = {processes for _, processes in seen}
    assert len(processes) == 2


@pytest.mark.slow
def test_confirmation_stays_within_the_memory_limit_of_a_worker(tmp_path: Path) -> None:
    space = "units = 1100\ndepth = 2\niterations = 1\nlearning_rate = 0.01"
    outcome = confirmed(spec_with("trials = 1\nworker_memory = 256", space=space), tmp_path, top=1, seeds=12)
    assert outcome.failed == ()  # all twelve beside each other would take 300 MB


def test_values_are_those_of_the_kept_networks(once: tuple[Path, Confirmation]) -> None:
    folder, outcome = once
    dataset = load_all(parse_spec(SMALL, "").data, folder)[0]
    for candidate in outcome.candidates:
        with np.load(folder / f"studies/small/confirm/trial-{candidate.trial}.npz") as file:
            assert file["parameters"].shape == (4, candidate.parameters)
            by_seed = [METRICS["accuracy"].compute(dataset.dev.Y, A) for A in file["predictions"]]
        assert candidate.by_seed == pytest.approx(by_seed)


def test_fresh_seeds_differ_from_those_of_the_search() -> None:
    fresh = [fresh_seed(0, replica) for replica in range(20)]
    assert len({*fresh, *(network_seed(0, trial, k) for trial in range(20) for k in range(5))}) == 20 + 100
    assert fresh_seed(0, 1, 2) != fresh_seed(0, 2, 1)


def test_a_stack_too_large_for_memory_is_trained_in_pieces_to_the_same_figures(
    once: tuple[Path, Confirmation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = once
    monkeypatch.setattr("study.evaluation.stacks.MEMORY", 1)
    pieces = confirmed(SMALL, tmp_path)
    assert [c.value for c in pieces.candidates] == pytest.approx([c.value for c in whole.candidates])


def test_confirm_split_is_used_where_the_spec_has_one(tmp_path: Path) -> None:
    text = spec_with(data="confirm = 0.2")
    outcome = confirmed(text, tmp_path)
    dataset = load_all(parse_spec(text, "").data, tmp_path)[0]
    assert outcome.part == "confirm"
    assert outcome.m == dataset.confirm.m
    best = outcome.candidates[0]
    with np.load(tmp_path / f"studies/small/confirm/trial-{best.trial}.npz") as file:
        assert best.by_seed[0] == pytest.approx(METRICS["accuracy"].compute(dataset.confirm.Y, file["predictions"][0]))
    assert not any("chose the candidates" in line for line in confirmation_lines(outcome))


@pytest.mark.parametrize("confirm_part", [False, True])
def test_with_folds_each_example_counts_in_the_fold_whose_dev_it_is_in(tmp_path: Path, confirm_part: bool) -> None:
    text = spec_with("trials = 5", data="folds = 3\nconfirm = 0.2" if confirm_part else "folds = 3")
    outcome = confirmed(text, tmp_path, top=2, seeds=3)
    datasets = load_all(parse_spec(text, "").data, tmp_path)
    parts = [dataset.confirm if confirm_part else dataset.dev for dataset in datasets]
    assert outcome.m == (parts[0].m if confirm_part else sum(part.m for part in parts))
    best = outcome.candidates[0]
    with np.load(tmp_path / f"studies/small/confirm/trial-{best.trial}.npz") as file:
        assert len(file["parameters"]) == 9
        A = np.split(file["predictions"][1], np.cumsum([part.m for part in parts])[:-1], axis=1)
    right = [labels(part.Y) == labels(a) for part, a in zip(parts, A, strict=True)]
    assert best.by_seed[1] == pytest.approx(np.concatenate(right).mean())


def test_regression_is_confirmed_in_the_unit_of_the_table(tmp_path: Path) -> None:
    text = spec_with(
        'metric = "rmse"\ntrials = 4', 'source = "synthetic:house_price"\nexamples = 120\nlog_target = true'
    )
    outcome = confirmed(text, tmp_path)
    dataset = load_all(parse_spec(text, "").data, tmp_path)[0]
    best = outcome.candidates[0]
    assert outcome.direction == "minimize"
    values = {candidate.trial: candidate.value for candidate in outcome.candidates}
    assert outcome.winner == min(values, key=lambda trial: values[trial])
    with np.load(tmp_path / f"studies/small/confirm/trial-{best.trial}.npz") as file:
        A, Y = (dataset.target_scale.to_units(values) for values in (file["predictions"][0], dataset.dev.Y))
    assert best.by_seed[0] == pytest.approx(METRICS["rmse"].compute(Y, A), rel=1e-4)


def test_several_objectives_take_candidates_from_the_front(tmp_path: Path) -> None:
    outcome = confirmed(spec_with('metric = ["accuracy", "parameters"]'), tmp_path)
    front = summarize(Home(tmp_path), "small").front
    assert {candidate.trial for candidate in outcome.candidates} <= set(front)


@pytest.mark.slow
def test_outcome_is_outdated_once_the_study_has_gone_on(tmp_path: Path) -> None:
    outcome = confirmed(SMALL, tmp_path)
    place = Home(tmp_path).folder("small")
    ledger = Ledger(place, "small")
    assert is_current(outcome, summarize(Home(tmp_path), "small"), ledger.attributes)
    run_local(spec_with("trials = 30"), tmp_path)
    later = summarize(Home(tmp_path), "small")
    assert {row.number for row in later.ranking()[:3]} != {candidate.trial for candidate in outcome.candidates}
    assert not is_current(outcome, later, Ledger(place, "small").attributes)


@pytest.mark.slow
def test_setting_that_fails_on_a_fresh_seed_is_excluded_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Retraining._gather

    def gather(self: Retraining, stacks: list) -> object:
        if stacks[0].name == f"trial-{unlucky}":
            stacks[0].error = "Traceback\nValueError: it failed"
        return whole(self, stacks)

    summary = run_local(SMALL, tmp_path)
    unlucky = summary.ranking()[0].number
    monkeypatch.setattr(Retraining, "_gather", gather)
    outcome = confirmed(SMALL, tmp_path)
    assert [failed.trial for failed in outcome.failed] == [unlucky]
    assert unlucky not in {candidate.trial for candidate in outcome.candidates}
    assert any("it failed" in line for line in confirmation_lines(outcome))
    assert "confirm" not in Ledger(Home(tmp_path).folder("small"), "small").attributes  # a worker lost is no outcome
    with pytest.raises(UserError, match="none of the 1 best configuration could be trained on fresh seeds"):
        confirmed(SMALL, tmp_path, top=1)


def test_study_that_is_missing_or_has_not_begun_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no study 'small'"):
        confirm(Home(tmp_path), "small", jobs=1, said=nobody)
    run_local(SMALL, tmp_path)
    with pytest.raises(UserError, match="has not started yet"):
        confirm(Home(tmp_path), "small", jobs=1, said=nobody)


def test_changed_data_are_refused(tmp_path: Path, home: Path) -> None:
    table = tmp_path / "t.csv"
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((120, 2))
    table.write_text("a,b,y\n" + "".join(f"{a:.3f},{b:.3f},{int(a > b)}\n" for a, b in rows))
    text = SMALL.replace('"synthetic:planar_flower"', '"t.csv"').replace("trials = 12", "trials = 2")
    (tmp_path / "s.toml").write_text(text)
    done = run_study("run", tmp_path / "s.toml", "--home", home, "--no-tracking", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    good = run_study("confirm", "small", "--top", 1, "--seeds", 2, "--home", home, cwd=elsewhere)
    assert good.returncode == 0, good.stderr
    table.write_text(table.read_text() + "1.0,0.0,1\n")
    bad = run_study("confirm", "small", "--top", 1, "--seeds", 3, "--home", home)
    assert bad.returncode == 2
    assert "'t.csv' has changed since study 'small' ran" in bad.stderr
    assert "study recheck small" in bad.stderr
