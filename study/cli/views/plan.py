"""Print the result of `study plan`: data, search space, work, estimates for this machine, and defaults."""

from rich import box
from rich.table import Table

from study.cli.terminal import console_for_sentences
from study.planning.record import Plan, Spread
from study.search.memory import available_memory
from study.text.formatting import byte_count, counted, duration

WIDE = 12  # number of classes to list; further ones are only counted


def print_plan(plan: Plan) -> None:
    """Print a plan."""
    console = console_for_sentences()
    console.print(f"{plan.name}: what a run would do; nothing has been trained")
    for title, rows in (("Data", _data(plan)), ("Search", _search(plan)), ("This machine", _machine(plan))):
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for key, value in rows:
            table.add_row(key, value)
        console.print(table, soft_wrap=False)
    for decision in plan.look.decisions:
        console.print(f"  {decision}", style="dim")
    for warning in plan.look.warnings:
        console.print(f"! {warning.message}")
    left = ", ".join(f"{key} = {value}" for key, value in plan.defaults.items())
    if left:
        console.print(f"Defaults: {left}", style="dim")


def _data(plan: Plan) -> list[tuple[str, str]]:
    look = plan.look
    kinds = ", ".join(f"{count} {kind}" for kind, count in look.columns_by_kind.items())
    encoded = ", ".join(f"{n_x:,} with {label}" for label, n_x in look.n_x_encoded.items())
    features = f"{counted(look.n_x, 'feature')} for the network" + (f" ({encoded})" if encoded else "")
    rows = [
        ("rows", f"{look.rows:,}; {look.split}"),
        ("columns", f"{kinds}; {counted(look.missing_cells, 'cell')} missing; {features}"),
        ("target", f"{look.target_name}, {look.task} ({look.task_reason})"),
        ("compared by", _metric(plan)),
    ]
    if look.classes:
        counts = [f"{name} ({count:,})" for name, count in look.classes.items()]
        more = f", … ({len(counts)} in total)" if len(counts) > WIDE else ""
        rows.append(("rows per class", ", ".join(counts[:WIDE]) + more))
    share = " percentage points of accuracy" if look.classes else "% of the RMSE"
    smallest = f"{100 * look.smallest_difference:.1f}{share}"
    examples = counted(look.compared_on, "dev example")
    rows.append(("detectable", f"differences between trials of about {smallest} or more, on {examples}"))
    return rows


def _metric(plan: Plan) -> str:
    if plan.metric != plan.look.default_metric:
        return f"{plan.metric}, set in the spec; the default would be {plan.look.default_metric}"
    return plan.metric + (f", since {plan.look.metric_reason}" if plan.look.metric_reason else "")


def _search(plan: Plan) -> list[tuple[str, str]]:
    rows = [(name.replace("_", " "), text) for name, text in plan.searched.items()]
    fixed = ", ".join(f"{name} {value}" for name, value in plan.fixed.items())
    size = counted(plan.settings, "configuration") if plan.settings is not None else "unlimited: a range has no step"
    networks = f", {plan.networks} networks each" if plan.networks > 1 else ""
    return [
        *rows,
        ("fixed", fixed or "nothing"),
        ("size of the space", size),
        (
            "trials",
            f"{plan.trials}{networks}, {plan.in_flight} in flight; sampler {plan.sampler}, pruner {plan.pruner}",
        ),
        ("baselines", plan.baselines_text or "off, set in the spec"),
        ("parameters", _spread(plan.parameters, ",.0f")),
        ("seconds per trial", _spread(plan.seconds, ".2g")),
    ]


def _machine(plan: Plan) -> list[tuple[str, str]]:
    memory = available_memory()
    of = f"; this machine has {byte_count(memory)}" if memory else ""
    rows = [(f"{jobs} job{'s' * (jobs > 1)}", f"about {duration(seconds)}") for jobs, seconds in plan.times.items()]
    if plan.kept < 1:
        rows.append(("", f"if the pruner saves {1 - plan.kept:.0%} of the work, as it often does"))
    if plan.confirm:
        rows.append(("", f"of which [confirm] takes {duration(plan.confirm)} on one core"))
    if plan.baselines:
        rows.append(("", f"of which baselines take {duration(sum(b.seconds for b in plan.baselines))} on one core"))
    rows += [
        ("memory", f"at most {byte_count(plan.worker_memory)} per worker{of}"),
        ("disk", f"about {byte_count(plan.disk)}, {byte_count(plan.trial_disk)} per trial"),
    ]
    if plan.raised is not None:
        rows.append(
            (
                f"{plan.cores} cores",
                f"in_flight = {plan.cores} would take about {duration(plan.raised)}, but would be a different study",
            )
        )
    return rows


def _spread(spread: Spread, form: str) -> str:
    return f"{spread.least:{form}} to {spread.most:{form}}, median {spread.median:{form}}"
