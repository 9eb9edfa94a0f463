"""The report in a browser: it asks for nothing, logs nothing, fits wide and narrow, and answers pointer and keys."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.browser import needs_driver, visit
from support.in_process import spec_with
from support.report_studies import run_for_report
from support.text_boxes import MEASURE, with_hyperparameters

from study.charts.chart import Chart
from study.charts.curves import compared_curves, trial_curve
from study.charts.setting_charts import parallel, slices
from study.charts.svg import draw_chart, draw_charts
from study.charts.trial_charts import cost_curves
from study.ledger.home import Home
from study.ledger.results import summarize
from study.ledger.trial_artifact import read_result
from study.report import write_report
from study.report.facts import Facts, gather
from study.report.page import as_html

pytestmark = [pytest.mark.slow, needs_driver]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return run_for_report(spec_with("trials = 20"), tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def page(home: Home) -> Path:
    return write_report(home, "small")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
def test_report_opens_without_a_server_and_fits_the_window(browser: Any, page: Path, width: int, dark: bool) -> None:
    script = """
      const boxes = [...document.querySelectorAll("svg.box")].map((svg) => svg.getBoundingClientRect());
      return {
        ready: document.documentElement.dataset.ready,
        over: document.documentElement.scrollWidth - innerWidth,
        small: boxes.filter((box) => box.width < 150 || box.height < 80).length,
        pictures: boxes.length,
      };"""
    seen = visit(browser, page, script, width=width, dark=dark)
    assert (seen.console, seen.resources) == ([], [])
    assert seen.found == {"ready": "true", "over": 0, "small": 0, "pictures": seen.found["pictures"]}
    assert seen.found["pictures"] >= 9
    with Image.open(io.BytesIO(seen.shot)) as shot:
        pixels = np.asarray(shot.convert("RGB")).reshape(-1, 3)
    assert (pixels[0].mean() < 60) == dark
    winner = (255, 154, 77) if dark else (195, 77, 0)  # --best of page.css
    assert (np.abs(pixels - np.array(winner)).max(axis=1) < 8).sum() > 200


WIDTHS = [320, 400, 800, 1280]


@pytest.fixture(scope="module")
def facts(home: Home) -> Facts:
    return gather(home, "small")


@pytest.mark.parametrize("count", [2, 3, 5, 8, 11, 14])
def test_no_text_of_a_report_is_clipped_or_overlapped(browser: Any, facts: Facts, tmp_path: Path, count: int) -> None:
    page = tmp_path / "report.html"
    page.write_text(as_html(with_hyperparameters(facts, count)), encoding="utf-8")
    for width in WIDTHS:
        for dark in (False, True):
            found = visit(browser, page, MEASURE, width=width, dark=dark).found
            assert found["texts"] > 100
            assert (found["clipped"], found["overlapping"]) == ([], []), f"{count} at {width}"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_of_a_whole_report_is_clipped_or_overlapped(browser: Any, page: Path, width: int) -> None:
    found = visit(browser, page, MEASURE, width=width).found
    assert (found["clipped"], found["overlapping"]) == ([], [])


@pytest.mark.parametrize("count", [2, 8, 14])
def test_no_text_of_a_picture_is_clipped_or_overlapped(
    browser: Any, facts: Facts, home: Home, tmp_path: Path, count: int
) -> None:
    shown = with_hyperparameters(facts, count)
    file = read_result(home.folder("small").result(facts.summary.ranking()[0].number))
    compared = [(f"trial {k} of {'a study with a long name ' * 4}", file) for k in range(count)]
    pictures = {
        "parallel": draw_chart(not_none(parallel(shown))),
        "slices": draw_charts(slices(shown)[0]),
        "curves": draw_chart(not_none(cost_curves(shown))),
        "curve": draw_chart(trial_curve(np.array([3.0, 1e-9, 123456.789]), [(2, 123456.788)])),
        "compared": draw_charts(compared_curves("accuracy", compared)),
    }
    for name, picture in pictures.items():
        path = tmp_path / f"{name}.svg"
        path.write_text(picture, encoding="utf-8")
        found = visit(browser, path, MEASURE).found
        assert found["texts"] >= 5
        assert (found["clipped"], found["overlapping"]) == ([], []), f"{name} of {count}"


def test_texts_that_overlap_or_are_clipped_are_found(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><title>x</title><div style='position:relative;height:3em'>"
        "<span style='position:absolute;left:9px'>one</span><span style='position:absolute;left:19px'>two</span></div>"
        "<div style='overflow:hidden;width:20px;white-space:nowrap'>three and four</div>"
        "<p style='position:absolute;left:-9px'>five</p>"
    )
    found = visit(browser, page, MEASURE).found
    assert (found["overlapping"], set(found["clipped"])) == (["one | two"], {"three and four", "five"})


def not_none(chart: Chart | None) -> Chart:
    assert chart is not None
    return chart


def test_pointer_and_keys_show_whose_mark_it_is(browser: Any, home: Home, page: Path) -> None:
    script = """
      const tip = document.getElementById("tip"), svg = document.getElementById("curves-chart");
      const key = (name) => svg.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
      const numbers = svg.querySelector("path.best").getAttribute("d").match(/-?\\d+/g).map(Number);
      const k = numbers.length - 2;
      const box = svg.getBoundingClientRect();
      const at = {
        clientX: box.left + numbers[k] * box.width / 2000,
        clientY: box.top + numbers[k + 1] * box.height / 1000,
      };
      svg.dispatchEvent(new PointerEvent("pointermove", { ...at, bubbles: true }));
      for (let k = 0; k < 100 && !tip.textContent; k++) await new Promise((done) => setTimeout(done, 100));
      const pointed = tip.textContent;
      svg.dispatchEvent(new PointerEvent("pointerleave"));
      const left = tip.hidden;
      key("ArrowRight");
      const first = tip.textContent, lit = document.querySelectorAll(".lit-line, .lit-dot").length;
      const row = document.querySelectorAll("tr.lit").length;
      key("ArrowRight");
      const second = tip.textContent;
      key("Escape");
      const column = document.querySelector("table.sortable th:nth-child(2) button");
      column.click(); column.click();
      const rows = [...document.querySelector("table.sortable").tBodies[0].rows];
      const values = rows.map((one) => one.cells[1].textContent);
      return { pointed, left, first, lit, row, second, gone: tip.hidden, values };"""
    found = visit(browser, page, script).found
    ranking = summarize(home, "small").ranking()
    assert found["pointed"].startswith("Trial ")
    assert (found["left"], found["gone"]) == (True, True)
    assert found["first"].startswith(f"Trial {ranking[0].number}, complete")
    assert f"accuracy {ranking[0].value:.4g}" in found["first"]
    assert found["second"].startswith(f"Trial {ranking[1].number}, complete")
    assert found["lit"] >= 5  # its marks in every chart
    assert found["row"] == 2  # on the leaderboard and among all trials
    shown = [float(value) for value in found["values"]]
    assert shown == sorted(shown)


def test_page_that_fetches_or_logs_something_is_detected(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "asking.html"
    page.write_text("<!doctype html><title>x</title><body><img src='https://example.org/x.png'></body>")
    assert visit(browser, page).resources == ["https://example.org/x.png"]
    page.write_text("<!doctype html><title>x</title><body><script>console.log('aloud')</script></body>")
    assert any("aloud" in line for line in visit(browser, page).console)
