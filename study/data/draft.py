"""The spec that `study init FILE` writes: what was found in the file, as TOML with comments to edit.

Called through `study.data.draft_spec`. What would stop a run (text among numbers, identifiers) is set so that
the spec runs as it is; what a person should decide stands there as a comment.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from study.data import cells, kinds, loading, opening, overview, thousands
from study.data.draft_text import FOLDS, describe_task, render, study_name
from study.data.header import is_number
from study.data.sources import RawTable, find_file, read_source
from study.errors import UserError
from study.spec.data import DataSpec
from study.spec.markers import MISSING_MARKERS
from study.spec.reading import first_reason
from study.spec.sources import FILE_SUFFIXES

_FEW_MARKERS = 3
_GUESSES = 20

SMALL = 1_000  # rows of train and dev below which a spec has folds: a part of so few tells candidates apart by luck


@dataclass(frozen=True)
class Draft:
    """A spec as drafted.

    Attributes:
        text: TOML, to be saved in the folder of the file.
        name: of the study.
        read_as: how a text file is written, where it was found out.
        target: as the spec has it, None where the file has one labelled array.
        task: that the target makes, with its classes; None where it cannot be one.
        ignored: columns that only name a row.
        trouble: why the target cannot be one, where the guess was wrong.
        decisions: what else was decided on the way, a line each.
        warnings: what to look at before the study runs.
    """

    text: str
    name: str
    read_as: str | None
    target: str | int | None
    task: str | None
    ignored: tuple[str, ...]
    trouble: str | None
    decisions: tuple[str, ...]
    warnings: tuple[str, ...]


def write_draft(file: Path, target: str | None, reading: Mapping[str, object] | None = None) -> Draft:
    """Return a spec for the file.

    target: a column's name, or its position as text ("-1"); None for a guess. reading: keys of `[data]` that say how
    the file is written (separator, encoding, header, ...); what is not said is found.

    Raises:
        UserError: for a file that cannot be read as a table, or a named target that is not there or cannot be one.
    """
    if file.suffix.lower() not in FILE_SUFFIXES:
        raise UserError(f"{file}: a table is a file that ends in {' '.join(FILE_SUFFIXES)}")
    find_file(file.name, file.parent, key="source")
    settings: dict[str, object] = {"source": file.name, **(reading or {})}
    _check(settings)
    if target is not None:
        settings["target"] = _target_key(settings, target, file.parent)
    opened, trouble = _open(settings, file.parent, guessed=target is None)
    spec = DataSpec.model_validate(settings)
    ignored = spec.ignore
    look, read_as, decisions = None, None, list[str]()
    if opened is not None:
        decisions = _set_aside_what_stops(opened, settings)
        if len(opened.parts["train"]) + len(opened.parts["dev"]) < SMALL:
            settings |= _folds(settings, file.parent)
        # The whole way once, so that what is written is known to load.
        opened = replace(opened, spec=DataSpec.model_validate(settings))
        dataset = loading.prepare(opened, opened.parts["train"], opened.parts["dev"])
        look = overview.describe(opened, dataset)
        identifiers = [name for each in look.warnings if each.subject == "identifier" for name in each.columns]
        if identifiers and len(identifiers) < len(look.columns):
            settings["ignore"], ignored = identifiers, tuple(identifiers)
        read_as = opened.raw.read_as or None
        # The first guess of the target is no news: it may have turned out to be none.
        known = {"file", "target"} if target is None else {"file"}
        decisions = [*overview.list_decisions(dataset, look.columns, without=known), *decisions]
    warnings = () if look is None else tuple(each for each in look.warnings if each.subject != "identifier")
    return Draft(
        text=render(settings, look, read_as, trouble, decisions, guessed=target is None),
        name=study_name(file),
        read_as=read_as,
        target=spec.target,
        task=None if look is None else describe_task(look),
        ignored=ignored,
        trouble=trouble or None,
        decisions=tuple(decisions),
        warnings=tuple(each.message for each in warnings),
    )


def _target_key(settings: dict[str, object], target: str, base: Path) -> str | int:
    """Return the target as the spec has it: a position where the text is one and no column has that name."""
    spec = DataSpec.model_validate(settings)
    if not re.fullmatch(r"-?\d+", target) or spec.kind == "arrays":
        return target
    columns = read_source(spec.model_copy(update={"target": 0}), base).frame.columns
    if target in columns or -len(columns) <= int(target) < len(columns):
        return target if target in columns else int(target)
    try:
        read_source(spec.model_copy(update={"target": target}), base)  # a name in a header of numbers, perhaps
    except UserError:
        return int(target)
    return target


def _check(settings: dict[str, object]) -> None:
    """Check keys of `[data]` that were given as options.

    Raises:
        UserError: one of them has a value that breaks a rule.
    """
    try:
        DataSpec.model_validate(settings)
    except ValidationError as error:
        option = " ".join(f"--{key}: " for key in error.errors()[0]["loc"])
        raise UserError(f"{option}{first_reason(error)}") from None


def _open(settings: dict[str, object], base: Path, *, guessed: bool) -> tuple[opening.Opened | None, str]:
    """Open the source; where no guess can be a target, return None and what is wrong with the first."""
    raw = read_source(DataSpec.model_validate(settings), base)
    if DataSpec.model_validate(settings).kind == "text":
        raw = _with_thousands(raw, settings, base)
    opened, trouble = None, ""
    # Of a guess that cannot be a target (names, say) the columns to the left are tried.
    names = [raw.target, *reversed(raw.features)][:_GUESSES] if guessed else [raw.target]
    for name in names:
        try:
            opened = opening.open_raw(DataSpec.model_validate(settings), replace(raw, target=name))
        except UserError as error:
            if not guessed:
                raise
            trouble = trouble or str(error)
        else:
            break
    if opened is None:
        settings["target"] = raw.target
        return None, trouble
    raw = opened.raw
    if guessed and DataSpec.model_validate(settings).kind != "arrays":
        headerless = raw.dialect.get("header") is False
        settings["target"] = -1 if headerless and raw.target == raw.frame.columns[-1] else raw.target
    usual = {
        "separator": "\t" if str(settings["source"]).lower().endswith(".tsv") else ",",
        "quote": '"',
        "header": True,
        "decimal": ".",
        "escape": "",
        "encoding": None,
        "skip_lines": None,
        "thousands": None,
    }
    settings |= {key: value for key, value in raw.dialect.items() if value != usual[key]}
    if raw.dialect.get("header") and any(is_number(str(name)) for name in raw.frame.columns):
        settings["header"] = True  # a file without the target, to predict for, might look as if it had none
    return opened, ""


def _with_thousands(raw: RawTable, settings: dict[str, object], base: Path) -> RawTable:
    """Set the key `thousands` where columns of numbers have grouped digits, and return the table read with it."""
    found = [thousands.find_mark(raw.frame[name], MISSING_MARKERS, raw.decimal) for name in raw.frame.columns]
    marks = [mark for mark in found if mark is not None]
    if not marks:
        return raw
    settings["thousands"] = max(marks, key=marks.count)
    return read_source(DataSpec.model_validate(settings), base)


def _set_aside_what_stops(opened: opening.Opened, settings: dict[str, object]) -> list[str]:
    """Add to the settings what `find_columns` would stop at, text and infinities among numbers; return what was done.

    A few words are markers of missing cells, in that column alone. A text with a digit in it (3+, <0.05) says
    something, so that it never becomes one: its column is then a category.
    """
    frame = opened.cells(opened.parts["train"])
    rows = opened.rows(opened.parts["train"])
    known, categorical, decisions = opened.spec.missing, list(opened.spec.categorical), list[str]()
    missing = {name: list(markers) for name, markers in known.items()} if isinstance(known, dict) else {}
    while True:
        try:
            kinds.find_columns(frame, rows, DataSpec.model_validate(settings), opened.raw.decimal, opened.raw.label)
        except kinds.ColumnError as error:
            if len(error.texts) <= _FEW_MARKERS and not any(re.search(r"\d", text) for text in error.texts):
                missing.setdefault(error.column, []).extend(error.texts)
                settings["missing"] = missing
            else:
                categorical.append(error.column)
                settings["categorical"] = categorical
                some = cells.quoted_list(error.texts[:_FEW_MARKERS])
                decisions.append(
                    f"{error.column}: mixes numbers and text such as {some}, so it is read as categories; "
                    "where these are quantities, write plain numbers"
                )
        else:
            return decisions


def _folds(settings: dict[str, object], base: Path) -> dict[str, object]:
    """Return the key that has train and dev cut into folds; without one where there are too few rows for that."""
    folds: dict[str, object] = {"folds": FOLDS}
    try:
        loading.load_fold_datasets(DataSpec.model_validate(settings | folds), base)
    except UserError:
        return {}
    return folds
