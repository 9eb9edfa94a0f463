"""Print the baselines of a study: a row for each, below the trials."""

from rich import box
from rich.console import Console
from rich.table import Table

from engine.metrics import METRICS
from study.ledger.results import Summary
from study.text.formatting import figures


def print_baselines(summary: Summary, console: Console) -> None:
    """Print a row for each baseline, if there are any."""
    if not summary.baselines:
        return
    title = METRICS[summary.metric].title if summary.metric in METRICS else summary.metric
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("baseline", no_wrap=True)
    for name in (f"dev\n{title}", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    values = figures([baseline.value for baseline in summary.baselines])
    for baseline, value in zip(summary.baselines, values, strict=True):
        table.add_row(baseline.title, value, f"{baseline.seconds:.3g}", baseline.reason or baseline.note or "")
    console.print(table, soft_wrap=False)
