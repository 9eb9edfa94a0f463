"""The text of a drafted spec: TOML, with what was found and what else could be set as comments."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from study.data import overview
from study.text.formatting import counted
from study.text.toml_text import toml_value

# Rows of train from which on a spec has longer trainings, and larger batches too.
LONG, LARGE = 1_000, 5_000
FOLDS = 5


def render(
    settings: dict[str, object],
    look: overview.DataSummary | None,
    read_as: str | None,
    trouble: str,
    decisions: Sequence[str],
    *,
    guessed: bool,
) -> str:
    """Return the spec.

    Args:
        settings: keys of `[data]`.
        look: at the data; None where the target cannot be one.
        read_as: how a text file is written, where it was found out.
        trouble: why the target cannot be one, or "".
        decisions: what else was decided on the way, a line each.
        guessed: whether nobody named the target.
    """
    file = PurePath(str(settings["source"]))
    lines = [
        f"# A study of {file.name}. Edit it, look with `study plan`, run with `study run`.",
        f"name = {toml_value(study_name(file))}",
        'description = ""',
        "",
        "[data]",
        f"source = {toml_value(settings['source'])}",
    ]
    if read_as is not None:
        lines.append(f"# read as: {_comment(read_as)}")
    lines += _target_lines(settings, look, trouble, guessed)
    lines += ["split = [0.6, 0.2, 0.2]     # train, dev, test", "seed = 0"]
    comments = {
        "header": "" if settings.get("header") else "the first line is data; columns are column_0, column_1, ...",
        "missing": 'more markers of a missing cell, by column, beside "", NA, NaN, ?',
        "ignore": "identifiers: a different whole number in each row",
        "categorical": "mixes numbers and text",
        "folds": "cross-validation: train and dev are few rows",
        "thousands": "groups the digits of large numbers",
        "decimal": "the decimal mark",
    }
    for key, value in settings.items():
        if key not in ("source", "target"):
            lines.append(f"{key} = {toml_value(value)}" + (f"     # {comments[key]}" if comments.get(key) else ""))
    lines += [f"# Decided: {_comment(each)}" for each in decisions]
    lines += _warning_lines(look)
    dates = [column.name for column in look.columns if column.kind == "date"] if look is not None else []
    date = dates[0] if dates else "date"
    if "folds" not in settings:
        lines.append(f"# folds = {FOLDS}                 # cross-validation over train and dev")
    lines += [
        '# group = "patient"         # rows of one patient stay in one part',
        f"{f'# time = {toml_value(date)}':<28}# train before dev before test",
    ]
    metric = look.default_metric if look is not None else "accuracy"
    lines += _search_lines(look, metric)
    return "\n".join(lines) + "\n"


def study_name(file: PurePath) -> str:
    """Return the file's stem as a name of a study: letters, digits, - and _."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-_") or "data"


def describe_task(look: overview.DataSummary) -> str:
    """Return the task in words: its classes with the rows of each."""
    if not look.classes:
        return f"{look.task} ({look.task_reason})"
    shown = ", ".join(f"{name} ({count:,})" for name, count in list(look.classes.items())[:10])
    more = f" and {len(look.classes) - 10} more" if len(look.classes) > 10 else ""
    number = "two classes" if look.task == "binary" else f"{len(look.classes)} classes"
    return f"{look.task}, {number} (rows of each): {shown}{more}"


def _target_lines(
    settings: dict[str, object], look: overview.DataSummary | None, trouble: str, guessed: bool
) -> list[str]:
    lines = []
    if "target" in settings:
        why = "guessed; name the column that you want to predict" if guessed else ""
        lines.append(f"target = {toml_value(settings['target'])}" + (f"     # {why}" if why else ""))
    if trouble:
        lines.append(f"# This column cannot be the target as it stands: {trouble}")
    if look is not None:
        lines.append(f"# task: {_comment(describe_task(look))}")
        lines.append(f"# {counted(look.rows, 'row')}; columns:")
        for column in look.columns[:60]:
            gaps = f", {column.missing} missing" if column.missing else ""
            lines.append(f"#   {_comment(column.name)}: {column.kind}, {column.distinct} different{gaps}")
        if len(look.columns) > 60:
            lines.append(f"#   and {len(look.columns) - 60} more")
    return lines


def _warning_lines(look: overview.DataSummary | None) -> list[str]:
    lines = []
    if look is not None:
        lines += [f"# Warning: {_comment(each.message)}" for each in look.warnings if each.subject != "identifier"]
        drop = [name for each in look.warnings if each.subject == "repeats_target" for name in each.columns]
        lines.append(f"# drop = {toml_value(drop)}     # columns that the network may not use")
    return lines


def _search_lines(look: overview.DataSummary | None, metric: str) -> list[str]:
    rows = look.parts["train"] if look is not None else 1000
    large = rows > LARGE
    # Mini-batches alone: a pass over all rows at each iteration takes minutes a trial on a large table, and teaches
    # it little more. At least two batches make a pass.
    sizes = [size for size in ((128, 512, 2048) if large else (32, 128)) if size * 2 <= rows]
    batches = toml_value(sizes) if sizes else '"full"'
    iterations = "low = 500, high = 4000, step = 500" if rows > LONG else "low = 200, high = 2000, step = 200"
    # With squared errors a step of Adam is bounded, one of Nesterov's momentum is not, and outliers make it diverge.
    regression = look is not None and look.task == "regression"
    optimizers = ["adam", "adamw"] if regression else ["adam", "nesterov"]
    others = [
        name for name in ("nesterov", "momentum", "rmsprop", "adamw", "gradient_descent") if name not in optimizers
    ]
    return [
        "",
        "[space]",
        "learning_rate = { low = 5e-4, high = 0.05, log = true }     # at its start; for gradient_descent up to 1",
        f"{f'iterations    = {{ {iterations} }}':<60}# mini-batches, not passes over the rows",
        "depth         = { low = 0, high = 3 }                       # hidden layers; 0 is the linear model",
        "units         = { low = 8, high = 128, log = true }         # drawn for each hidden layer",
        'activation    = ["relu", "tanh"]                            # also leaky_relu, elu, gelu, silu, sigmoid',
        f"{f'optimizer     = {toml_value(optimizers)}':<60}# also {', '.join(others)}",
        f"batch_size    = {batches}",
        "l2            = { low = 1e-6, high = 1e-2, log = true }",
        'schedule      = "cosine"                                    # down to a hundredth at the end',
        "",
        "[search]",
        "trials = 60",
        'sampler = "tpe"',
        'pruner = "median"',
        f"# metric = {toml_value(metric)}     # the default for this target",
        "seed = 0",
        "",
        "[confirm]",
        "top = 5",
        "seeds = 10",
    ]


def _comment(text: str) -> str:
    """Return text that fits a comment: no line ends or control characters."""
    return "".join(each if each.isprintable() else " " for each in text)
