"""Detect the kind of each column from train only: number, category, Boolean or date, or not usable."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from study.data import cells, dates
from study.data.misfits import Kind, find_misfits
from study.data.thousands import hint
from study.errors import UserError, did_you_mean
from study.spec.data import DataSpec
from study.text.formatting import agree, counted
from study.text.toml_text import toml_key

# With more than this share of numbers, a column that also contains text is ambiguous: numeric or categorical.
MIXED_SHARE = 0.8
# Text identifies rows if more than this share of it is distinct. This cannot be judged on few rows.
IDENTIFIER_SHARE = 0.5
IDENTIFIER_LEAST = 30
_SAMPLE = 500
_HEAD = 1000


@dataclass(frozen=True)
class Column:
    """A column and its kind.

    Attributes:
        name: Name of the column.
        kind: Kind of its values.
        form: Format of a date.
        named: Whether the spec sets the kind.
    """

    name: str
    kind: Kind
    form: str = ""
    named: bool = False


class ColumnError(UserError):
    """A column cannot be read. `texts` contains up to ten distinct cells that prevent it."""

    def __init__(self, message: str, column: str, texts: tuple[str, ...]) -> None:
        super().__init__(message)
        self.column = column
        self.texts = texts


@dataclass(frozen=True)
class Columns:
    """The columns that become features, the excluded columns with the reason, and notes on decisions."""

    used: tuple[Column, ...]
    left_out: dict[str, str]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that become features, in the order of the source."""
        return tuple(column.name for column in self.used)


def candidate_columns(features: list[str], spec: DataSpec, label: str) -> tuple[list[str], dict[str, str]]:
    """Return the columns that may become features, and the excluded columns with the reason.

    Raises:
        UserError: If the spec names a column that does not exist, or excludes all columns.
    """
    for key in ("numeric", "categorical", "boolean", "dates", "drop", "ignore"):
        for name in getattr(spec, key):
            if name not in features:
                raise UserError(f"{label}: [data] {key}: column {name!r} not found; "
                                f"{did_you_mean(name, features)}")  # fmt: skip
    left_out = dict.fromkeys(spec.drop, "dropped") | dict.fromkeys(spec.ignore, "identifier")
    for role in ("group", "time", "weight"):
        name = getattr(spec, role)
        if name is None:
            continue
        if name not in features:
            raise UserError(f"{label}: [data] {role}: column {name!r} not found; {did_you_mean(name, features)}")
        if role != "time" or name not in (*spec.dates, *spec.numeric):
            left_out[name] = role
    kept = [name for name in features if name not in left_out]
    if not kept:
        raise UserError(f"{label}: [data] drop and ignore exclude all columns; keep at least one as a feature")
    return kept, left_out


def find_columns(
    frame: pd.DataFrame, rows: npt.NDArray[np.int64], spec: DataSpec, decimal: str, label: str, *, strict: bool = True
) -> Columns:
    """Detect the kind of each column.

    Args:
        frame: The rows of train, without the target.
        rows: Their numbers in the source.
        spec: The `[data]` table.
        decimal: The decimal mark.
        label: The name of the source in messages.
        strict: Whether numbers mixed with a little text are an error. Otherwise the text is treated as missing.

    Raises:
        UserError: If a cell does not match the kind that the spec sets, a column mixes numbers with a little text or
            contains infinity, or no usable column is left.
    """
    candidates, left_out = candidate_columns([str(name) for name in frame.columns], spec, label)
    named = _named(spec)
    used: list[Column] = []
    notes: list[str] = []
    for name in candidates:
        column = named.get(name) or _find_kind(frame[name], rows, spec, decimal, label, strict=strict)
        if isinstance(column, str) and spec.transform is not None:
            column = Column(name, "text")
        if isinstance(column, str):
            left_out[name] = column
            continue
        if column.kind == "date" and not column.form:
            column = Column(name, "date", date_format(frame[name], spec, label, rows), named=True)
        check_cells(frame[name], column, rows, spec, decimal, label)
        if column.kind == "date":
            notes += date_notes(frame[name], spec, column.form)
        used.append(column)
    if not used:
        why = ", ".join(f"{name} ({why})" for name, why in list(left_out.items())[:3])
        raise UserError(
            f"{label}: there are no usable columns: {why}; "
            "write plain numbers, write dates as 2024-12-31, or list columns in [data] categorical"
        )
    if len(left_out) - len(spec.drop) - len(spec.ignore):
        why = ", ".join(f"{name} ({why})" for name, why in left_out.items() if why not in ("dropped", "identifier"))
        notes.append(f"columns not used as features: {why}")
    return Columns(tuple(used), left_out, tuple(notes))


def check_cells(
    column: pd.Series, what: Column, rows: npt.NDArray[np.int64], spec: DataSpec, decimal: str, label: str
) -> None:
    """Check the cells of a column against its kind.

    Raises:
        UserError: If a cell is infinite or does not match the kind that the spec sets.
    """
    if what.kind in ("categorical", "text"):
        return
    markers = spec.markers(what.name)
    if what.kind == "numeric":
        values, bad = cells.numbers(column, markers, decimal)
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            value = str(column.iloc[int(infinite[0])]).strip()
            raise ColumnError(
                f"{label}: column {what.name!r} is infinite in row {rows[infinite[0]] + 1}: {value!r}; "
                f'correct it, or mark it as missing with [data] missing = ["{value}"]',
                what.name,
                _different(column, np.isinf(values)),
            )
    elif what.kind == "boolean":
        values, bad = cells.truths(column, markers)
    else:
        stamps, bad = cells.dates(column, markers, what.form, or_iso=True)
        values = stamps.to_numpy()
    if what.named and bad.any():
        found = find_misfits(column, what.kind, what.form, values, bad, rows)
        key = {"numeric": "numeric", "boolean": "boolean", "date": "dates"}[what.kind]
        first = str(column.iloc[int(np.flatnonzero(bad)[0])])
        remedy = hint(first, decimal) if what.kind == "numeric" else ""
        raise UserError(
            f"{label}: column {what.name!r} is listed in [data] {key}, but row {found.row} contains {found.value}, "
            f"which {found.is_not}; {remedy or f'add it to [data] missing, or remove the column from {key}'}"
        )


def date_format(column: pd.Series, spec: DataSpec, label: str, rows: npt.NDArray[np.int64], key: str = "dates") -> str:
    """Return the first known date format that matches all cells.

    Args:
        column: The cells.
        spec: The `[data]` table.
        label: The name of the source in messages.
        rows: The numbers of the rows in the source.
        key: The key of `[data]` that declares the column as dates.

    Raises:
        UserError: If no format matches. The message names a row.
    """
    markers = spec.markers(str(column.name))
    texts = cells.texts(column, markers).drop_null()
    if cells.is_date_typed(column) or len(texts) == 0:
        return dates.ISO
    found = dates.matching_format(texts, spec.day_first)
    if found:
        return found
    head = column.iloc[:_HEAD]
    fewest = min(dates.formats(spec.day_first), key=lambda form: int(cells.dates(head, markers, form)[1].sum()))
    wrong = int(np.flatnonzero(cells.dates(column, markers, fewest)[1])[0])
    raise UserError(
        f"{label}: column {column.name!r} is listed in [data] {key}, but row {rows[wrong] + 1} contains "
        f"{cells.quoted(column.iloc[wrong])}, which does not have the same format as the other rows; "
        "write dates as 2024-12-31 or 2024-12-31 23:59"
    )


def date_notes(column: pd.Series, spec: DataSpec, form: str) -> list[str]:
    """Return a note on how a text column is read as dates, or [] if the cells already are dates or are all missing."""
    texts = cells.texts(column, spec.markers(str(column.name))).drop_null()
    if cells.is_date_typed(column) or len(texts) == 0:
        return []
    return [f"{column.name}: {dates.describe(texts, form, spec.day_first)}"]


def _named(spec: DataSpec) -> dict[str, Column]:
    kinds: tuple[tuple[tuple[str, ...], Kind], ...] = (
        (spec.numeric, "numeric"),
        (spec.categorical, "categorical"),
        (spec.boolean, "boolean"),
        (spec.dates, "date"),
    )
    return {name: Column(name, kind, named=True) for names, kind in kinds for name in names}


def _find_kind(
    column: pd.Series, rows: npt.NDArray[np.int64], spec: DataSpec, decimal: str, label: str, *, strict: bool
) -> Column | str:
    """Return the column with its detected kind, or the reason why it is not used."""
    name = str(column.name)
    if cells.is_date_typed(column):
        return Column(name, "date", dates.ISO)
    if cells.is_truth_typed(column):
        return Column(name, "boolean")
    if cells.is_number_typed(column) or cells.is_duration_typed(column):
        return Column(name, "numeric")
    if isinstance(column.dtype, pd.CategoricalDtype):
        return Column(name, "categorical")
    texts = cells.texts(column, spec.markers(name))
    present = len(texts) - texts.null_count
    if present == 0:
        return "no values in train"
    words = set(pc.utf8_lower(pc.unique(texts.slice(0, _SAMPLE)).drop_null()).to_pylist())
    if any(words <= pair for pair in cells.TRUTH_PAIRS):
        words = set(pc.utf8_lower(pc.unique(texts)).drop_null().to_pylist())
        if any(words <= pair for pair in cells.TRUTH_PAIRS):
            return Column(name, "boolean")
    _, bad = cells.numbers(column, spec.markers(name), decimal)
    wrong = int(bad.sum())
    if wrong == 0:
        return Column(name, "numeric")
    if wrong < (1 - MIXED_SHARE) * present:
        if not strict:
            return Column(name, "numeric")
        first = int(np.flatnonzero(bad)[0])
        value = cells.quoted(column.iloc[first])
        raise ColumnError(
            f"{label}: column {name!r} mixes numbers and text: "
            f"{wrong} of {counted(present, 'cell')} {agree(wrong, 'is not a number', 'are not numbers')} "
            f"(row {rows[first] + 1}: {value}); {hint(str(column.iloc[first]), decimal) or _remedy(name)}",
            name,
            _different(column, bad),
        )
    form = dates.matching_format(texts.drop_null(), spec.day_first, dates.PATTERN)
    if form:
        return Column(name, "date", form)
    distinct = pc.count_distinct(texts, mode="only_valid").as_py()
    if identifies(distinct, present):
        return f"{counted(distinct, 'different text')} in {counted(present, 'cell')}, such as {example(texts)}"
    return Column(name, "categorical")


def identifies(distinct: int, present: int) -> bool:
    """Whether text with this number of distinct values identifies rows rather than kinds of rows."""
    return distinct > max(IDENTIFIER_LEAST, IDENTIFIER_SHARE * present)


def _remedy(name: str) -> str:
    """Return the remedy for a numeric column that contains a little text."""
    return f'mark it as missing with [data] missing = {{ {toml_key(name)} = ["…"] }}, or list the column in categorical'


def check_marked_columns(columns: list[str], spec: DataSpec, label: str) -> None:
    """Check that the columns in `missing` and `keep_na`, which may include the target, exist.

    Raises:
        UserError: If a column does not exist.
    """
    for key, names in (("missing", spec.missing if isinstance(spec.missing, dict) else ()), ("keep_na", spec.keep_na)):
        for name in names:
            if name not in columns:
                raise UserError(f"{label}: [data] {key}: column {name!r} not found; {did_you_mean(name, columns)}")


def example(texts: pa.Array) -> str:
    """Return the first text that is not missing, in quotes."""
    return cells.quoted(texts.drop_null()[0].as_py())


def _different(column: pd.Series, where: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    texts = column.iloc[np.flatnonzero(where)].astype(str).str.strip()
    return tuple(str(text) for text in texts.unique()[:10])
