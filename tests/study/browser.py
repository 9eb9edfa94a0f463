"""A page in headless Chromium: its console, what it asked for, what a script found on it, and how it looks.

A script added to a copy of the page acts as a reader would and leaves what it saw in the title; Chromium prints the
page as it is in the end. What the page asks for, in vain too, is in its own list of resources; names are not resolved.
"""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next((path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
_SEEN = """<script>addEventListener("load", async () => {{
  const found = await (async () => {{ {} }})().catch((error) => {{ console.error(error); }});
  const resources = performance.getEntriesByType("resource").map((entry) => entry.name);
  document.title = JSON.stringify({{ found, resources }});
}});</script>"""


@dataclass(frozen=True)
class Visit:
    """What a browser saw. console: its lines; resources: what the page asked for; found: what the script returned."""

    console: list[str]
    resources: list[str]
    found: Any


def visit(page: Path, folder: Path, script: str = "", *, width: int = 1280, dark: bool = False) -> Visit:
    """Open a page, run the body of an asynchronous function on it, return what happened.

    The picture is `shot.png` in the folder.
    """
    copy = folder / "visited.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", _SEEN.format(script) + "</body>"))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    command += [
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    command += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},4000", "--enable-logging=stderr"]
    command += ["--virtual-time-budget=4000", f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    command += [f"--screenshot={folder / 'shot.png'}", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None, done.stdout[:500]
    seen = json.loads(html.unescape(title[1]))
    return Visit(console, seen["resources"], seen.get("found"))
