"""Baselines of a study: fitted once, whatever happens to it, shown wherever its trials are, and compared with them."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlflow
import numpy as np
import pytest
from support.baselines import WITH_BASELINES, baselines_of
from support.command import run_study
from support.in_process import local_session, spec_with
from support.killing import kill_at_each_step
from support.small_study import SMALL, fingerprints, show

from engine import baselines as engine_baselines
from engine import register_metric
from engine.baselines import BaselineFit, BaselineOutcome
from engine.metrics import METRICS
from study import Study
from study.evaluation import baselines
from study.evaluation.baseline_comparison import paired_difference
from study.evaluation.baselines import plan_baselines
from study.execution import Workers
from study.ledger.baselines import NAMES, BaselineComparison

CONFIRM = "\n[confirm]\ntop = 2\nseeds = 3\n"


def run(folder: Path, text: str = WITH_BASELINES, *more: object, jobs: int = 1) -> Any:
    path = folder / "small.toml"
    path.write_text(text)
    return run_study("run", path, "--home", folder / "home", "--no-tracking", "--jobs", jobs, *more)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study with baselines that was confirmed, with one job; tests do not change it."""
    folder = tmp_path_factory.mktemp("compared")
    done = run(folder, WITH_BASELINES + CONFIRM)
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def test_study_has_each_baseline_once_with_metrics_on_dev(compared: Path) -> None:
    found = baselines_of(compared / "home")
    assert tuple(found) == NAMES
    assert [each["title"] for each in found.values()] == [
        "most frequent class",
        "logistic regression",
        "random forest",
        "gradient boosting",
    ]
    for each in found.values():
        assert each["reason"] is None
        assert each["value"] == each["metrics"]["accuracy"]
        assert set(each["metrics"]) == {"accuracy", "balanced_accuracy", "f1", "auc", "log_loss"}
    assert found["constant"]["value"] < 0.7 < found["forest"]["value"]


def test_rows_and_the_sentence_are_printed_and_in_the_report(compared: Path, tmp_path: Path) -> None:
    shown = run_study("show", "small", "--home", compared / "home").stdout
    markdown = tmp_path / "report.md"
    assert run_study("report", "small", "--home", compared / "home", "--markdown", "-o", markdown).returncode == 0
    page = tmp_path / "report.html"
    assert run_study("report", "small", "--home", compared / "home", "-o", page).returncode == 0
    for text in ((compared / "printed.txt").read_text(), shown, markdown.read_text(), page.read_text()):
        assert "gradient boosting" in text
        assert "the best baseline, " in text
    assert "| random forest | " in markdown.read_text()


def test_comparison_is_that_of_the_confirmed_network_with_the_best_baseline(compared: Path) -> None:
    told = show(compared / "home")
    found = told["against_baselines"]
    best = max(told["baselines"], key=lambda each: each["value"])
    (confirmed,) = [each for each in told["confirm"]["candidates"] if each["trial"] == told["confirm"]["winner"]]
    assert (found["trial"], found["confirmed"], found["seeds"]) == (told["confirm"]["winner"], True, 3)
    assert (found["baseline"], found["baseline_value"]) == (best["name"], pytest.approx(best["value"]))
    average = confirmed["average"]["value"]  # of the networks, as in the final model
    assert (found["averaged"], found["value"]) == (True, pytest.approx(average))
    assert found["estimate"] == pytest.approx(average - best["value"])


def test_python_gets_the_same_records(compared: Path) -> None:
    study = Study.from_toml(compared / "small.toml", home=compared / "home")
    assert [each.name for each in study.summary.baselines] == list(NAMES)
    forest = study.summary.baselines[2]
    assert repr(forest) == f"<Baseline: random forest, {forest.value:.4g} on dev>"
    assert "balanced_accuracy" in forest._repr_html_()
    html = study._repr_html_()
    assert "random forest" in html
    assert "the best baseline, " in html


@pytest.mark.slow
def test_two_workers_give_the_same_baselines_and_trials(compared: Path, tmp_path: Path) -> None:
    assert run(tmp_path, WITH_BASELINES + CONFIRM, jobs=2).returncode == 0
    assert baselines_of(tmp_path / "home") == baselines_of(compared / "home")
    assert fingerprints(tmp_path / "home") == fingerprints(compared / "home")
    assert show(tmp_path / "home")["against_baselines"] == show(compared / "home")["against_baselines"]


def test_baselines_do_not_change_the_trials(compared: Path, tmp_path: Path) -> None:
    assert run(tmp_path, SMALL.replace("trials = 12", "trials = 6")).returncode == 0
    assert fingerprints(tmp_path / "home") == fingerprints(compared / "home")


def test_study_that_has_them_off_goes_on_and_gets_them_once_they_are_on(compared: Path, tmp_path: Path) -> None:
    off = WITH_BASELINES.replace("[data]", "[baselines]\nenabled = false\n[data]", 1)
    assert run(tmp_path, off).returncode == 0
    told = show(tmp_path / "home")
    assert (told["baselines"], told["against_baselines"]) == ([], None)
    assert "baseline" not in run_study("show", "small", "--home", tmp_path / "home").stdout
    assert run(tmp_path).returncode == 0
    assert baselines_of(tmp_path / "home") == baselines_of(compared / "home")
    found = show(tmp_path / "home")["against_baselines"]
    assert (found["confirmed"], found["seeds"]) == (False, 1)


def test_run_that_dies_keeps_what_was_fitted_and_the_next_fits_the_rest(compared: Path, tmp_path: Path) -> None:
    record = baselines.store_baseline

    def die(ledger: Any, baseline: Any) -> None:
        if baseline.name == "forest":
            raise KeyboardInterrupt
        record(ledger, baseline)

    with patch.object(baselines, "store_baseline", die):
        assert run(tmp_path).returncode != 0
    assert list(baselines_of(tmp_path / "home")) == ["constant", "linear"]
    fitted = []
    fit = BaselineFit.run

    def counted(self: BaselineFit, packed: Any = None) -> BaselineOutcome:
        fitted.append(self.name)
        return fit(self, packed)

    with patch.object(BaselineFit, "run", counted):
        assert run(tmp_path).returncode == 0
        assert run(tmp_path).returncode == 0
    assert fitted == ["forest", "boosting"]
    assert baselines_of(tmp_path / "home") == baselines_of(compared / "home")


@pytest.mark.faults
@pytest.mark.slow
def test_run_killed_anywhere_among_them_is_completed_by_the_next(compared: Path, tmp_path: Path) -> None:
    off = WITH_BASELINES.replace("[data]", "[baselines]\nenabled = false\n[data]", 1)
    assert run(tmp_path, off).returncode == 0
    (tmp_path / "small.toml").write_text(WITH_BASELINES)
    home, before = tmp_path / "home", tmp_path / "before"
    shutil.copytree(home, before)
    kills = 0
    for _ in kill_at_each_step(partial(run, tmp_path), home, every=16):
        kills += 1
        partly = baselines_of(home)
        assert partly == {name: each for name, each in baselines_of(compared / "home").items() if name in partly}
        assert run(tmp_path).returncode == 0
        assert baselines_of(home) == baselines_of(compared / "home")
        shutil.rmtree(home)
        shutil.copytree(before, home)
    assert kills > 1


def test_own_metric_is_measured_for_baselines_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))
    register_metric(
        lambda y_true, y_pred: float((y_true != y_pred).mean()),
        name="mistakes",
        direction="minimize",
        task="classification",
    )
    assert run(tmp_path, spec_with('metric = "mistakes"\ntrials = 2', text=WITH_BASELINES)).returncode == 0
    for each in baselines_of(tmp_path / "home").values():
        assert each["value"] == each["metrics"]["mistakes"] == pytest.approx(1 - each["metrics"]["accuracy"])
    assert show(tmp_path / "home")["against_baselines"]["direction"] == "minimize"


def test_model_that_raises_is_a_row_with_a_reason(tmp_path: Path) -> None:
    make = engine_baselines.make_model

    def made(name: str, **how: Any) -> Any:
        if name == "linear":
            raise ValueError("no such luck")
        return make(name, **how)

    with patch.object(engine_baselines, "make_model", made):
        done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    found = baselines_of(tmp_path / "home")["linear"]
    assert (found["value"], found["reason"], found["fingerprint"]) == (None, "ValueError: no such luck", None)
    assert "baseline logistic regression: ValueError: no such luck" in done.stdout + done.stderr
    assert "ValueError: no such luck" in run_study("show", "small", "--home", tmp_path / "home").stdout
    assert show(tmp_path / "home")["against_baselines"] is not None


def test_workers_without_sklearn_leave_the_fit_to_the_coordinator(compared: Path, tmp_path: Path) -> None:
    session = local_session(WITH_BASELINES, tmp_path)
    with session.writing(), Workers(1) as workers:
        session.objective.write_data()
        with patch.object(Workers, "results", return_value=[BaselineOutcome("linear", unavailable=True)]):
            found = baselines.fit_baseline(session.objective, workers, "linear", session.folder.data)
    assert found.metrics["accuracy"] == baselines_of(compared / "home")["linear"]["value"]


@pytest.mark.slow
def test_mlflow_has_each_baseline_once_apart_from_the_trials(compared: Path, tmp_path: Path, empty_store: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(compared / "home", home)
    shutil.copy(empty_store, home / "mlflow.db")
    for _ in range(2):
        assert run_study("sync", "small", "--home", home).returncode == 0
    client = mlflow.MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiment = client.get_experiment_by_name("small")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run_ for run_ in runs if _is_parent(run_)]
    found = {run_.data.tags["study.baseline"]: run_ for run_ in runs if "study.baseline" in run_.data.tags}
    assert len(runs) == 1 + 6 + 4
    told = {each["title"]: each for each in show(home)["baselines"]}
    assert set(found) == set(told)
    for title, run_ in found.items():
        assert run_.info.status == "FINISHED"
        assert run_.info.run_id == told[title]["run_id"]
        assert run_.data.metrics["dev_accuracy"] == pytest.approx(told[title]["value"])
        assert run_.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert "study.trial_uid" not in run_.data.tags
    client.create_run(experiment.experiment_id, tags=found["random forest"].data.tags)  # of a reply that was lost
    (home / "studies" / "small" / "exports.json").unlink()
    assert run_study("sync", "small", "--home", home).returncode == 0
    assert len(client.search_runs([experiment.experiment_id])) == 1 + 6 + 4


def _is_parent(run_: Any) -> bool:
    return not {"study.trial_uid", "study.baseline_uid"} & set(run_.data.tags)


@pytest.mark.slow
def test_confirm_split_decides_about_baselines_too(tmp_path: Path) -> None:
    text = spec_with(data="split = [0.5, 0.2, 0.3]\nconfirm = 0.1", text=WITH_BASELINES) + CONFIRM
    done = run(tmp_path, text)
    assert done.returncode == 0, done.stderr
    told = show(tmp_path / "home")
    assert told["against_baselines"]["part"] == "confirm"
    assert told["against_baselines"]["m"] == told["confirm"]["m"]
    assert "examples set aside" in done.stdout


def test_baselines_get_the_standard_encoding(compared: Path, tmp_path: Path) -> None:
    """Whether the space has it or not, and wherever its data is."""
    expected = {name: each["value"] for name, each in baselines_of(compared / "home").items()}
    for space in ('encoding = ["ple", "standard"]\nbins = 3', 'encoding = "ple"'):
        session = local_session(spec_with(space=space, text=WITH_BASELINES), tmp_path / space[-3:])
        with session.writing(), Workers(1) as workers:
            session.objective.write_data()
            found = {
                name: baselines.fit_baseline(session.objective, workers, name, session.folder.data) for name in NAMES
            }
        assert {name: each.metrics["accuracy"] for name, each in found.items()} == expected
    assert session.objective.dataset.n_x > 2


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
@pytest.mark.parametrize("seeds", [1, 5])
@pytest.mark.parametrize(("effect", "outcome"), [(0.3, "better"), (0.0, "same"), (-0.3, "worse")])
def test_outcome_of_simulated_networks(metric: str, seeds: int, effect: float, outcome: str) -> None:
    rng = np.random.default_rng(0)
    if metric == "accuracy":
        networks, baseline = (rng.random((S, 400)) < p for S, p in ((seeds, 0.6 + effect), (1, 0.6)))
    else:
        shared = rng.exponential(size=400)
        networks, baseline = shared + rng.normal(0, 0.1, (seeds, 400)) - effect, shared[None]
    difference = paired_difference(metric, networks.astype(float), baseline.astype(float), 1 / 400)
    sign = 1 if METRICS[metric].direction == "maximize" else -1
    assert (difference.p < 0.05) == (outcome != "same")
    if outcome != "same":
        assert (sign * difference.estimate > 0) == (outcome == "better")


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (
            "better",
            "Trial 7 is better than the best baseline, gradient boosting "
            "(accuracy 0.9000, mean of 5 networks, against 0.8500 on 200 dev examples, p = 0.010).",
        ),
        ("same", "Trial 7 is not significantly different from the best baseline, gradient boosting "),
        ("worse", ": gradient boosting is the better choice for this table."),
    ],
)
def test_sentence_says_which_model_to_choose(outcome: Any, sentence: str) -> None:
    found = BaselineComparison(
        trial=7,
        confirmed=True,
        baseline="boosting",
        title="gradient boosting",
        metric="accuracy",
        direction="maximize",
        part="dev",
        m=200,
        seeds=5,
        value=0.9,
        baseline_value=0.85,
        estimate=0.05,
        low=0.01,
        high=0.09,
        p=0.01,
        outcome=outcome,
        of="",
    )
    assert sentence in found.sentence("accuracy")


def test_cost_is_bounded_by_the_work_of_the_search(tmp_path: Path) -> None:
    digits = spec_with(data='source = "sklearn:digits"', text=WITH_BASELINES)
    planned = {each.name: each for each in plan_baselines(local_session(digits, tmp_path).objective)}
    assert planned["boosting"].rounds < 100
    assert (
        planned["boosting"].note
        == f"{planned['boosting'].rounds} boosting iterations instead of 100, to limit the cost"
    )
    assert planned["boosting"].units <= baselines.LEAST_WORK
    assert planned["forest"].note is None
    longer = spec_with(search="trials = 100000", data='source = "sklearn:digits"', text=WITH_BASELINES)
    assert {each.rounds for each in plan_baselines(local_session(longer, tmp_path).objective)} == {100}
    with patch.object(baselines, "LEAST_WORK", 0.1):
        planned = {each.name: each for each in plan_baselines(local_session(digits, tmp_path).objective)}
    assert (
        planned["boosting"].left_out
        == "left out, since even 10 boosting iterations would cost too much beside the search"
    )


def test_plan_names_them_with_their_cost(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(WITH_BASELINES)
    done = run_study("plan", path)
    assert "most frequent class, logistic regression, random forest, gradient boosting" in done.stdout
    assert "of which baselines take" in done.stdout
    told = json.loads(run_study("plan", path, "--json").stdout)
    assert [each["name"] for each in told["baselines"]] == list(NAMES)
    path.write_text(SMALL)
    assert "off, set in the spec" in run_study("plan", path).stdout
