"""Studies from Python: what a notebook reads, and what importing costs."""

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from support.small_study import show

from study import Study
from study.api.progress_line import Terminal
from study.cli.terminal import leaderboard
from study.errors import UserError
from study.ledger.home import Home
from study.ledger.results import summarize
from study.tracking.store import tracking_uri


def test_a_finished_study_is_read(finished: Path) -> None:
    study = Study.load("small", finished)
    told = show(finished)
    assert (study.name, study.state) == ("small", "complete")
    trials = study.trials_dataframe()
    assert [trial.number for trial in study.trials] == list(trials.index)
    assert list(trials.index) == [trial["number"] for trial in told["trials"]]
    assert list(trials["fingerprint"]) == [trial["fingerprint"] for trial in told["trials"]]
    best = study.best_trial
    assert best.number == told["best"]["number"]
    assert trials.loc[best.number, "params_learning_rate"] == study.best_params["learning_rate"]
    assert trials.loc[best.number, "train_accuracy"] - study.best_value == pytest.approx(trials.loc[best.number, "gap"])
    assert study.curve(best.number).shape == (best.iterations,)
    assert study.optuna_study.best_value == study.best_value
    html = study._repr_html_()
    assert "<b>small</b>: complete, 12 of 12 trials" in html
    assert f"<th>{best.number}</th>" in html


@pytest.fixture
def untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to MLflow, which is not the point."""
    monkeypatch.setattr("study.tracking.exporter.make_exporter", lambda *_: nullcontext())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """Standard output is that of a terminal."""
    monkeypatch.setattr("study.api.progress_line.find_output", Terminal)
    return capsys


@pytest.mark.usefixtures("untracked")
def test_a_study_is_run_and_says_how_it_goes(spec: Path, home: Path, terminal: pytest.CaptureFixture[str]) -> None:
    study = Study.from_toml(spec, home)
    assert study.state == "new"
    assert "new" in study._repr_html_()
    assert study.run(n_jobs=1, n_trials=3) is study
    assert "\r3/3 trials, best dev accuracy" in terminal.readouterr().out
    assert study.state == "complete"
    study.run(n_jobs=1, n_trials=4, show_progress=False)
    assert terminal.readouterr().out == ""
    assert len(study.trials) == 4


@pytest.mark.usefixtures("untracked")
def test_an_interrupted_run_says_that_the_same_call_goes_on(
    spec: Path, home: Path, terminal: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.from_toml(spec, home)
    study.run(n_jobs=1, n_trials=2, show_progress=False)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("study.search.coordinator.Search.run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.run(n_jobs=1)
    assert terminal.readouterr().out.endswith(
        "2 of 12 trials have finished and are saved; call run() again to resume.\n"
    )
    best = study.best_value
    study.run(n_jobs=1, n_trials=3)
    assert f"3/3 trials, best dev accuracy {max(best, study.trials[2].value or 0):.4f}" in terminal.readouterr().out


@pytest.fixture
def table(finalized: Path, tmp_path: Path) -> Study:
    """A study of a table that has been finalized."""
    shutil.copytree(finalized, tmp_path, dirs_exist_ok=True)
    return Study.load("table", tmp_path / "home")


@pytest.mark.slow
def test_settings_are_confirmed_compared_and_finalized(
    table: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = table.confirm(top=2, seeds=3, n_jobs=1, show_progress=False)
    assert capsys.readouterr().out == ""
    assert len(outcome.candidates) == 2
    compared = table.compare(0, 1, picture=tmp_path / "curves.svg")
    assert [each.label for each in compared.contenders] == ["0", "1"]
    assert (tmp_path / "curves.svg").exists()
    with pytest.raises(UserError, match=r"finalize\(again=True\)"):
        table.finalize()
    assert table.finalize(again=True).opening.trial == outcome.winner
    store = tracking_uri(table.home)
    assert MlflowClient(store, store).get_model_version_by_alias("table", "champion").version == 2
    assert not {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID"} & set(os.environ)
    assert "table" in table.report(tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_rows_of_a_frame_are_predicted_as_those_of_the_file(table: Study, tmp_path: Path) -> None:
    rows = pd.read_csv(tmp_path / "table.csv").drop(columns="kind").iloc[5:9]
    told = table.predict(rows)
    assert list(told.index) == [5, 6, 7, 8]
    pd.testing.assert_frame_equal(told, table.predict(tmp_path / "table.csv").iloc[5:9], rtol=1e-5)
    with pytest.raises(UserError, match="the table: missing column 'height'"):
        table.predict(rows[["town"]])


@pytest.mark.slow
def test_the_final_model_is_evaluated_on_rows_with_labels(table: Study, tmp_path: Path) -> None:
    frame = pd.read_csv(tmp_path / "table.csv")
    found = table.evaluate(frame)
    predicted = table.predict(frame)["prediction"]
    assert (found.metric, found.m) == ("accuracy", len(frame))
    assert found.value == found.metrics["accuracy"] == pytest.approx((predicted == frame["kind"]).mean())
    assert table.evaluate(tmp_path / "table.csv") == found
    assert table.evaluate(frame.assign(kind=frame["kind"].where(frame.index > 9))).m == len(frame) - 10
    with pytest.raises(UserError, match="the table: target column 'kind' not found"):
        table.evaluate(frame.drop(columns="kind"))
    with pytest.raises(UserError, match="classes that train does not have: 'huge'"):
        table.evaluate(frame.assign(kind="huge"))


def test_html_shows_names_as_text(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.load("small", finished)
    trials = study.trials_dataframe().assign(params_activation=["<i>tanh</i>", "<i>relu</i>"] * 6)
    monkeypatch.setattr(Study, "trials_dataframe", lambda _: trials)
    html = study._repr_html_()
    assert "<i>" not in html
    assert "&lt;i&gt;" in html


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda home: Study.load("smal", home), "did you mean 'small'?"),
        (lambda home: Study.from_toml("nowhere.toml", home), "nowhere.toml: no such file"),
        (lambda home: Study.load("small", home).curve(99), "study 'small' has no trial 99; its trials are 0 to 11"),
        (lambda home: Study("nowhere.csv", "y", home=home), "not found"),
        (lambda home: Study.from_toml(home.parent / "small.toml", home / "new").best_params, "no complete trial yet"),
    ],
)
def test_mistakes_are_answered(finished: Path, ask: object, words: str) -> None:
    with pytest.raises(UserError) as caught:
        ask(finished)  # type: ignore[operator]
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["n_jobs", "n_trials"])
def test_numbers_out_of_range_are_refused(finished: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Study.from_toml(finished.parent / "small.toml", finished).run(**{name: 0})


def test_old_names_go_on_with_a_warning(finished: Path) -> None:
    study = Study.load("small", finished)
    with pytest.warns(DeprecationWarning, match="best is deprecated; use best_trial"):
        assert study.best == study.best_trial
    with pytest.warns(DeprecationWarning, match=r"trials\(\) is deprecated; use trials_dataframe\(\)"):
        pd.testing.assert_frame_equal(study.trials(), study.trials_dataframe())
    with (
        pytest.warns(DeprecationWarning, match="quiet= is deprecated; use show_progress="),
        pytest.warns(DeprecationWarning, match="jobs= is deprecated; use n_jobs="),
        pytest.raises(ValueError, match="n_jobs must be at least 1, got 0"),
    ):
        study.run(jobs=0, quiet=True)


def test_a_study_is_read_once_until_it_is_refreshed(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "home")
    study = Study.load("small", tmp_path / "home")
    assert len(study.trials) == 12
    shutil.rmtree(tmp_path / "home")
    assert study.best_params["depth"] in (0, 1, 2)
    with pytest.raises(UserError, match="study 'small' has not run yet"):
        study.refresh().summary  # noqa: B018 - reading it is the point


@pytest.mark.parametrize("module", ["study", "engine.training_chunk", "study.execution"])
def test_workers_import_neither_optuna_nor_mlflow(module: str) -> None:
    code = f"import sys, study, {module}; print(sorted({{'optuna', 'mlflow', 'pandas', 'sklearn'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_leaderboard_names_what_does_not_fit(finished: Path) -> None:
    summary = summarize(Home(finished), "small")
    whole = leaderboard(summary, 200)
    narrow = leaderboard(summary, 40)
    assert whole.caption is None
    assert len(narrow.columns) < len(whole.columns)
    assert "not shown" in str(narrow.caption)
