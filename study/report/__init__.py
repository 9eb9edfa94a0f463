"""The report of a study: one HTML file that opens offline, or Markdown. Called by the command line.

`facts` gathers, `wording` says it in sentences, the modules named `…_charts` draw, `page` lays it out. Figures are SVG
written here, so that the file has no library in it, needs no script to be read, and prints.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from study.ledger.home import Home

if TYPE_CHECKING:
    from study.report.facts import ReportAnswer


def write_report(home: Home, name: str, output: Path | None = None, *, markdown: bool = False) -> Path:
    """Write the report of a study; return its path.

    Args:
        home: where the study is.
        name: of the study.
        output: the file; None is report.html (or report.md) in the study's folder.
        markdown: write Markdown in place of HTML.

    Raises:
        UserError: there is no such study, or the file cannot be written.
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
        raise UserError(f"{path}: cannot be written ({error.strerror}); -o FILE names another file") from None
    return path


def report_answer(home: Home, name: str) -> "ReportAnswer":
    """Return the figures of the report: those of `study show --json`, and what the report adds to them.

    Raises:
        UserError: there is no such study.
    """
    from study.report.facts import describe_facts, gather

    return describe_facts(gather(home, name))
