"""The live page in headless Chromium: hand a study in, watch its curves grow, open its report, at both widths."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from support.browser import needs_driver, wait_for_page
from support.service_server import TINY, Service, answering, ask, serving_here, settings_for, submit
from support.small_study import SMALL

pytestmark = [pytest.mark.slow, needs_driver]
TOKEN = "a-token-that-nobody-guesses"  # noqa: S105 - of these tests
GROWING = SMALL.replace("{ low = 50, high = 200, step = 50 }", "{ low = 1000, high = 10000, step = 1000 }")
FOCUS = "return document.activeElement.id"
BEST = "return [...document.querySelectorAll('#best td:nth-child(2)')].map(cell => cell.textContent)"
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("page") / "home"
    home.mkdir()
    with serving_here(home) as service:
        yield service


def displayed(browser: Any, key: str) -> Any:
    """Return an element where it is displayed."""
    element = browser.find_element(By.ID, key)
    return element.is_displayed() and element


def text(browser: Any, key: str) -> str:
    return str(browser.find_element(By.ID, key).text)


def complaints(browser: Any) -> list[str]:
    """What the console says, but for answers of 4xx, which a test may ask for."""
    return [entry["message"] for entry in browser.get_log("browser") if "status of 4" not in entry["message"]]


def set_width(browser: Any, width: int, height: int = 900) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def curve_points(browser: Any) -> int:
    """Return how many points all drawn curves have together."""
    script = "return [...document.querySelectorAll('#plot path.line')].map((p) => p.getAttribute('d')).join(' ')"
    return len(str(browser.execute_script(script)).split())


def test_study_is_submitted_watched_and_reported(served: Service, browser: Any, tmp_path: Path) -> None:
    set_width(browser, 1200, 1400)
    browser.get(served.address)
    area = wait_for_page(browser, lambda b: displayed(b, "spec"))
    browser.execute_script("arguments[0].value = arguments[1]", area, GROWING)
    browser.find_element(By.CSS_SELECTOR, "#submit button").click()
    wait_for_page(browser, lambda b: text(b, "said").startswith("small is "))
    wait_for_page(browser, lambda b: "running" in text(b, "standing"))
    first = wait_for_page(browser, curve_points)
    wait_for_page(browser, lambda b: curve_points(b) > first)  # without a reload
    wait_for_page(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "#best tr"))
    browser.save_screenshot(str(tmp_path / "running.png"))
    wait_for_page(browser, lambda b: "complete, 12 of 12" in text(b, "standing"))
    shown = [float(cell) for cell in browser.execute_script(BEST)]  # in one go: the page replaces its rows
    ranked = ask(served.port, "GET", "/studies/small/trials?order=best&limit=10").json()["trials"]
    assert shown == pytest.approx([trial["value"] for trial in ranked], abs=1e-3)
    assert complaints(browser) == []
    browser.find_element(By.ID, "report").click()
    wait_for_page(browser, lambda b: b.execute_script("return document.documentElement.dataset.ready") == "true")
    assert "small" in browser.find_element(By.TAG_NAME, "h1").text
    assert complaints(browser) == []


def test_page_fits_a_phone_and_works_by_keyboard(served: Service, browser: Any, tmp_path: Path) -> None:
    submit(served.port, TINY.format(name="a-name-that-is-rather-long-for-a-narrow-screen-" + "x" * 40))
    set_width(browser, 360, 740)
    browser.get(served.address)
    wait_for_page(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "#rows a"))
    assert browser.execute_script(OVERFLOW) <= 0
    browser.execute_script("document.querySelector('#rows a').focus()")
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait_for_page(browser, lambda b: b.execute_script(FOCUS) == "name")
    reached = set()
    for _ in range(40):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.add(browser.execute_script(FOCUS))
    assert {"file", "data", "spec"} <= reached
    assert browser.execute_script(OVERFLOW) <= 0
    browser.save_screenshot(str(tmp_path / "narrow.png"))
    browser.get(f"{served.address}/docs")
    assert browser.execute_script(OVERFLOW) <= 0


def test_mistake_is_reported_beside_the_form(served: Service, browser: Any) -> None:
    set_width(browser, 1200)
    browser.get(served.address)
    area = wait_for_page(browser, lambda b: displayed(b, "spec"))
    browser.execute_script("arguments[0].value = 'name = \"<img src=x onerror=alert(1)>\"'", area)
    browser.find_element(By.CSS_SELECTOR, "#submit button").click()
    wait_for_page(browser, lambda b: "<img src=x" in text(b, "said"))
    assert not browser.find_elements(By.TAG_NAME, "img")


def test_page_shows_changes_in_the_order_of_the_queue(browser: Any, tmp_path: Path) -> None:
    with answering(settings_for(tmp_path)) as port:
        submit(port, TINY.format(name="one"))
        browser.get(f"http://127.0.0.1:{port}")

        def rows() -> list[list[str]]:
            cells = "[...row.cells].slice(0, 2).map((cell) => cell.innerText)"
            script = f"return [...document.querySelectorAll('#rows tr')].map((row) => {cells})"
            return [list(row) for row in browser.execute_script(script)]

        def wait_for_rows(expected: list[list[str]]) -> None:
            wait_for_page(browser, lambda _: rows() == expected, f"the rows {expected}")

        wait_for_rows([["one", "queued, 1."]])
        for name in ("two", "three"):
            submit(port, TINY.format(name=name))
        wait_for_page(
            browser, lambda _: rows() == [["one", "queued, 1."], ["two", "queued, 2."], ["three", "queued, 3."]]
        )
        ask(port, "POST", "/studies/two/cancel")
        wait_for_page(
            browser, lambda _: rows() == [["one", "queued, 1."], ["three", "queued, 2."], ["two", "cancelled"]]
        )
        submit(port, TINY.format(name="two"))
        wait_for_page(
            browser, lambda _: rows() == [["one", "queued, 1."], ["three", "queued, 2."], ["two", "queued, 3."]]
        )
        assert complaints(browser) == []
        browser.get("about:blank")


def test_page_asks_for_the_token_and_keeps_a_cookie(browser: Any, tmp_path: Path) -> None:
    with answering(settings_for(tmp_path, token=TOKEN)) as port:
        known = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/toml"}
        ask(port, "POST", "/studies", TINY.format(name="hidden").encode(), known)
        browser.get(f"http://127.0.0.1:{port}")
        for given in ("a-wrong-token-of-some-length", TOKEN):
            field = wait_for_page(browser, lambda b: displayed(b, "token"))
            assert "hidden" not in browser.find_element(By.TAG_NAME, "body").text
            field.send_keys(given, Keys.ENTER)
            if given != TOKEN:
                wait_for_page(browser, lambda b: text(b, "login-said") == "The token is not valid.")
        wait_for_page(browser, lambda b: "hidden" in text(b, "rows"))
        browser.get("about:blank")
