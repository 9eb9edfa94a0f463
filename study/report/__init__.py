"""The report of a study: one HTML file that opens offline, or Markdown.

`facts` reads the content, `wording` turns it into sentences, modules named `…_charts` draw charts, and `page` fills the
templates. Charts are plain SVG, so the page contains no library, is readable without scripts, and can be printed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from study.ledger.home import Home

if TYPE_CHECKING:
    from study.report.facts import ReportAnswer


def write_report(home: Home, name: str, output: Path | None = None, *, markdown: bool = False) -> Path:
    """Write the report of a study and return its path.

    Args:
        home: home of the study.
        name: name of the study.
        output: output file; None means report.html (or report.md) in the study's folder.
        markdown: write Markdown instead of HTML.

    Raises:
        UserError: if the study does not exist, or the file cannot be written.
    """
    from study.errors import UserError
    from study.report.facts import gather
    from study.report.page import as_html, as_markdown

    facts = gather(home, name)
    path = output or home.folder(name).path / ("report.md" if markdown else "report.html")
    text = as_markdown(facts) if markdown else as_html(facts)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"could not write {path} ({error.strerror}); use -o FILE to choose another file") from None
    return path


def report_answer(home: Home, name: str) -> "ReportAnswer":
    """Return the data of the report: that of `study show --json`, and more.

    Raises:
        UserError: if the study does not exist.
    """
    from study.report.facts import describe_facts, gather

    return describe_facts(gather(home, name))
