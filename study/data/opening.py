"""Open the source of a spec: read the table and its target, and split it into parts. Nothing is prepared yet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.data import cells, kinds, splits, time_column
from study.data.duplicates import equal_rows, first_of_each
from study.data.presence import note_absent_classes
from study.data.sources import RawTable, read_source
from study.data.target import Target, read_target
from study.errors import UserError
from study.spec.data import DataSpec
from study.text.formatting import counted

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Opened:
    """A source that has been read and split.

    Attributes:
        spec: The `[data]` table.
        raw: The table as read.
        target: The target.
        parts: Examples of each part, as indices into `target.rows` and `target.codes`.
        notes: Notes on the parts.
    """

    spec: DataSpec
    raw: RawTable
    target: Target
    parts: dict[str, Rows]
    notes: tuple[str, ...] = ()

    def rows(self, examples: Rows) -> Rows:
        """Return the row numbers of the given examples in the source."""
        return self.target.rows[examples]

    def cells(self, examples: Rows) -> pd.DataFrame:
        """Return the raw feature cells of the given examples."""
        return self.raw.frame[self.raw.features].take(self.rows(examples))


def open_source(spec: DataSpec, base: Path) -> Opened:
    """Read the source and its target, and split it.

    Raises:
        UserError: If there is a problem with the source or the target, or a split would be empty.
    """
    return open_raw(spec, read_source(spec, base))


def open_raw(spec: DataSpec, raw: RawTable) -> Opened:
    """Read the target of a raw table and split it. Raises the same errors as `open_source`."""
    kinds.candidate_columns(raw.features, spec, raw.label)
    kinds.check_marked_columns([str(name) for name in raw.frame.columns], spec, raw.label)
    target = read_target(raw.frame[raw.target], spec, raw.label, raw.decimal, raw.class_names)
    notes: tuple[str, ...] = ()
    if spec.duplicates == "drop":
        target, notes = _without_duplicates(spec, raw, target)
    parts = _split(spec, raw, target)
    return Opened(spec, raw, target, parts, (*notes, *note_absent_classes(spec, raw, target, parts)))


def compared_columns(spec: DataSpec, raw: RawTable) -> list[str]:
    """Return the columns that are compared to find equal rows: the features and the target."""
    return [name for name in raw.frame.columns if name not in (*spec.drop, *spec.ignore)]


def _without_duplicates(spec: DataSpec, raw: RawTable, target: Target) -> tuple[Target, tuple[str, ...]]:
    """Return the target of the first of each equal rows, and a note on how many are dropped."""
    numbers = equal_rows(raw.frame, compared_columns(spec, raw))[target.rows]
    kept = first_of_each(numbers)
    repeated = len(numbers) - len(kept)
    are = "is" if repeated == 1 else "are"
    note = f"duplicates: {counted(repeated, 'row')} equal to an earlier row {are} dropped"
    return replace(target, rows=target.rows[kept], codes=target.codes[kept]), (note,)


def _split(spec: DataSpec, raw: RawTable, target: Target) -> dict[str, Rows]:
    shares = {"train": spec.split[0], "dev": spec.split[1]}
    if spec.has_test_set and not spec.has_test_file:
        shares["test"] = spec.split[2]
    total = sum(shares.values())
    shares = {name: share / total * (1.0 - spec.confirm) for name, share in shares.items()}
    if spec.confirm:
        # In a split by time, confirm lies between dev and test.
        shares = {"train": shares["train"], "dev": shares["dev"], "confirm": spec.confirm} | (
            {"test": shares["test"]} if "test" in shares else {}
        )
    everything = np.arange(len(target.rows), dtype=np.int64)
    probe = Opened(spec, raw, target, {})
    pieces = cut(probe, everything, list(shares.values()), np.random.default_rng(spec.seed))
    parts = dict(zip(shares, pieces, strict=True))
    for name, examples in parts.items():
        if len(examples) == 0:
            raise UserError(
                f"{raw.label}: {name} would be empty ({counted(len(everything), 'row')}, "
                f"split {list(spec.split)}); give it a larger share or add more rows"
            )
    if target.task != "regression":
        absent = set(range(len(target.classes))) - set(target.codes[parts["train"]].astype(int).tolist())
        if absent:
            names = ", ".join(repr(target.classes[code]) for code in sorted(absent)[:3])
            by = f"time {spec.time!r}" if spec.time else f"group {spec.group!r}" if spec.group else "duplicates"
            raise UserError(
                f"{raw.label}: after the split by {by}, train has no rows of class {names}; merge or remove the class"
            )
    return parts


def cut(opened: Opened, examples: Rows, shares: Sequence[float], generator: np.random.Generator) -> list[Rows]:
    """Split examples into shares, by time, by group or stratified. Return positions in `examples` for each share."""
    spec, raw, target = opened.spec, opened.raw, opened.target
    if spec.time is not None:
        return splits.split_in_time(time_column.read_times(spec, raw, target.rows[examples]), shares)
    strata = splits.strata_of(target.codes[examples], target.task == "regression")
    if spec.duplicates == "group":
        equal = equal_rows(raw.frame, compared_columns(spec, raw))[target.rows[examples]]
        _, groups = np.unique(equal, return_inverse=True)
        return splits.split_groups(groups.astype(np.int64), strata, shares, generator, everywhere=bool(target.classes))
    if spec.group is None:
        return splits.split_stratified(strata, shares, generator, everywhere=bool(target.classes))
    column = raw.frame[spec.group].take(target.rows[examples])
    words = cells.categories(column, spec.markers(spec.group))
    empty = np.flatnonzero(pd.isna(words))
    if len(empty):
        row = target.rows[examples][empty[0]] + 1
        raise UserError(f"{raw.label}: the group column {spec.group!r} has no value in row {row}; add one")
    names, groups = np.unique(words.astype(str), return_inverse=True)
    if len(names) < len(shares):
        raise UserError(
            f"{raw.label}: the group column {spec.group!r} has only {counted(len(names), 'group')}, "
            f"too few for {len(shares)} splits; use a column with more groups"
        )
    return splits.split_groups(groups.astype(np.int64), strata, shares, generator, everywhere=bool(target.classes))
