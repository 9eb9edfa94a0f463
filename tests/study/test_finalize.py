"""The final model: trained once, judged once, and the same wherever it is asked."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.command import environment, run_study
from support.small_study import show
from support.studies import TABLE, write_table

from study.errors import UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import summarize
from study.model.finalize import finalize
from study.model.predict import predict_table


@pytest.fixture
def table(finalized: Path) -> Path:
    """A folder with a table, its spec, and `home`, in which the study has been run and finalized; not to be changed."""
    return finalized


def test_best_setting_is_scored_on_the_test_rows(table: Path) -> None:
    (opening,) = Ledger(Home(table / "home").folder("table"), "table").attributes["finalized"]
    assert opening["trial"] == show(table / "home", "table")["best"]["number"]
    assert opening["m"] == 40
    assert opening["low"] <= opening["value"] <= opening["high"]
    assert opening["metrics"]["accuracy"] == opening["value"] > 0.7


@pytest.mark.slow
def test_second_test_evaluation_must_be_asked_for_and_is_counted(table: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(table / "home", home)
    refused = run_study("finalize", "table", "--home", home)
    assert refused.returncode == 2
    assert "--again" in refused.stderr
    assert "Traceback" not in refused.stderr
    again = run_study("finalize", "table", "--home", home, "--again", "--train-only", "--json")
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert (told["times"], told["opening"]["with_dev"]) == (2, False)


def test_study_without_a_test_set_is_confirmed_and_not_finalized(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'name = "two_parts"\nbaselines.enabled = false\n[data]\nsource = "sklearn:iris"\nsplit = [0.7, 0.3]\n'
        "[space]\ndepth = 0\nlearning_rate = [0.1, 0.3]\niterations = 30\n"
        "[search]\ntrials = 2\nsampler = 'grid'\n[confirm]\ntop = 2\nseeds = 2\n"
    )
    home = ("--home", tmp_path / "home")
    run = run_study("run", spec, *home, "--no-tracking", "--jobs", 1)
    assert run.returncode == 0, run.stderr
    assert run_study("confirm", "two_parts", *home, "--jobs", 1).returncode == 0
    refused = run_study("finalize", "two_parts", *home)
    assert refused.returncode == 2
    assert "study 'two_parts' has no test set because [data] split has only two fractions" in refused.stderr


@pytest.mark.slow
def test_mlflow_is_left_as_it_was(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(table / "home", tmp_path / "home")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = f"study: {tmp_path / 'home'} was moved or copied; the paths of its artifacts in MLflow were updated\n"
    for told in (moved, ""):  # what the first one leaves behind, the second one would take for a setting
        done = run_study("finalize", "table", "--home", tmp_path / "home", "--again", cwd=elsewhere)
        assert (done.returncode, done.stderr) == (0, told)
    assert list(elsewhere.iterdir()) == []
    store, mine = f"sqlite:///{tmp_path}/home/mlflow.db", f"sqlite:///{tmp_path}/mine.db"
    assert mlflow.MlflowClient(store, store).get_model_version_by_alias("table", "champion").version == 3
    with monkeypatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", mine)
        assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == (mine, mine)


def test_a_trial_that_cannot_be_finalized_is_answered_in_a_line(table: Path) -> None:
    done = run_study("finalize", "table", "--home", table / "home", "--again", "--trial", 99)
    assert (done.returncode, done.stderr) == (
        2,
        "study: --trial 99: study 'table' has no trial 99; its trials are 0 to 3\n",
    )


@pytest.mark.slow
def test_predictions_are_those_of_the_registered_model(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    done = run_study("predict", "table", table / "table.csv", "--home", table / "home", "-o", out)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    ours = pd.read_parquet(out)
    assert list(ours.columns) == ["prediction", "probability_large", "probability_small"]
    assert np.allclose(ours["probability_large"] + ours["probability_small"], 1)
    code = f"""
import mlflow, pandas
mlflow.set_tracking_uri("sqlite:///{table}/home/mlflow.db")
model = mlflow.pyfunc.load_model("models:/table@champion")
cells = pandas.read_csv("{table}/table.csv").drop(columns="kind")
print(*model.predict(cells), sep=",")
"""
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert fresh.stdout.strip().split(",") == ours["prediction"].tolist()
    truth = pd.read_csv(table / "table.csv")["kind"]
    assert (ours["prediction"] == truth).mean() > 0.8


def test_columns_may_be_in_any_order_and_a_missing_one_is_named(table: Path, tmp_path: Path) -> None:
    cells = pd.read_csv(table / "table.csv")
    plain = run_study("predict", "table", table / "table.csv", "--home", table / "home")
    cells[["town", "height"]].assign(colour="red").to_csv(tmp_path / "turned.csv", index=False)
    turned = run_study("predict", "table", tmp_path / "turned.csv", "--home", table / "home")
    assert turned.stdout == plain.stdout
    assert "colour" in turned.stderr
    cells[["town"]].assign(heigth=1).to_csv(tmp_path / "less.csv", index=False)
    less = run_study("predict", "table", tmp_path / "less.csv", "--home", table / "home")
    assert less.returncode == 2
    assert "missing column 'height', which the model was trained on; did you mean 'heigth'?" in less.stderr


def test_without_a_model_the_command_that_makes_it_is_named(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    done = run_study("predict", "small", tmp_path / "a.csv", "--home", finished)
    assert done.returncode == 2
    assert "study finalize small" in done.stderr


@pytest.mark.slow
def test_unreadable_test_rows_fail_finalize_and_nothing_else(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    frame = pd.read_csv(tmp_path / "table.csv").drop(columns="town")
    frame.iloc[:150].to_csv(tmp_path / "table.csv", index=False)
    rest = frame.iloc[150:].assign(height=1e300)  # more than the network's numbers hold
    rest.to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "table.toml").write_text(TABLE.replace("[space]", 'test = "test.csv"\n[space]'))
    home = tmp_path / "home"
    spec = tmp_path / "table.toml"
    for command in (
        ("run", spec, "--jobs", 1, "--no-tracking"),
        ("show", "table"),
        ("confirm", "table", "--top", 2, "--seeds", 2, "--jobs", 1),
        ("compare", "table", 0, 1),
        ("recheck", "table", "--trials", 2, "--top", 1, "--seeds", 2, "--jobs", 1),
        ("report", "table"),
        ("sync", "table"),
    ):
        done = run_study(*command, "--home", home)
        assert done.returncode == 0, (command, done.stderr)
    done = run_study("finalize", "table", "--home", home)
    assert done.returncode == 2
    assert "'height' has values that are too large" in done.stderr
    assert "finalized" not in Ledger(Home(home).folder("table"), "table").attributes


class DiedError(BaseException):
    """The process died; nothing catches it, as nothing catches SIGKILL."""


@pytest.mark.slow
def test_model_belongs_to_the_record_whenever_finalize_dies(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = pd.read_csv(table / "table.csv")
    home = Home(tmp_path / "home")
    shutil.copytree(table / "home", home.path)

    def recorded() -> int:
        return int(Ledger(home.folder("table"), "table").attributes["finalized"][-1]["trial"])

    def answers() -> list[float]:
        return list(predict_table(home, "table", cells)["probability_large"])

    known = {recorded(): answers()}
    other = next(row.number for row in summarize(home, "table").ranking() if row.number not in known)
    shutil.copytree(home.path, tmp_path / "kept")
    finalize(home, "table", trial=other, again=True)
    known[other] = answers()
    assert len({tuple(each) for each in known.values()}) == 2
    assert len(list(home.folder("table").final.iterdir())) == 2  # a model, and its example

    fsync, seen = os.fsync, set()
    for deaths in range(100):
        shutil.rmtree(home.path)
        shutil.copytree(tmp_path / "kept", home.path)
        left = iter(range(deaths))

        def die(fd: int, left: Iterator[int] = left) -> None:
            fsync(fd)
            if next(left, None) is None:
                raise DiedError

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", die)
            try:
                finalize(home, "table", trial=other, again=True)
                break
            except DiedError:
                pass
        seen.add(recorded())
        assert answers() == known[recorded()]
        finalize(home, "table", trial=other, again=True)
        assert answers() == known[other]
    assert deaths > 4
    assert seen == set(known)


def test_test_set_is_recorded_as_being_opened_before_it_is(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    (home.studies / "table").mkdir(parents=True)
    lines = (table / "home/studies/table/ledger.log").read_text().splitlines(keepends=True)
    begun = next(number for number, line in enumerate(lines) if '"user_attr":{"opening"' in line)
    (home.studies / "table/ledger.log").write_text("".join(lines[:begun]))

    def die(*_: object, **__: object) -> None:
        raise DiedError

    with monkeypatch.context() as patched:
        patched.setattr("study.model.finalize.open_test", die)
        with pytest.raises(DiedError):
            finalize(home, "table")
    with pytest.raises(UserError, match="has no final model yet"):
        predict_table(home, "table", pd.read_csv(table / "table.csv"))
    best, other = (row.number for row in summarize(home, "table").ranking()[:2])
    with pytest.raises(
        UserError, match=f"was interrupted on .*; rerun with --trial {best} --networks 10 to finish it, or use --again"
    ):
        finalize(home, "table", trial=other)
    assert finalize(home, "table").times == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "other", "gone", "empty"])
def test_model_that_was_changed_is_refused_in_a_line(table: Path, tmp_path: Path, damage: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(table / "home/studies", home / "studies")
    (model,) = (home / "studies/table/final").glob("model-*.skops")
    whole = model.read_bytes()
    changed = {"flip": whole[:-9] + b"x" + whole[-8:], "cut": whole[:-100], "other": b"PK\x05\x06", "empty": b""}
    if damage == "gone":
        model.unlink()
    else:
        model.write_bytes(changed[damage])
    done = run_study("predict", "table", table / "table.csv", "--home", home)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    why = "file not found" if damage == "gone" else "the file has changed since it was saved"
    assert f"study: {model}: {why}" in done.stderr


def test_champion_is_the_model_of_the_last_test_evaluation(table: Path) -> None:
    store = f"sqlite:///{table}/home/mlflow.db"
    client = mlflow.MlflowClient(store, store)
    version = client.get_model_version_by_alias("table", "champion")
    assert version.tags["study.trial"] == str(show(table / "home", "table")["best"]["number"])
    (parent,) = (r for r in client.search_runs(["1"]) if "study.trial_uid" not in r.data.tags)
    assert parent.data.metrics["test_accuracy"] > 0.7
