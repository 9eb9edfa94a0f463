"""Draft a spec for a source of data, both as a mapping and as commented TOML.

Anything that would stop a run, such as text among numbers, is handled by keys, so the spec runs without changes.
Decisions that are left to the user are described in comments.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from study.data import cells, kinds, loading, opening, overview, thousands
from study.data.dataset import Dataset
from study.data.draft_tables import FOLDS, draft_tables, study_name
from study.data.draft_text import describe_task, render
from study.data.header import is_number
from study.data.losses import list_losses
from study.data.sources import RawTable, find_file, read_source
from study.errors import UserError
from study.spec.data import DataSpec
from study.spec.markers import MISSING_MARKERS
from study.spec.reading import check_table
from study.spec.sources import FILE_SUFFIXES, takes_key

_FEW_MARKERS = 3
_GUESSES = 20

SMALL = 1_000  # with fewer rows in train and dev, a draft uses folds: comparisons on a smaller dev set are too noisy


@dataclass(frozen=True)
class Draft:
    """A drafted spec.

    Attributes:
        text: The spec as TOML with comments, to be saved in the folder of the file.
        tables: The same spec as a mapping, without the comments.
        name: Name of the study.
        read_as: The detected format of a text file, or None.
        target: The target as in the spec, or None for array files, whose labels are a separate array.
        task: The task and its classes, or None if no column can be the target.
        ignored: Columns that only identify rows.
        trouble: Why the guessed target is unsuitable, or None.
        decisions: Other decisions, one line each.
        warnings: Problems to check before the study runs.
        losses: Rows, cells and columns that are not used, and severe warnings, one line each.
        datasets: The data as this spec has them loaded: one dataset, or one for each fold; () without a target.
    """

    text: str
    tables: dict[str, object]
    name: str
    read_as: str | None
    target: str | int | None
    task: str | None
    ignored: tuple[str, ...]
    trouble: str | None
    decisions: tuple[str, ...]
    warnings: tuple[str, ...]
    losses: tuple[str, ...] = ()
    datasets: tuple[Dataset, ...] = field(default=(), repr=False, compare=False)


def write_draft(file: Path, target: str | None, options: Mapping[str, object] | None = None) -> Draft:
    """Draft a spec for a file, to be saved in its folder.

    Args:
        file: The table.
        target: The name of the target column, or its position as text ("-1"). None guesses the target.
        options: Keys of `[data]`, such as those that describe the file format (separator, encoding, header, ...). The
            rest is detected.

    Raises:
        SpecError: If an option is invalid.
        UserError: If the file cannot be read as a table, or the given target is missing or unsuitable.
    """
    if file.suffix.lower() not in FILE_SUFFIXES:
        raise UserError(f"{file}: the name of a table must end in one of {' '.join(FILE_SUFFIXES)}")
    find_file(file.name, file.parent, key="source")
    return draft_source(file.name, file.parent, target, options)


def draft_source(
    source: str, base: Path, target: str | int | None = None, options: Mapping[str, object] | None = None
) -> Draft:
    """Draft a spec for any source of data.

    Args:
        source: The source, as in `[data]`.
        base: The folder to which file paths are relative.
        target: The name or position of the target column. None guesses the target.
        options: Keys of `[data]`. The rest is detected.

    Raises:
        SpecError: If an option is invalid.
        UserError: If the source cannot be read, or the given target is missing or unsuitable.
    """
    settings: dict[str, object] = {"source": source, **(options or {})}
    check_table("data", settings)
    if target is not None:
        settings["target"] = _target_key(settings, target, base) if isinstance(target, str) else target
    check_table("data", settings)
    opened, trouble = _open(settings, base, guessed=target is None)
    spec = DataSpec.model_validate(settings)
    ignored = spec.ignore
    look, read_as, decisions, losses = None, None, list[str](), tuple[str, ...]()
    datasets: tuple[Dataset, ...] = ()
    if opened is not None:
        decisions = _resolve_column_errors(opened, settings)
        datasets = _load_folds(opened, settings, base)
        # Load the data once with the drafted keys, to be sure that the spec is valid.
        opened = replace(opened, spec=DataSpec.model_validate(settings))
        dataset = loading.prepare(opened, opened.parts["train"], opened.parts["dev"])
        look = overview.describe(opened, dataset)
        identifiers = [name for each in look.warnings if each.subject == "identifier" for name in each.columns]
        # A transformer may need the columns that it names.
        given = settings.keys() & {"ignore", "transform"}
        if identifiers and len(identifiers) < len(look.columns) and not given:
            ignored = tuple(identifiers)
            settings["ignore"] = identifiers
        losses = list_losses(look, dataset, decisions, settings.get("missing"), ignored if not spec.ignore else ())
        datasets = datasets or (dataset,)
        read_as = opened.raw.read_as or None
        # The note on a guessed target is omitted: it describes the first guess, which may have been rejected.
        known = {"file", "target"} if target is None else {"file"}
        decisions = [*overview.list_decisions(dataset, look.columns, without=known), *decisions]
    warnings = () if look is None else tuple(each for each in look.warnings if each.subject != "identifier")
    tables = draft_tables(settings, look)
    return Draft(
        text=render(tables, look, read_as, trouble, decisions, guessed=target is None),
        tables=tables,
        name=study_name(source),
        read_as=read_as,
        target=spec.target,
        task=None if look is None else describe_task(look),
        ignored=ignored,
        trouble=trouble or None,
        decisions=tuple(decisions),
        warnings=tuple(each.message for each in warnings),
        losses=losses,
        datasets=datasets,
    )


def _target_key(settings: dict[str, object], target: str, base: Path) -> str | int:
    """Return the target for the spec: a position if the text is an integer and no column has that name."""
    spec = DataSpec.model_validate(settings)
    if not re.fullmatch(r"-?\d+", target) or spec.kind == "arrays":
        return target
    columns = read_source(spec.model_copy(update={"target": 0}), base).frame.columns
    if target in columns or -len(columns) <= int(target) < len(columns):
        return target if target in columns else int(target)
    try:
        read_source(spec.model_copy(update={"target": target}), base)  # the header may consist of numbers
    except UserError:
        return int(target)
    return target


def _open(settings: dict[str, object], base: Path, *, guessed: bool) -> tuple[opening.Opened | None, str]:
    """Open the source. If no guess is suitable as the target, return None and the reason for the first guess."""
    raw = read_source(DataSpec.model_validate(settings), base)
    if DataSpec.model_validate(settings).kind == "text" and "thousands" not in settings:
        raw = _with_thousands(raw, settings, base)
    opened, trouble = None, ""
    # If a guess is unsuitable, such as a column of names, the columns to its left are tried.
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
        if takes_key(str(settings["source"]), "target"):
            settings["target"] = raw.target
        return None, trouble
    raw = opened.raw
    if guessed and takes_key(str(settings["source"]), "target"):
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
        settings["header"] = True  # a file for prediction has fewer columns, and might seem to have no header
    return opened, ""


def _with_thousands(raw: RawTable, settings: dict[str, object], base: Path) -> RawTable:
    """Set `thousands` if numeric columns have grouped digits, and return the table as read with that setting."""
    found = [thousands.find_mark(raw.frame[name], MISSING_MARKERS, raw.decimal) for name in raw.frame.columns]
    marks = [mark for mark in found if mark is not None]
    if not marks:
        return raw
    settings["thousands"] = max(marks, key=marks.count)
    return read_source(DataSpec.model_validate(settings), base)


def _resolve_column_errors(opened: opening.Opened, settings: dict[str, object]) -> list[str]:
    """Add keys for everything that `find_columns` rejects, such as text or infinity in numeric columns.

    A few words become markers of missing cells in their column. Text with a digit in it (3+, <0.05) carries
    information, so it never becomes a marker, and its column is read as categories.

    Returns:
        The decisions, one line each.
    """
    frame = opened.cells(opened.parts["train"])
    rows = opened.rows(opened.parts["train"])
    categorical, decisions = list(opened.spec.categorical), list[str]()
    while True:
        try:
            kinds.find_columns(frame, rows, DataSpec.model_validate(settings), opened.raw.decimal, opened.raw.label)
        except kinds.ColumnError as error:
            if len(error.texts) <= _FEW_MARKERS and not any(re.search(r"\d", text) for text in error.texts):
                settings["missing"] = _with_markers(settings.get("missing") or {}, error.column, error.texts)
            else:
                categorical.append(error.column)
                settings["categorical"] = categorical
                some = cells.quoted_list(error.texts[:_FEW_MARKERS])
                decisions.append(
                    f"{error.column} mixes numbers and text such as {some}, so it is read as categories; "
                    "if the values are quantities, write plain numbers"
                )
        else:
            return decisions


def _with_markers(known: object, column: str, texts: Sequence[str]) -> object:
    """Return the key `missing` with more markers for a column. Markers in a list apply to all columns."""
    if not isinstance(known, Mapping):
        return [*cast("Sequence[str]", known), *texts]
    return {**known, column: [*known.get(column, ()), *texts]}


def _load_folds(opened: opening.Opened, settings: dict[str, object], base: Path) -> tuple[Dataset, ...]:
    """Return a dataset for each fold; () without folds. For a small table, the key `folds` is drafted if it can be.

    Raises:
        UserError: a fold of the given number of folds would be empty.
    """
    if "folds" in settings:
        spec = DataSpec.model_validate(settings)
        return loading.load_fold_datasets(spec, base) if spec.folds else ()
    if len(opened.parts["train"]) + len(opened.parts["dev"]) >= SMALL:
        return ()
    try:
        datasets = loading.load_fold_datasets(DataSpec.model_validate(settings | {"folds": FOLDS}), base)
    except UserError:
        return ()
    settings["folds"] = FOLDS
    return datasets
