"""Warnings about a table before a search. Each warning states the problem, the place and the remedy.

Nothing in this module changes the data.
"""

import json
import re
from hashlib import sha256

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from scipy.stats import rankdata

from study.data import cells, kinds, leakage, thousands
from study.data.codes import find_codes
from study.data.dataset import Dataset
from study.data.leakage import WIDEST
from study.data.opening import Opened
from study.data.table_warning import TableWarning, some
from study.data.target import left_out_by_marker
from study.spec.markers import TARGET_MARKERS
from study.text.formatting import counted

FEW_ROWS = 10
SMALL_DEV = 0.05
LEFT_OUT = 0.01  # excluding more than this share of the rows is severe
_SIGNS = r"[$€£¥%'’\s]"  # the thousands separator is removed separately
_IDENTIFIER_NAME = re.compile(r"(^|[_ .:])(id|idx|index|key|no|nr|number|uuid|guid|unnamed)($|[_ .:])", re.IGNORECASE)


def find_data_warnings(opened: Opened, dataset: Dataset, smallest_difference: float) -> tuple[TableWarning, ...]:
    """Return all data warnings, those that invalidate results first."""
    found = find_severe_warnings(opened, dataset)
    names = list(dataset.column_names)
    found += _left_out(opened, names)
    found += _grouped_digits(opened, dataset)
    found += _columns(opened, dataset)
    found += find_codes(opened, dataset)
    if len(names) <= WIDEST:
        found += _same_columns(opened, names)
    found += _rare_classes(opened)
    found += _small_dev(opened, smallest_difference)
    return tuple(found)


def find_severe_warnings(opened: Opened, dataset: Dataset) -> list[TableWarning]:
    """Return the warnings that may be severe. A run and its report repeat the severe ones."""
    return [*leakage.find_duplicates(opened), *leakage.find_repeated_target(opened, dataset), *_rows_left_out(opened)]


def _rows_left_out(opened: Opened) -> list[TableWarning]:
    """Return a warning about rows whose class is a missing-cell marker such as NA, which may be an actual class."""
    raw, kept = opened.raw, opened.target.rows
    if not opened.target.classes:
        return []
    column = raw.frame[raw.target]
    markers = opened.spec.markers(raw.target, target=True)
    absent = cells.texts(column, markers).is_null().to_numpy(zero_copy_only=False)
    found = {text: rows for text, rows in left_out_by_marker(column, absent).items() if text in TARGET_MARKERS}
    if not found or len(kept) == 0:
        return []
    listed = ", ".join(f"{marker!r} in {counted(count, 'row')}" for marker, count in found.items())
    message = (
        f"rows with a missing target are excluded: {raw.target!r} is {listed}; "
        f"if that is a class, set [data] keep_na = [{json.dumps(raw.target, ensure_ascii=False)}]"
    )
    return [TableWarning("rows_left_out", message, (raw.target,), severe=sum(found.values()) > LEFT_OUT * len(column))]


def _grouped_digits(opened: Opened, dataset: Dataset) -> list[TableWarning]:
    """Return warnings about text columns that contain numbers with thousands separators, such as 1,250."""
    _, given = kinds.candidate_columns(opened.raw.features, opened.spec, opened.raw.label)
    columns = dataset.preprocessing.named_steps["cells"].columns
    numeric = [name for name, kind, _ in columns if kind not in ("categorical", "text")]
    frame = opened.cells(opened.parts["train"])
    found: dict[str, list[str]] = {}
    for name in opened.raw.features:
        if name in given or name in numeric or name in opened.spec.categorical:
            continue
        mark = thousands.find_mark(frame[name], opened.spec.markers(name), opened.raw.decimal)
        if mark is not None:
            found.setdefault(mark, []).append(name)
    return [
        TableWarning(
            "grouped_digits",
            f"columns of numbers with thousands separators are read as text: {some(names)}; "
            f'set [data] thousands = "{mark}"',
            tuple(names),
        )
        for mark, names in found.items()
    ]


def _left_out(opened: Opened, names: list[str]) -> list[TableWarning]:
    """Return warnings about columns that are not used: empty ones, numbers with symbols, nearly unique text."""
    raw = opened.raw
    _, given = kinds.candidate_columns(raw.features, opened.spec, raw.label)
    frame = opened.cells(opened.parts["train"])
    signs, texts, empty = dict[str, str](), dict[str, str](), list[str]()
    for name in sorted(set(raw.features) - set(names) - set(given), key=raw.features.index):
        markers = opened.spec.markers(name)
        found = cells.texts(frame[name], markers)
        if found.null_count == len(found):
            empty.append(name)
            continue
        plain = pc.replace_substring(found, "." if raw.decimal == "," else ",", "")
        plain = pd.Series(pd.arrays.ArrowExtensionArray(pc.replace_substring_regex(plain, _SIGNS, "")))
        if thousands.find_mark(frame[name], markers, raw.decimal):
            continue  # _grouped_digits warns about it
        numbers = not cells.numbers(plain, markers, raw.decimal)[1].any()
        (signs if numbers else texts)[name] = f"{name} ({kinds.example(found)})"
    found = []
    if signs:
        message = (
            f"columns with symbols in their numbers are not used: {some([*signs.values()])}; "
            "write plain numbers, such as 1234.5"
        )
        found.append(TableWarning("no_feature", message, tuple(signs)))
    if texts:
        message = (
            f"columns with a different text in nearly every row are not used: {some([*texts.values()])}; "
            "if a column groups rows, add it to [data] categorical"
        )
        found.append(TableWarning("no_feature", message, tuple(texts)))
    if empty:
        message = f"columns that have no values in train are not used: {some(empty)}; consider [data] drop"
        found.append(TableWarning("no_feature", message, tuple(empty)))
    return found


def _columns(opened: Opened, dataset: Dataset) -> list[TableWarning]:
    """Return warnings about columns that, in train, are constant, mostly missing, or look like identifiers."""
    constant, empty, identifiers = [], [], []
    frame = opened.cells(opened.parts["train"])
    for name, kind, _ in dataset.preprocessing.named_steps["cells"].columns:
        column, markers = frame[name], opened.spec.markers(name)
        if cells.is_number_typed(column):
            values = cells.numbers(column, markers, opened.raw.decimal)[0]
        else:
            texts = cells.texts(column, markers)
            codes, uniques = pd.factorize(texts.to_pandas())
            values = np.where(codes < 0, np.nan, codes.astype(np.float64))
            if len(uniques) > 1 and len(uniques) == len(values):
                numbers, bad = cells.numbers(column, markers, opened.raw.decimal)
                values = values if bad.any() else numbers
        gaps = int(np.isnan(values).sum())
        present = values[~np.isnan(values)]
        distinct = len(np.unique(present))
        if distinct <= 1 and gaps in (0, len(values)):
            constant.append(name)
        elif gaps > 0.9 * len(values):
            empty.append(name)
        elif kind not in ("date", "text") and distinct == len(values) and (present == np.round(present)).all():
            span = present.max() - present.min() + 1
            if _IDENTIFIER_NAME.search(name) or span < 2 * len(opened.target.rows) or (np.diff(present) > 0).all():
                identifiers.append(name)
    found = []
    if constant:
        found.append(
            TableWarning(
                "constant", f"constant columns in train: {some(constant)}; they carry no information", tuple(constant)
            )
        )
    if empty:
        message = f"columns with more than 90% missing cells in train: {some(empty)}; consider [data] drop"
        found.append(TableWarning("mostly_missing", message, tuple(empty)))
    if identifiers:
        message = (
            f"columns with a different whole number in each row: {some(identifiers)}; "
            "if they are identifiers, add them to [data] ignore"
        )
        found.append(TableWarning("identifier", message, tuple(identifiers)))
    return found


def _same_columns(opened: Opened, names: list[str]) -> list[TableWarning]:
    """Return warnings about redundant columns, such as class and pclass, or °C and °F."""
    frame = opened.cells(opened.parts["train"])
    by_pattern: dict[bytes, list[str]] = {}
    for name in names:
        pattern = _pattern(opened, frame[name])
        if pattern is not None:
            by_pattern.setdefault(pattern, []).append(name)
    return [
        TableWarning("same_column", f"{some(same)} are redundant on the training set; drop all but one", tuple(same))
        for same in by_pattern.values()
        if len(same) > 1
    ]


def _pattern(opened: Opened, column: pd.Series) -> bytes | None:
    """Return a digest that redundant columns share, or None if the column is constant or its text is nearly unique.

    If values repeat, the digest identifies which cells are equal. For numbers that hardly repeat, it identifies their
    order up to reversal.
    """
    markers = opened.spec.markers(str(column.name))
    codes, uniques = pd.factorize(column if cells.is_number_typed(column) else cells.texts(column, markers).to_pandas())
    if len(uniques) <= 1:
        return None
    single = int((np.bincount(codes[codes >= 0]) == 1).sum())
    if 2 * single <= len(uniques):
        return sha256(codes.astype(np.int32).tobytes()).digest()
    values, bad = cells.numbers(column, markers, opened.raw.decimal)
    if bad.any():
        return None
    places = rankdata(values, method="dense", nan_policy="omit")
    turned = np.nanmax(places) + 1 - places
    return min(sha256(way.tobytes()).digest() for way in (places, turned))


def _rare_classes(opened: Opened) -> list[TableWarning]:
    target = opened.target
    if not target.classes:
        return []
    found = []
    for code, name in enumerate(target.classes):
        counts = {part: int((target.codes[rows] == code).sum()) for part, rows in opened.parts.items()}
        if counts["train"] < FEW_ROWS or min(counts.values()) == 0:
            spread = ", ".join(f"{count} in {part}" for part, count in counts.items())
            message = f"class {name!r} has few rows ({spread}); merge it with another class or add more rows"
            found.append(TableWarning("rare_class", message, (name,)))
    return found


def _small_dev(opened: Opened, smallest: float) -> list[TableWarning]:
    if smallest <= SMALL_DEV:
        return []
    folds, m = opened.spec.folds, len(opened.parts["dev"])
    if folds:
        rows = f"train and dev have {counted(m + len(opened.parts['train']), 'example')}"
    else:
        rows = f"dev has {counted(m, 'example')}"
    remedy = "add more rows" if folds else "consider [data] folds = 5 or add more rows"
    regression = opened.target.task == "regression"
    unit = f"{100 * smallest:.1f}% of the RMSE" if regression else f"{100 * smallest:.1f} percentage points of accuracy"
    message = f"{rows}, too few to detect differences below {unit} between candidates (paired, 5% level); {remedy}"
    return [TableWarning("small_dev", message)]
