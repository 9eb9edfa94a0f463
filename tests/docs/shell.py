"""The commands in the documents: blocks of shell, and lines that begin with `study`."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def script(page: Path) -> str:
    """Return all ```bash blocks of a page as one script, in their order."""
    return "\n".join(re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


def shown(page: Path) -> list[str]:
    """Return the lines of all ```text blocks of a page."""
    blocks = re.findall(r"^```text\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def study_commands(page: Path) -> list[list[str]]:
    """Return the arguments of each `study …` in a block of code of a page, without comments."""
    found = []
    for line in page.read_text(encoding="utf-8").splitlines():
        match = re.match(r"(?:    +|\$ )?study ([a-z].*)", line)
        if match and (line.startswith(("    ", "$ ", "study ")) and _is_command(match[1])):
            found.append(shlex.split(match[1], comments=True))
    return found


def _is_command(words: str) -> bool:
    # A sentence may begin with the name as well; commands are not ended by a full stop or a comma.
    return not re.search(r"[,.;:]$", words)
