"""MLflow's own pages in headless Chromium, on what a study wrote: found, sorted, compared, looked at."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from support.browser import needs_driver, wait_for_page
from support.command import begin_process
from support.mlflow_server import runs_in
from support.ports import free_port
from support.small_study import show

pytestmark = [pytest.mark.slow, pytest.mark.long, needs_driver]
PICTURE = "img[src*='artifact'], img[src^='blob:']"


@pytest.fixture(scope="module")
def pages(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What `study ui` says, while it serves."""
    home = tmp_path_factory.mktemp("pages") / "home"
    shutil.copytree(finished, home)
    server = begin_process("ui", "--home", home, "--port", free_port(), "--no-browser")
    assert server.stdout is not None
    yield [server.stdout.readline().strip() for _ in range(4)]
    server.send_signal(signal.SIGINT)
    rest, errors = server.communicate(timeout=30)
    assert (server.returncode, rest, errors) == (0, "stopped\n", "")


@pytest.fixture(autouse=True)
def wide(browser: Any) -> None:
    """The window has room for all columns."""
    browser.set_window_size(2400, 1200)


def text(browser: Any) -> str:
    return str(browser.find_element(By.TAG_NAME, "body").text)


def cells(browser: Any, column: str) -> list[str]:
    found = browser.find_elements(By.CSS_SELECTOR, f".ag-center-cols-container [col-id*='{column}']")
    return [cell.text for cell in found]


def test_the_address_shows_the_trials_best_first_with_what_was_searched(
    pages: list[str], browser: Any, finished: Path
) -> None:
    assert pages[0] == "starting MLflow …"
    name, _, address = pages[2].partition(": ")
    assert name == "small"
    browser.get(address)
    wait_for_page(browser, lambda b: "12 matching runs" in text(b))
    values = [float(value) for value in wait_for_page(browser, lambda b: cells(b, "dev_accuracy")) if value]
    ranked = sorted((t["value"] for t in show(finished)["trials"] if t["value"] is not None), reverse=True)
    assert values == pytest.approx(ranked, abs=1e-4)
    for name in ("learning_rate", "units", "activation", "iterations", "depth"):
        assert any(cells(browser, name)), name


def test_two_runs_are_compared_with_parameters_side_by_side_and_curves_in_one_chart(
    pages: list[str], browser: Any, finished: Path
) -> None:
    browser.get("about:blank")
    browser.get(pages[2].partition(": ")[2])
    boxes = ".ag-pinned-left-cols-container [role=row] .ag-checkbox-input-wrapper"
    for index in range(2):
        wait_for_page(browser, lambda b: b.find_elements(By.CSS_SELECTOR, boxes)[index]).click()  # noqa: B023
    buttons = "//button[normalize-space()='Compare']"
    wait_for_page(browser, lambda b: b.find_element(By.XPATH, buttons)).click()
    wait_for_page(browser, lambda b: "Comparing 2 Runs" in text(b))
    ranked = sorted((t for t in show(finished)["trials"] if t["state"] == "complete"), key=lambda t: -t["value"])
    page = wait_for_page(browser, lambda b: "learning_rate" in text(b) and text(b))
    for trial in ranked[:2]:
        assert str(trial["params"]["learning_rate"]) in page
    wait_for_page(browser, lambda b: b.find_element(By.LINK_TEXT, "cost")).click()
    names = [f"trial {trial['number']} (cost)" for trial in ranked[:2]]
    wait_for_page(browser, lambda b: all(name in text(b) for name in names))
    assert len(browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot")) == 1


def test_the_pictures_of_the_study_open(pages: list[str], browser: Any, finished: Path) -> None:
    (parent,), _ = runs_in(f"sqlite:///{finished}/mlflow.db")
    server = pages[1].partition(" at ")[2]
    for picture in ("best_curves.svg", "hyperparameters.svg", "parallel_coordinates.svg", "best_so_far.svg"):
        browser.get(f"{server}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}/artifacts/{picture}")
        shown = wait_for_page(browser, lambda b: b.find_element(By.CSS_SELECTOR, PICTURE))
        wait_for_page(browser, lambda b, i=shown: b.execute_script("return arguments[0].naturalWidth", i) > 300)
    browser.get(f"{server}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}")
    wait_for_page(browser, lambda b: "A flower in the plane" in text(b))
