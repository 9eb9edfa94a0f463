"""Print the result of `study compare`: the differences in words, then tables that fit in 80 columns."""

from rich import box
from rich.table import Table

from engine.metrics import METRICS
from study.cli.terminal import console_for_sentences
from study.evaluation.comparison import Comparison
from study.text.formatting import counted, figures, p_value, signed


def print_comparison(comparison: Comparison) -> None:
    """Print a comparison."""
    console = console_for_sentences()
    for pair in comparison.pairs:
        console.print(comparison.sentence(pair))
    console.print(_basis(comparison))
    console.print(_candidates(comparison), soft_wrap=False)
    console.print(_pairs(comparison), soft_wrap=False)
    if comparison.parameters:
        console.print(_parameters(comparison), soft_wrap=False)
    else:
        console.print("Their hyperparameters are identical.")
    console.print(f"Curves:       {comparison.picture}", soft_wrap=True)


def _basis(comparison: Comparison) -> str:
    dev = comparison.part == "dev"
    examples = counted(comparison.m, "dev example" if dev else "example") + ("" if dev else " set aside")
    if comparison.seeds > 1:
        whose = "fresh seeds (from the confirmation)" if comparison.networks == "confirm" else "seeds from the search"
        return f"Based on {comparison.seeds} {whose} and {examples}."
    return (
        f"Based on one network each and {examples}: this compares networks, not configurations; "
        "other seeds may reverse the order (see `study confirm`)."
    )


def _candidates(comparison: Comparison) -> Table:
    title = METRICS[comparison.metric].title
    table = _table("trial", title, "95% interval", "work", "parameters")
    candidates = comparison.contenders
    most = max((c.work for c in candidates), default=0) or 1.0
    shown = figures([value for c in candidates for value in (c.value, c.low, c.high)])
    for place, c in enumerate(candidates):
        value, low, high = shown[3 * place : 3 * place + 3]
        table.add_row(c.label, value, f"{low} to {high}", f"{100 * c.work / most:.0f}%", f"{c.parameters:,}")
    table.caption, table.caption_justify = "work: relative to the most expensive trial", "left"
    return table


def _pairs(comparison: Comparison) -> Table:
    several = len(comparison.pairs) > 1
    table = _table("difference", "", "95% interval", "p", *(["Holm"] if several else []), "test")
    shown = signed([value for pair in comparison.pairs for value in (pair.estimate, pair.low, pair.high)])
    for place, pair in enumerate(comparison.pairs):
        estimate, low, high = shown[3 * place : 3 * place + 3]
        cells = [f"{pair.first} − {pair.second}", estimate]
        cells += [f"{low} to {high}", p_value(pair.p).removeprefix("= ")]
        cells += [p_value(pair.p_holm).removeprefix("= ")] if several else []
        table.add_row(*cells, pair.test.replace(" over", "\nover"))
    return table


def _parameters(comparison: Comparison) -> Table:
    table = _table("hyperparameter", *(c.label for c in comparison.contenders))
    for name, values in comparison.parameters.items():
        table.add_row(name, *("" if v is None else f"{v:.3g}" if isinstance(v, float) else str(v) for v in values))
    return table


def _table(first: str, *titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for title in titles:
        table.add_column(title, justify="left" if title == "test" else "right", no_wrap=True)
    return table
