"""The text of a drafted spec: TOML, with comments on what was detected and on other keys."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import cast

from study.data import overview
from study.data.draft_tables import FOLDS, OPTIMIZERS
from study.text.formatting import counted
from study.text.toml_text import toml_key, toml_value

_DATA_COMMENTS = {
    "split": "train, dev, test",
    "missing": 'markers of missing cells, by column, in addition to "", NA, NaN, ?',
    "ignore": "identifiers: a different whole number in each row",
    "categorical": "these columns mix numbers and text",
    "folds": "cross-validation, because train and dev have few rows",
    "thousands": "thousands separator",
    "decimal": "decimal mark",
}
_SPACE_COMMENTS = {
    "learning_rate": "initial value; up to 1 for gradient_descent",
    "iterations": "mini-batches, not epochs",
    "depth": "hidden layers; 0 gives a linear model",
    "units": "sampled for each hidden layer",
    "activation": "also leaky_relu, elu, gelu, silu, sigmoid",
    "schedule": "decays to 1% of the initial learning rate",
    "class_weight": "balanced: rare classes count as much as others",
}
_SPACE_WIDTH = 60  # of the keys of [space], before their comments


def render(
    tables: Mapping[str, object],
    look: overview.DataSummary | None,
    read_as: str | None,
    trouble: str,
    decisions: Sequence[str],
    *,
    guessed: bool,
) -> str:
    """Return the text of the spec.

    Args:
        tables: The tables of the spec, as from `draft_tables`.
        look: Summary of the data, or None if no column can be the target.
        read_as: The detected format of a text file, or None.
        trouble: Why the target is unsuitable, or "".
        decisions: Other decisions, one line each.
        guessed: Whether the target is a guess.
    """
    data = cast("Mapping[str, object]", tables["data"])
    file = PurePath(str(data["source"]))
    lines = [
        f"# A study of {file.name}. Edit this file, preview the study with `study plan`, and run it with `study run`.",
        f"name = {toml_value(tables['name'])}",
        f"description = {toml_value(tables['description'])}",
        "",
        "[data]",
        f"source = {toml_value(data['source'])}",
    ]
    if read_as is not None:
        lines.append(f"# read as: {_comment(read_as)}")
    lines += _target_lines(data, look, trouble, guessed)
    comments = _DATA_COMMENTS | {
        "header": "" if data.get("header") else "the first line is data; columns are column_0, column_1, ..."
    }
    for key, value in data.items():
        if key not in ("source", "target"):
            lines.append(f"{key} = {toml_value(value)}" + (f"     # {comments[key]}" if comments.get(key) else ""))
    lines += [f"# Decided: {_comment(each)}" for each in decisions]
    lines += _warning_lines(look)
    dates = [column.name for column in look.columns if column.kind == "date"] if look is not None else []
    date = dates[0] if dates else "date"
    if "folds" not in data:
        lines.append(f"# folds = {FOLDS}                 # cross-validation over train and dev")
    lines += [
        '# group = "patient"         # keep all rows of a patient in the same split',
        f"{f'# time = {toml_value(date)}':<28}# split by time: train, then dev, then test",
    ]
    lines += ["", "[space]", *_space_lines(cast("Mapping[str, object]", tables["space"]))]
    lines += ["", "[search]", *_search_lines(cast("Mapping[str, object]", tables["search"]), look)]
    confirm = cast("Mapping[str, object]", tables["confirm"])
    lines += ["", "[confirm]", *(f"{key} = {toml_value(value)}" for key, value in confirm.items())]
    return "\n".join(lines) + "\n"


def describe_task(look: overview.DataSummary) -> str:
    """Describe the task: its classes with the number of rows in each, or the reason for a regression."""
    if not look.classes:
        return f"{look.task} ({look.task_reason})"
    shown = ", ".join(f"{name} ({count:,})" for name, count in list(look.classes.items())[:10])
    more = f" and {len(look.classes) - 10} more" if len(look.classes) > 10 else ""
    number = "two classes" if look.task == "binary" else f"{len(look.classes)} classes"
    return f"{look.task}, {number} (rows of each): {shown}{more}"


def _target_lines(
    settings: Mapping[str, object], look: overview.DataSummary | None, trouble: str, guessed: bool
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


def _space_lines(space: Mapping[str, object]) -> list[str]:
    others = [name for name in OPTIMIZERS if name not in cast("Sequence[str]", space["optimizer"])]
    comments = _SPACE_COMMENTS | {"optimizer": f"also {', '.join(others)}"}
    width = max(map(len, space))
    lines = []
    for key, value in space.items():
        line = f"{toml_key(key):<{width}} = {toml_value(value)}"
        lines.append(f"{line:<{_SPACE_WIDTH}}# {comments[key]}" if key in comments else line)
    return lines


def _search_lines(search: Mapping[str, object], look: overview.DataSummary | None) -> list[str]:
    metric = look.default_metric if look is not None else "accuracy"
    lines = []
    for key, value in search.items():
        if key == "seed":
            lines.append(f"# metric = {toml_value(metric)}     # the default metric for this target")
        lines.append(f"{key} = {toml_value(value)}")
    return lines


def _comment(text: str) -> str:
    """Return text that is valid in a comment, without line breaks and control characters."""
    return "".join(each if each.isprintable() else " " for each in text)
