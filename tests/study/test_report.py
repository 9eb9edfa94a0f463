"""The report: its figures are those of the ledger, for every kind of study, and nothing in it can act up."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import run_study
from support.in_process import run_local, spec_with
from support.report_studies import confirmation, opening, run_for_report, times
from support.small_study import show

import study.data
from study.data import loading
from study.ledger.home import Home
from study.ledger.results import summarize
from study.report import report_answer, write_report
from study.report.facts import describe_facts, gather
from study.report.page import as_html, as_markdown
from study.text.records import to_json

VOID = {"meta", "link", "br", "img", "path"}


class Page(HTMLParser):
    """A page taken apart: its elements, the text of each section, the cells of each table; tags must close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.text.append(data)
        if "td" in self.open or ("tr" in self.open and "th" in self.open):
            self.rows[-1][-1] += data

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.text).split())


def embedded(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="study-json">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A study of two features and two classes, with pruned trials."""
    return run_for_report(spec_with("trials = 30"), tmp_path_factory.mktemp("plane"), description="A flower")


def test_figures_in_the_report_are_those_of_show(finished: Path) -> None:
    told = show(finished)
    path = write_report(Home(finished), "small", finished.parent / "figures.html")
    text = path.read_text(encoding="utf-8")
    assert embedded(text) == told
    rows = {row[0]: row for row in Page(text).rows if len(row) > 5}
    best = told["best"]
    assert rows[str(best["number"])][2] == f"{best['value']:.4g}"
    everyone = [row for row in Page(text).rows if len(row) > 5 and row[1] in ("complete", "pruned", "failed")]
    assert [(row[0], row[1], row[2], row[3]) for row in everyone] == [
        (
            str(trial["number"]),
            trial["state"],
            "" if trial["value"] is None else f"{trial['value']:.4g}",
            "" if trial["gap"] is None else f"{trial['gap']:+.4f}",
        )
        for trial in told["trials"]
    ]


@pytest.mark.slow
def test_the_same_study_gives_the_same_bytes(plane: Home, tmp_path: Path) -> None:
    first = write_report(plane, "small", tmp_path / "first.html").read_bytes()
    assert write_report(plane, "small", tmp_path / "second.html").read_bytes() == first
    markdown = write_report(plane, "small", tmp_path / "first.md", markdown=True).read_bytes()
    assert write_report(plane, "small", tmp_path / "second.md", markdown=True).read_bytes() == markdown


@pytest.mark.slow
def test_the_page_has_every_section_and_says_what_pictures_show(plane: Home) -> None:
    text = as_html(gather(plane, "small"))
    page = Page(text)
    best = gather(plane, "small").main
    headings = {
        "Result",
        "Leaderboard",
        "Cost curves",
        "Hyperparameters",
        f"Trial {best} on dev",
        "The search",
        "Data",
    }
    assert headings <= set(page.text)
    for part in (
        "Importance",
        "Parallel coordinates",
        "Decision boundary",
        "Pruning and failures",
        "Work and time",
        "Reproduce",
    ):
        assert part in page.text
    pictures = [attributes for tag, attributes in page.attributes if tag == "svg" and attributes.get("role") == "img"]
    assert len(pictures) > 8
    assert all(attributes["aria-label"] for attributes in pictures)
    ids = [attributes["id"] for _, attributes in page.attributes if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert not re.search(r' d="[^"]*(nan|inf)', text)
    assert "study run small.toml" in page.said
    assert 'source = "synthetic:planar_flower"' in page.said


def test_nothing_in_the_page_is_fetched(plane: Home) -> None:
    for tag, attributes in Page(as_html(gather(plane, "small"))).attributes:
        for name in ("src", "href", "action", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)


@pytest.mark.slow
def test_the_confusion_matrix_adds_up_to_the_accuracy(plane: Home) -> None:
    facts = gather(plane, "small")
    assert facts.winner is not None
    assert facts.winner.confusion is not None
    assert facts.summary.best is not None
    assert np.trace(facts.winner.confusion) / facts.winner.confusion.sum() == facts.summary.best.value
    assert list(facts.winner.confusion.sum(axis=1)) == list(np.bincount(facts.dataset.dev.Y[0].astype(int)))  # type: ignore[union-attr]


def test_the_ground_of_the_boundary_is_what_the_network_answers(plane: Home) -> None:
    winner = gather(plane, "small").winner
    assert winner is not None
    ground = winner.plane
    assert ground is not None
    rows, columns = ground.levels.shape
    across = ((ground.x - ground.low[0]) / (ground.high[0] - ground.low[0]) * columns).astype(int)
    up = ((ground.y - ground.low[1]) / (ground.high[1] - ground.low[1]) * rows).astype(int)
    answered = np.where(ground.wrong, 1 - ground.group, ground.group)
    # A cell has one answer, an example near the boundary may lie on its other side.
    assert np.mean(ground.levels[up, across] == answered) > 0.95
    assert 0 < np.mean(ground.levels) < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("search", "data", "space", "words"),
    [
        (
            'trials = 12\nmetric = "rmse"',
            'source = "synthetic:house_price"',
            "",
            ["has the best RMSE", "predicted price"],
        ),
        (
            "trials = 6\nseeds = 3",
            'source = "sklearn:wine"',
            "",
            ["3 networks; 108 dev examples", "has the best accuracy"],
        ),
        (
            "trials = 6",
            'source = "sklearn:iris"\nfolds = 3',
            "",
            ["3 networks; 120 dev examples", "With 120 dev examples, differences of"],
        ),
        (
            'trials = 12\nmetric = ["accuracy", "parameters"]',
            "",
            "",
            ["The best trade-offs between accuracy and parameters: "],
        ),
        (
            'trials = 3\nmetric = "rmse"',
            'source = "synthetic:house_price"',
            'learning_rate = 1e9\nactivation = "relu"',
            ["All 3 trials failed. Most often: diverged at iteration …; a lower", "No trial is complete."],
        ),
        ("trials = 1", "", "", ["Trial 0 has the best accuracy on dev", "No trial was pruned or failed."]),
    ],
    ids=["regression", "seeds", "folds", "several objectives", "only failures", "one trial"],
)
def test_every_kind_of_study_has_a_report(tmp_path: Path, search: str, data: str, space: str, words: list[str]) -> None:
    home = run_for_report(spec_with(search, data, space), tmp_path)
    facts = gather(home, "small")
    text = as_html(facts)
    page = Page(text)
    for expected in words:
        assert expected in page.said
    assert not re.search(r' d="[^"]*(nan|inf)', text)
    json.dumps(to_json(describe_facts(facts)), allow_nan=False)
    _check_tables(as_markdown(facts))


def test_repeated_networks_add_up_to_their_mean_accuracy(tmp_path: Path) -> None:
    facts = gather(run_for_report(spec_with("trials = 3\nseeds = 2"), tmp_path), "small")
    assert facts.winner is not None
    assert facts.winner.confusion is not None
    assert facts.summary.best is not None
    share = np.trace(facts.winner.confusion) / facts.winner.confusion.sum()
    assert share == pytest.approx(facts.summary.best.value)


def test_a_study_that_has_not_ended_says_how_far_it_is(tmp_path: Path) -> None:
    rounds = iter(range(9))
    run_local(spec_with("trials = 12"), tmp_path, stop=lambda: next(rounds) > 0)
    summary = summarize(Home(tmp_path), "small")
    assert {row.state for row in summary.trials} >= {"running"}
    page = Page(as_html(gather(Home(tmp_path), "small")))
    assert "Interrupted: " in page.said
    assert "of 12 trials" in page.said
    assert "the ledger has no spec" in page.said


def test_a_ledger_without_trials_has_a_report(tmp_path: Path) -> None:
    run_local(spec_with("trials = 12"), tmp_path, stop=lambda: True)
    facts = gather(Home(tmp_path), "small")
    assert "No trial is complete yet" in Page(as_html(facts)).said
    assert "No trial is complete yet" in as_markdown(facts)


@pytest.mark.slow
def test_the_confirmed_trial_leads_and_the_test_set_is_told(tmp_path: Path) -> None:
    home = run_for_report(
        spec_with("trials = 12"),
        tmp_path,
        confirm=confirmation(winner=4, best=2),
        finalized=[opening(4, 0.8413, "2026-01-02"), opening(2, 0.8555, "2026-01-03")],
    )
    facts = gather(home, "small")
    said = Page(as_html(facts)).said
    assert "Trial 4 is confirmed: accuracy 0.8765 (95% interval 0.8565 to 0.8965) on 3 fresh seeds." in said
    assert "Trial 2, the best in the search with 0.91, reaches 0.8321 on fresh seeds." in said
    assert "Trial 2: recommended (the cheapest that is not significantly different from the best)." in said
    assert "0.8413" in said
    assert "opened 2 times, so later scores may be biased" in said
    assert "Later scores: trial 2: 0.8555." in said
    assert "-0.0444 (-0.09 to 0.001)" in said
    assert facts.winner is not None
    assert facts.winner.number == 4
    told = to_json(report_answer(home, "small"))
    assert told["confirm"]["winner"] == 4
    assert [one["value"] for one in told["finalized"]] == [0.8413, 0.8555]
    assert "0.8765" in as_markdown(facts)


def test_text_from_data_and_spec_is_escaped(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    lines = ['<script>alert(1)</script>,"a|b*c&amp;",klass']
    for a, b in generator.normal(size=(200, 2)):
        lines.append(f"{a},{b},{'</script><b>yes' if a + b > 0 else 'no|`x`'}")
    (tmp_path / "evil.csv").write_text("\n".join(lines))
    text = spec_with("trials = 4", 'source = "evil.csv"\ntarget = "klass"')
    home = run_for_report(text, tmp_path, description="<img src=x onerror=alert(2)> {{ 7 * 6 }}")
    facts = gather(home, "small")
    page = Page(as_html(facts))
    assert page.elements["script"] == 2
    assert (page.elements["img"], page.elements["b"]) == (0, 0)
    assert "<script>alert(1)</script>" in page.said
    assert "</script><b>yes" in page.said
    assert "<img src=x onerror=alert(2)> {{ 7 * 6 }}" in page.said
    markdown = as_markdown(facts)
    _check_tables(markdown)
    shown = "\n".join(line for line in markdown.splitlines() if not line.startswith("    "))
    assert "<" not in shown


def test_report_without_its_data_says_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,y\n" + "\n".join(f"{i},{i % 7},{i % 2}" for i in range(60)))
    home = run_for_report(spec_with("trials = 3", 'source = "table.csv"\ntarget = "y"'), tmp_path)
    assert gather(home, "small").winner is not None
    (tmp_path / "table.csv").unlink()
    facts = gather(home, "small")
    said = Page(as_html(facts)).said
    assert "Parts of this report that need the data are missing: the data can no longer be read: " in said
    assert "table.csv" in said.partition("can no longer be read: ")[2][:200]
    assert not any(re.fullmatch(r"Trial \d+ on dev", text) for text in Page(as_html(facts)).text)
    assert "has the best accuracy" in said
    _check_tables(as_markdown(facts))


def test_report_without_the_winners_file_says_what_is_left_out(tmp_path: Path) -> None:
    home = run_for_report(spec_with("trials = 3"), tmp_path)
    best = summarize(home, "small").best
    assert best is not None
    home.folder("small").result(best.number).unlink()
    said = Page(as_html(gather(home, "small"))).said
    assert f"The file of trial {best.number} is missing" in said
    assert "Confusion matrix" not in said


def test_data_that_changed_are_not_mixed_with_old_predictions(tmp_path: Path) -> None:
    home = run_for_report(spec_with("trials = 2"), tmp_path, fingerprint="0" * 64)
    assert "has changed since the study started" in Page(as_html(gather(home, "small"))).said


def test_the_test_set_stays_sealed(plane: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("the seal was broken")

    monkeypatch.setattr(loading, "open_test_part", broken)
    monkeypatch.setattr(study.data, "open_test", broken)
    converted: list[int] = []
    original = loading._part

    def watched(opened: Any, fitted: Any, frame: Any, codes: Any, rows: Any) -> Any:
        converted.extend(rows.tolist())
        return original(opened, fitted, frame, codes, rows)

    monkeypatch.setattr(loading, "_part", watched)
    facts = gather(plane, "small")
    as_html(facts)
    assert facts.dataset is not None
    assert set(converted) == set(facts.dataset.dev.rows.tolist())


def test_few_trials_come_with_a_caution(plane: Home) -> None:
    facts = gather(plane, "small")
    assert facts.importance is not None
    assert facts.importance.few
    assert sum(facts.importance.variance.values()) == pytest.approx(1)
    assert set(facts.importance.best) > set(facts.importance.variance)  # units of a layer that not all have
    assert "these estimates are rough" in Page(as_html(facts)).said


@pytest.mark.slow
def test_a_report_of_2000_trials_is_small(plane: Home) -> None:
    facts = times(gather(plane, "small"), 67)
    assert len(facts.summary.trials) == 2010
    text = as_html(facts)
    assert len(text.encode()) < 8_000_000  # 15 MB is what may be; curves are thinner where the ledger has many
    assert "All 2,010 trials" in text


def test_markdown_tables_are_whole(plane: Home) -> None:
    facts = gather(plane, "small")
    text = as_markdown(facts)
    _check_tables(text)
    assert facts.summary.best is not None
    assert f"**Trial {facts.summary.best.number} has the best accuracy on dev: " in text
    assert "## Leaderboard" in text
    assert "█" in text


def _check_tables(text: str) -> None:
    """Every row of a table has as many cells as its head, and none stands alone."""
    before = 0
    for line in text.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not cells or not before or cells == before, line
        before = cells


@pytest.mark.slow
def test_the_command_writes_where_it_says(finished: Path, tmp_path: Path) -> None:
    done = run_study("report", "small", "--home", finished)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(finished / "studies" / "small" / "report.html")
    assert Path(done.stdout.strip()).read_text(encoding="utf-8").startswith("<!doctype html>")
    done = run_study("report", "small", "--home", finished, "--markdown", "-o", tmp_path / "told.md")
    assert done.stdout.strip() == str(tmp_path / "told.md")
    assert (tmp_path / "told.md").read_text(encoding="utf-8").startswith("# small")
    told = json.loads(run_study("report", "small", "--home", finished, "--json").stdout)
    summary = show(finished)
    assert {key: told[key] for key in summary} == summary
    assert told["data"]["source"] == "synthetic:planar_flower"
    assert told["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["report", "smal"], "did you mean 'small'?"), (["report", "small", "-o", "/proc/none/r.html"], "-o FILE")],
)
def test_mistakes_are_answered(finished: Path, arguments: list[str], words: str) -> None:
    done = run_study(*arguments, "--home", finished)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
