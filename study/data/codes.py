"""Detect numeric columns that are codes, such as postal codes or hospital numbers, rather than quantities."""

import re

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from study.data import cells
from study.data.dataset import Dataset
from study.data.opening import Opened
from study.data.table_warning import TableWarning, some

_CODE = re.compile(r"(^|_)(zip|zip_?code|postal(_?code)?|post_?code|plz|fips|sku|isbn|ean|ssn|phone)$", re.IGNORECASE)
_NUMBER_OF_A_THING = re.compile(r"_(code|id|number|no|nr)$", re.IGNORECASE)
LARGE = 100  # columns named _no or _id may contain counts if their values are below this
LONG = 10_000
ALIKE = 0.9


def find_codes(opened: Opened, dataset: Dataset) -> list[TableWarning]:
    """Return a warning about columns of whole numbers that look like codes, except those listed in `numeric`."""
    frame = opened.cells(opened.parts["train"])
    names = [
        name
        for name, kind, _ in dataset.preprocessing.named_steps["cells"].columns
        if kind == "numeric" and name not in opened.spec.numeric and _is_code(opened, frame[name])
    ]
    if not names:
        return []
    message = (
        f"columns with whole numbers that look like codes are treated as quantities: {some(names)}; "
        "list them in [data] categorical, ignore or numeric"
    )
    return [TableWarning("code", message, tuple(names))]


def _is_code(opened: Opened, column: pd.Series) -> bool:
    """Whether a column has leading zeros or a name typical of codes, or its whole numbers are long and similar."""
    name, markers = str(column.name), opened.spec.markers(str(column.name))
    values = cells.numbers(column, markers, opened.raw.decimal)[0]
    values = values[~np.isnan(values)]
    distinct = len(np.unique(values))
    if distinct < 3 or (values != np.round(values)).any() or values.min() < 0:
        return False
    if not cells.is_number_typed(column):
        texts = cells.texts(column, markers).drop_null()
        if pc.any(pc.match_substring_regex(texts, r"^0\d+$")).as_py():
            return True
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[ .:-]", "_", name)
    if _CODE.search(words) or (_NUMBER_OF_A_THING.search(words) and values.max() >= LARGE):
        return distinct < len(values) or values.max() >= LARGE
    # Such as 530101, 5290409: numbers that are nearly unique and, unlike quantities, mostly start with the same digit.
    first_digits = values // 10 ** np.floor(np.log10(np.maximum(values, 1)))
    shares = np.bincount(first_digits.astype(np.int64)) / len(values)
    return bool(values.min() >= LONG and 2 * distinct > len(values) and shares.max() >= ALIKE)
