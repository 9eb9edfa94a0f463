"""Records as Python users see them: as a dictionary, in a line or two, and as a table in a notebook."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.command import run_study
from support.confirmed_study import nobody
from support.in_process import spec_with
from support.report_studies import confirmation, run_for_report

from study.evaluation.compare import compare
from study.evaluation.comparison import ComparedNetwork, ComparedPair, Comparison
from study.evaluation.confirm import confirm
from study.evaluation.recheck import recheck
from study.ledger.choice import Choice
from study.ledger.confirmation import Confirmation, Difference
from study.ledger.home import Home
from study.ledger.recheck import OldBest, Recheck, RecheckCandidate
from study.ledger.results import TrialRow
from study.model.final import Final
from study.model.final import TestEvaluation as Evaluation
from study.model.finalize import finalize
from study.planning.plan import make_plan
from study.text.cards import Card, CardTable, Interval
from study.text.colors import DARK, LIGHT
from study.text.records import Record, from_json, to_json


class Shown(HTMLParser):
    """What a card shows: its text, the cells of its tables, and the tags that it consists of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data


def shown(record: Record) -> Shown:
    return Shown(record._repr_html_())


SCORE = {
    "value": 0.9,
    "low": 0.88,
    "high": 0.92,
    "by_seed": (0.89, 0.91),
    "indistinguishable": True,
    "difference": Difference(estimate=0.0, low=0.0, high=0.0, p=1.0),
    "work": 2.0,
    "parameters": 1234,
    "seconds": 1.0,
}
EVIL = "<script>alert(1)</script>\x1b[31m"
RECHECK = Recheck(
    metric="accuracy",
    direction="maximize",
    part="dev",
    m=80,
    seeds=2,
    old_best=OldBest(name="trial-3", trial=3, value=0.9),
    holds=False,
    candidates=(
        RecheckCandidate(name="trial-3", trial=3, search_value=None, params={"depth": 0}, **{**SCORE, "value": 0.7}),
        RecheckCandidate(name="new-1", trial=1, search_value=None, params={"depth": 2}, **SCORE),
    ),
    winner="new-1",
    recommended="new-1",
    data=EVIL,
    same_data=False,
    trials=4,
    of="0",
)
EVALUATION = Evaluation(
    trial=3,
    setting={"activation": EVIL, "learning_rate": 0.1234567},
    metric="accuracy",
    value=0.91,
    low=0.88,
    high=0.94,
    metrics={"accuracy": 0.91, "auc": None},
    undefined={"auc": "only one class"},
    with_dev=False,
    m=80,
    at="2026-01-01T00:00:00",
    files={},
    dialect={},
)
FINAL = Final(
    EVIL,
    EVALUATION,
    2,
    Choice(3, 3, 3),
    0.93,
    (0.92, 0.9, 0.94),
    Path("final/model.skops"),
    (EVIL,),
    (0.93, 0.91, 0.95),
)
COMPARISON = Comparison(
    metric="rmse",
    direction="minimize",
    part="dev",
    m=80,
    seeds=1,
    networks="search",
    contenders=tuple(
        ComparedNetwork(
            label=label, study=EVIL, trial=1, value=1.5, low=1.0, high=2.0, by_seed=(1.5,), work=1.0, parameters=12
        )
        for label in ("1", f"{EVIL}:2")
    ),
    pairs=(
        ComparedPair(
            first="1",
            second=f"{EVIL}:2",
            estimate=-0.5,
            low=-1.0,
            high=0.0,
            p=0.03,
            p_holm=0.03,
            different=True,
            test="paired bootstrap",
            effect="RMSE 1.5 of 1 against 2 of 2",
        ),
    ),
    parameters={"activation": [EVIL, None], "learning_rate": [0.25, 0.1]},
    picture="x.svg",
)
ROW = TrialRow(7, "failed", {"activation": EVIL, "depth": 2}, None, 40, None, None, 1.5, reason=f"Traceback\n{EVIL}")
RECORDS: dict[str, Record] = {
    "confirmation": from_json(Confirmation, {**confirmation(4, 7), "of": "0"}),
    "recheck": RECHECK,
    "final": FINAL,
    "comparison": COMPARISON,
    "trial": ROW,
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_its_json_a_few_lines_and_escaped_tables(name: str) -> None:
    record = RECORDS[name]
    assert record.to_dict() == to_json(record)
    json.dumps(record.to_dict(), allow_nan=False)
    lines = repr(record).splitlines()
    assert 1 <= len(lines) <= 3
    assert all(len(line) < 200 for line in lines)
    html = record._repr_html_()
    assert "<script" not in html
    assert "\x1b" not in html
    page = Shown(html)
    assert page.tags <= {
        "div",
        "style",
        "p",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "path",
        "circle",
    }
    assert len(page.rows) >= 2
    if name != "confirmation":
        assert "<script>alert(1)</script>\\x1b[31m" in page.text


def test_a_confirmation_ranks_candidates_and_marks_the_recommended_one() -> None:
    record = RECORDS["confirmation"]
    assert repr(record).splitlines() == [
        "<Confirmation: trial 4, accuracy 0.8765 (0.8565 to 0.8965) on 3 fresh seeds and 80 dev examples",
        " not significantly different from trial 4: trial 7; recommended: trial 7>",
    ]
    rows = shown(record).rows
    assert rows[0] == ["trial", "in the search", "accuracy again", "95% interval", "", "p", "parameters"]
    assert [row[0] for row in rows[1:]] == ["trial 4", "trial 7 *"]
    assert rows[2][1:] == ["0.9100", "0.8321", "0.8121 to 0.8521", "", "0.210", "33"]
    assert record._repr_html_().count('<tr class="strong">') == 1


def test_a_recheck_says_whether_the_best_holds() -> None:
    assert "the old best, trial-3, is no longer the best on 2 fresh seeds and 80 dev examples" in repr(RECHECK)
    assert [row[0] for row in shown(RECHECK).rows] == ["trial", "new-1 *", "trial-3", "depth"]


def test_a_final_record_shows_the_test_score_beside_those_before_it() -> None:
    assert "accuracy 0.9100 (0.8800 to 0.9400) on 80 test examples; the test set has been opened 2 times" in repr(FINAL)
    rows = shown(FINAL).rows
    assert ["on test", "0.9100", "0.8800 to 0.9400"] in rows
    assert ["confirmed on fresh seeds, one network", "0.9200", "0.9000 to 0.9400"] in rows
    assert ["confirmed on fresh seeds, average of networks", "0.9300", "0.9100 to 0.9500"] in rows
    assert ["in the search, on dev", "0.9300", ""] in rows
    assert ["auc", "undefined: only one class"] in rows
    assert ["learning_rate", "0.1235"] in rows
    undefined = replace(FINAL, opening=replace(EVALUATION, metric="auc", value=None, low=None, high=None))
    assert "auc is undefined, only one class, on 80 test examples" in repr(undefined)
    assert list(FINAL.to_dict())[6] == "model"


def test_a_comparison_says_which_is_better() -> None:
    assert repr(COMPARISON).splitlines()[1].startswith(" trial 1 is better than <script>")
    rows = shown(COMPARISON).rows
    assert [
        "1 − <script>alert(1)</script>\\x1b[31m:2",
        "-0.5000",
        "-1.0000 to +0.0000",
        "0.030",
        "paired bootstrap",
    ] in rows
    assert rows[-1] == ["learning_rate", "0.25", "0.1"]


def test_a_trial_shows_its_configuration_and_why_it_failed() -> None:
    assert repr(ROW).startswith("<Trial 7: failed, 40 iterations\n ")
    assert "Traceback" not in repr(ROW)
    assert ["depth", "2"] in shown(ROW).rows
    complete = replace(ROW, state="complete", value=0.91234, reason=None, gap=-0.01, parameters=1500)
    assert repr(complete) == "<Trial 7: complete, 0.9123 on dev, 40 iterations>"
    assert ["train − dev", "-0.0100"] in shown(complete).rows


def test_cards_have_the_colors_of_the_report_on_light_and_dark_pages() -> None:
    html = Card(
        "a", tables=(CardTable([("x", Interval(1.0, 0.5, 2.0)), ("y", Interval(2.0, 2.0, 2.0))], ("", "")),)
    ).html()
    for page, colors in (("@media (prefers-color-scheme: dark)", DARK), ("body.vscode-light", LIGHT)):
        rule = html[html.index(page) :].split("}")[0]
        assert f"--ground: {colors['ground']};" in rule
        assert f"--complete: {colors['complete']};" in rule
    assert re.findall(r'd="M([\d.]+) 7.0H([\d.]+)"', html) == [("6.0", "114.0"), ("114.0", "114.0")]
    assert 'aria-label="0.5 to 2"' in html


def test_a_single_value_has_a_place_in_its_drawing() -> None:
    html = Card("a", tables=(CardTable([("x", Interval(1.0, 1.0, 1.0))], ("", "")),)).html()
    assert "nan" not in html


@pytest.mark.slow
def test_what_a_study_returns_is_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.cli.winner._sync", lambda *_: None)
    home = run_for_report(spec_with("trials = 5\npruner = 'none'"), tmp_path)

    def printed(*words: object) -> Any:
        done = run_study(*words, "--json", "--home", tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    options = {"top": 2, "seeds": 2, "jobs": 1}
    confirmed = confirm(home, "small", **options, said=nobody)
    assert confirmed.to_dict() == printed("confirm", "small", "--top", 2, "--seeds", 2, "--jobs", 1)
    assert confirmed.confirmed == confirmed.finalize == confirmed.winner
    assert compare(home, "small", ["0", "1"]).to_dict() == printed("compare", "small", 0, 1)
    rechecked = recheck(home, "small", trials=3, top=1, seeds=2, jobs=1, said=nobody)
    again = printed("recheck", "small", "--trials", 3, "--top", 1, "--seeds", 2, "--jobs", 1)
    assert rechecked.to_dict() == again
    final, again = finalize(home, "small").to_dict(), printed("finalize", "small", "--again")
    assert list(final) == list(again)
    assert final["opening"]["metrics"] == again["opening"]["metrics"]


@pytest.mark.slow
def test_a_plan_shows_the_space_and_the_time(spec: Path) -> None:
    plan = make_plan(spec, jobs=1)
    first, second = repr(plan).splitlines()
    assert re.match(r"<Plan of small: 12 trials, about \d+ seconds? with \d+ jobs?$", first)
    assert second.startswith(" synthetic:planar_flower: binary, target ")
    rows = dict(row for row in shown(plan).rows if len(row) == 2)
    assert rows["learning_rate"] == "0.01 to 2, log"
    assert rows["trials"].startswith("12; sampler tpe")
    assert plan.to_dict() == to_json(plan)


@pytest.mark.slow
def test_the_model_of_a_finalized_study_is_a_fitted_pipeline(finalized: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(finalized, tmp_path, dirs_exist_ok=True)
    final = finalize(Home(tmp_path / "home"), "table", again=True)
    rows = pd.read_csv(tmp_path / "table.csv").drop(columns="kind").iloc[:5]
    assert final.model is final.model
    assert final.model is not final.load_model()
    assert list(final.model.feature_names_in_) == ["height", "town"]
    assert list(final.model.classes_) == ["large", "small"]
    shares = final.model.predict_proba(rows)
    assert shares.shape == (5, 2)
    assert np.allclose(shares.sum(axis=1), 1)
    assert list(final.model.predict(rows)) == list(final.model.classes_[shares.argmax(axis=1)])
    final.model_path.unlink()
    assert len(final.model.predict(rows)) == 5
