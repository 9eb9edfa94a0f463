"""Print the studies of a service in the terminal, one per line."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from study.charts.words import short, title_of
from study.service.client import StudyStatus
from study.text.console import make_console
from study.text.shell import next_command


def print_status(studies: Sequence[StudyStatus]) -> None:
    """Print the status of studies as the service returned it."""
    console = make_console(soft_wrap=True)
    if not studies:
        console.print(f"no studies yet; submit one with `{next_command('submit', 'SPEC')}`")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("study", "state", "trials", "best on dev", "metric", "description"):
        table.add_column(title)
    for line in studies:
        trials = "" if line["planned"] is None else f"{line['finished']}/{line['planned']}"
        metric = "" if line["metric"] is None else title_of(line["metric"])
        table.add_row(line["name"], line["state"], trials, short(line["best"]), metric, line["description"])
    console.print(table)
    for line in studies:
        submission = line["submission"]
        if submission is not None and submission["message"]:
            console.print(f"{line['name']}: {submission['message']}")
