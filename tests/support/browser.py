"""Pages in headless Chromium: a page in a file, visited once, or pages of a server, driven step by step.

A visit to a page in a file records its console, its requests (including failed ones), the result of a script, and a
screenshot. Host names are not resolved.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from support.waiting import wait_for

CHROMIUM = next((path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), None)
needs_driver = pytest.mark.skipif(not (CHROMIUM and shutil.which("chromedriver")), reason="no Chromium here")
_SEEN = """
const done = arguments[0];
(async () => {{ {} }})().then((found) => ({{ found }}), (error) => ({{ error: String(error) }})).then((seen) => {{
  const resources = performance.getEntriesByType("resource").map((entry) => entry.name);
  done({{ ...seen, resources }});
}});"""


@dataclass(frozen=True)
class Visit:
    """The result of a visit.

    Attributes:
        console: lines of the console.
        resources: URLs that the page requested.
        found: return value of the script.
        shot: screenshot of the page, as PNG.
    """

    console: list[str]
    resources: list[str]
    found: Any
    shot: bytes


def visit(driver: Any, page: Path, script: str = "", *, width: int = 1280, dark: bool = False) -> Visit:
    """Open a page in a file, run the body of an asynchronous function on it, and return the result.

    Args:
        driver: the browser.
        page: the file.
        script: body of a function that acts like a reader, and returns its observations.
        width: width of the window.
        dark: whether the reader prefers dark pages.
    """
    size = {"width": width, "height": 4000, "deviceScaleFactor": 1, "mobile": False}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    try:
        driver.get(page.as_uri())
        seen = driver.execute_async_script(_SEEN.format(script))
        shot = driver.get_screenshot_as_png()
        console = [entry["message"] for entry in driver.get_log("browser")]
        console += [seen["error"]] if "error" in seen else []
        return Visit(console, seen["resources"], seen.get("found"), shot)
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": False})


@contextlib.contextmanager
def start_browser() -> Iterator[Any]:
    """Start a browser that selenium drives until the block ends. It does not resolve host names."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def wait_for_page(driver: Any, condition: Callable[[Any], Any], what: str = "what the page is to show") -> Any:
    """Return the value of a condition on the browser once it is true. A page that is being redrawn does not count."""

    def look() -> Any:
        try:
            return condition(driver)
        except (WebDriverException, IndexError):
            return None

    return wait_for(look, what, every=0.1)
