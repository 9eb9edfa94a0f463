"""The text of a drafted spec: TOML, with comments on what was detected and on other keys."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from study.data import overview
from study.text.formatting import counted
from study.text.toml_text import toml_value

# With more training rows than LONG, a draft trains longer; with more than LARGE, it also uses larger batches.
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
    """Return the text of the spec.

    Args:
        settings: Keys of `[data]`.
        look: Summary of the data, or None if no column can be the target.
        read_as: The detected format of a text file, or None.
        trouble: Why the target is unsuitable, or "".
        decisions: Other decisions, one line each.
        guessed: Whether the target is a guess.
    """
    file = PurePath(str(settings["source"]))
    lines = [
        f"# A study of {file.name}. Edit this file, preview the study with `study plan`, and run it with `study run`.",
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
        "missing": 'markers of missing cells, by column, in addition to "", NA, NaN, ?',
        "ignore": "identifiers: a different whole number in each row",
        "categorical": "these columns mix numbers and text",
        "folds": "cross-validation, because train and dev have few rows",
        "thousands": "thousands separator",
        "decimal": "decimal mark",
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
        '# group = "patient"         # keep all rows of a patient in the same part',
        f"{f'# time = {toml_value(date)}':<28}# split by time: train, then dev, then test",
    ]
    metric = look.default_metric if look is not None else "accuracy"
    lines += _search_lines(look, metric)
    return "\n".join(lines) + "\n"


def study_name(file: PurePath) -> str:
    """Return a valid study name made from the stem of the file: letters, digits, - and _."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-_") or "data"


def describe_task(look: overview.DataSummary) -> str:
    """Describe the task: its classes with the number of rows in each, or the reason for a regression."""
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
        why = "a guess; change it to the column that you want to predict" if guessed else ""
        lines.append(f"target = {toml_value(settings['target'])}" + (f"     # {why}" if why else ""))
    if trouble:
        lines.append(f"# This column cannot be used as the target: {trouble}")
    if look is not None:
        lines.append(f"# task: {_comment(describe_task(look))}")
        lines.append(f"# {counted(look.rows, 'row')}; columns:")
        for column in look.columns[:60]:
            gaps = f", {column.missing} missing" if column.missing else ""
            lines.append(f"#   {_comment(column.name)}: {column.kind}, {column.distinct} distinct{gaps}")
        if len(look.columns) > 60:
            lines.append(f"#   and {len(look.columns) - 60} more")
    return lines


def _warning_lines(look: overview.DataSummary | None) -> list[str]:
    lines = []
    if look is not None:
        lines += [f"# Warning: {_comment(each.message)}" for each in look.warnings if each.subject != "identifier"]
        drop = [name for each in look.warnings if each.subject == "repeats_target" for name in each.columns]
        lines.append(f"# drop = {toml_value(drop)}     # columns to exclude from the features")
    return lines


def _search_lines(look: overview.DataSummary | None, metric: str) -> list[str]:
    rows = look.parts["train"] if look is not None else 1000
    large = rows > LARGE
    # Only mini-batches: with the full batch, a trial on a large table takes minutes and learns little more. A batch is
    # at most half of the rows.
    sizes = [size for size in ((128, 512, 2048) if large else (32, 128)) if size * 2 <= rows]
    batches = toml_value(sizes) if sizes else '"full"'
    iterations = "low = 500, high = 4000, step = 500" if rows > LONG else "low = 200, high = 2000, step = 200"
    # With squared errors, outliers make Nesterov momentum diverge, because its steps are unbounded, unlike Adam's.
    regression = look is not None and look.task == "regression"
    optimizers = ["adam", "adamw"] if regression else ["adam", "nesterov"]
    others = [
        name for name in ("nesterov", "momentum", "rmsprop", "adamw", "gradient_descent") if name not in optimizers
    ]
    return [
        "",
        "[space]",
        "learning_rate = { low = 5e-4, high = 0.05, log = true }     # initial value; up to 1 for gradient_descent",
        f"{f'iterations    = {{ {iterations} }}':<60}# mini-batches, not epochs",
        "depth         = { low = 0, high = 3 }                       # hidden layers; 0 gives a linear model",
        "units         = { low = 8, high = 128, log = true }         # sampled for each hidden layer",
        'activation    = ["relu", "tanh"]                            # also leaky_relu, elu, gelu, silu, sigmoid',
        f"{f'optimizer     = {toml_value(optimizers)}':<60}# also {', '.join(others)}",
        f"batch_size    = {batches}",
        "l2            = { low = 1e-6, high = 1e-2, log = true }",
        'schedule      = "cosine"                                    # decays to 1% of the initial learning rate',
        "",
        "[search]",
        "trials = 60",
        'sampler = "tpe"',
        'pruner = "median"',
        f"# metric = {toml_value(metric)}     # the default metric for this target",
        "seed = 0",
        "",
        "[confirm]",
        "top = 5",
        "seeds = 10",
    ]


def _comment(text: str) -> str:
    """Return text that is valid in a comment, without line breaks and control characters."""
    return "".join(each if each.isprintable() else " " for each in text)
