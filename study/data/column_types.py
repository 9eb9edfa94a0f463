"""Express the column types of a table in memory, which text cannot represent, as keys of `[data]`."""

from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from study.data import cells
from study.spec.markers import MISSING_MARKERS, TARGET_MARKERS

_KINDS = ("numeric", "categorical", "boolean", "dates", "drop", "ignore")


def kinds_of(frame: pd.DataFrame, target: str | None, given: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of `[data]` that express the column types of a table, except for columns that `given` names."""
    taken = {given.get("group"), given.get("time"), given.get("weight"), target}
    for key in _KINDS:
        names = given.get(key)
        taken |= set(names) if isinstance(names, list | tuple) else set()
    kinds: dict[str, list[str]] = {"categorical": [], "boolean": [], "dates": [], "keep_na": []}
    for name in frame.columns:
        column = frame[name]
        kind = _kind_of(column)
        if kind and name not in taken:
            kinds[kind].append(name)
        if _has_marker(column, TARGET_MARKERS if name == target else MISSING_MARKERS):
            kinds["keep_na"].append(name)
    found: dict[str, object] = {}
    for key, names in kinds.items():
        own = given.get(key)
        named = list(own) if isinstance(own, list | tuple) else []
        if names:
            found[key] = [*named, *(name for name in names if name not in named)]
    return found


def _kind_of(column: pd.Series) -> str:
    """Return the key of `[data]` that expresses the type of a column, or "" if the cells show it without a key."""
    if isinstance(column.dtype, pd.CategoricalDtype) or _is_dictionary(column.dtype):
        return "categorical"
    if cells.is_truth_typed(column):
        return "boolean"
    if cells.is_date_typed(column):
        return "dates"
    texts = _texts(column)
    if texts is not None and len(texts) and bool(pc.all(pc.match_substring_regex(texts, cells.NUMBER)).as_py()):
        return "categorical"
    return ""


def _is_dictionary(dtype: object) -> bool:
    return isinstance(dtype, pd.ArrowDtype) and bool(pa.types.is_dictionary(dtype.pyarrow_dtype))


def _texts(column: pd.Series) -> "pa.Array | None":
    """Return the distinct texts of a column without surrounding whitespace, or None if a cell is not a string."""
    values = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = pd.Series(column.cat.categories)
    different = [] if len(values) == 0 else list(values.unique())
    if not all(isinstance(each, str) for each in different):
        return None
    stripped = [each.strip() for each in different]
    return pa.array([each for each in stripped if each], type=pa.large_string())


def _has_marker(column: pd.Series, markers: Sequence[str]) -> bool:
    """Whether any cell that is not missing is a string that would mark a missing cell in a file."""
    texts = _texts(column) if not cells.is_number_typed(column) else None
    return texts is not None and not set(texts.to_pylist()).isdisjoint(markers)
