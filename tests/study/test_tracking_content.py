"""What a trial's run in MLflow is given: few charts, single networks in sections, and the rest in a file."""

import csv
from pathlib import Path

import pytest
from support.in_process import run_local, spec_with

from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.trial_artifact import find_result
from study.spec import parse_spec
from study.tracking.trial_run import RunContent, TrialDescriber
from study.tracking.views import page_address

MEANS = {"cost", "dev_cost", *(f"dev_{name}" for name in ("accuracy", "balanced_accuracy", "f1", "auc", "log_loss"))}


def content_of(text: str, folder: Path) -> RunContent:
    best = run_local(text, folder).best
    assert best is not None
    place = Home(folder).folder("small")
    trial = Ledger(place, "small").trials()[best.number]
    describer = TrialDescriber("small", "u", parse_spec(text, ""), "accuracy")
    return describer.finished(trial, find_result(place.result(best.number), best.fingerprint))


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        (spec_with("trials = 2"), []),
        (spec_with("trials = 2", data="folds = 3"), ["fold_0", "fold_1", "fold_2"]),
        (spec_with("trials = 2\nseeds = 2"), ["seed_0", "seed_1"]),
    ],
    ids=["one network", "folds", "seeds"],
)
def test_single_networks_have_a_section_each_and_the_file_has_all(
    tmp_path: Path, text: str, sections: list[str]
) -> None:
    content = content_of(text, tmp_path)
    charts = {name for name, _, _ in content.points}
    # Folds have a cost each; their predictions are scored together.
    each = ("dev_cost",) if "folds" in text else ("dev_cost", "dev_accuracy")
    of_networks = {f"{section}/{name}" for section in sections for name in each}
    assert charts == MEANS | {"train_accuracy", "seconds", "work", "parameters"} | of_networks
    rows = list(csv.DictReader(content.files["metrics.csv"].decode().splitlines()))
    assert [*rows[0]] == ["metric", "mean", *sections]
    assert {row["metric"] for row in rows} >= MEANS | {"train_f1", "train_log_loss"}
    values = {name: value for name, value, _ in content.points}
    for name in each:
        (of_name,) = (row for row in rows if row["metric"] == name)
        for section in sections:
            assert float(of_name[section]) == values[f"{section}/{name}"]


def test_the_address_of_a_study_opens_it_as_machine_learning() -> None:
    address = page_address("http://127.0.0.1:5000/", "7", "a study")
    assert address.endswith("/#/experiments/7/runs?viewStateShareKey=a%20study&workflowType=machine_learning")
