"""Take the pictures of the README with Chromium: the report of a study, and its page in MLflow.

study run experiments/digits.toml
python docs/take_pictures.py      # needs selenium, chromium and chromedriver
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

PICTURES = Path(__file__).resolve().parent / "pictures"
NAME, PORT = "digits", 5198
REPORT, PAGES = (1000, 1080), (1900, 900)  # width and height of the windows


def main() -> None:
    """Take both pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser() as driver:
        report = Path(folder) / "report.html"
        command = [sys.executable, "-m", "study.cli.main"]
        subprocess.run([*command, "report", NAME, "-o", str(report)], check=True, stdout=subprocess.DEVNULL)
        take(driver, f"{report.as_uri()}#curves", "Cost curves", "report.png", REPORT)
        pages = [*command, "ui", NAME, "--port", str(PORT), "--no-browser"]
        with subprocess.Popen(pages, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None  # noqa: S101 - it is a pipe
            lines = [server.stdout.readline() for _ in range(3)]
            take(driver, lines[2].partition(": ")[2].strip(), "matching runs", "mlflow.png", PAGES)
            server.send_signal(signal.SIGINT)


def take(driver: Any, address: str, words: str, name: str, size: tuple[int, int]) -> None:
    """Save a picture of a page once it shows the given text."""
    driver.set_window_size(*size)
    driver.get(address)
    WebDriverWait(driver, 60).until(lambda shown: words in shown.find_element("tag name", "body").text)
    driver.implicitly_wait(2)
    driver.find_elements("id", "gives what is drawn late two seconds more")
    for button in driver.find_elements("xpath", "//button[@aria-label='Close Assistant' or @aria-label='Close']"):
        button.click()  # a panel that MLflow opens beside the runs
    driver.find_elements("id", "and once more for the page without it")
    driver.save_screenshot(str(PICTURES / name))


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a headless Chromium."""
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
