"""What in a table should worry a person before a search: each caution says what, where, and what to do.

Called by `study.data.overview`. Nothing here changes the data.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from study.data import cells, kinds
from study.data.dataset import Dataset
from study.data.duplicates import equal_rows
from study.data.loading import Opened, compared_columns

Subject = Literal[
    "duplicates",
    "repeats_target",
    "no_feature",
    "constant",
    "mostly_missing",
    "identifier",
    "same_column",
    "rare_class",
    "small_dev",
]
FEW_ROWS = 10
SMALL_DEV = 0.05
SAMPLE = 20_000
WIDEST = 1_000
ALMOST_PERFECT = 0.98
LEAVES = 64
_SIGNS = r"[$€£¥%'’\s]"  # beside them, what parts thousands
_IDENTIFIER_NAME = re.compile(r"(^|[_ .:])(id|idx|index|key|no|nr|number|uuid|guid|unnamed)($|[_ .:])", re.IGNORECASE)


@dataclass(frozen=True)
class Caution:
    """One warning. subject: which kind; columns: the columns it is about; message: one line with the remedy."""

    subject: Subject
    message: str
    columns: tuple[str, ...] = ()


def find_cautions(opened: Opened, dataset: Dataset, smallest_difference: float) -> tuple[Caution, ...]:
    """Return all cautions, the ones that spoil a result first."""
    found = [*_duplicates(opened)]
    names = list(dataset.column_names)
    wide = len(names) > WIDEST
    if not wide:  # thousands of columns are pixels or the like, not columns that a person named
        found += _repeating_target(opened, dataset)
    found += _left_out(opened, names)
    found += _columns(opened, dataset)
    if not wide:
        found += _same_columns(opened, names)
    found += _rare_classes(opened)
    found += _small_dev(opened, smallest_difference)
    return tuple(found)


def _duplicates(opened: Opened) -> list[Caution]:
    raw = opened.raw
    frame = raw.frame
    parts = {name: opened.rows(examples) for name, examples in opened.parts.items()}
    if raw.test is not None:
        parts["test"] = np.arange(len(raw.test)) + len(frame)
        frame = pd.concat([frame, raw.test], ignore_index=True)
    numbers = equal_rows(frame, compared_columns(opened.spec, raw))
    in_train = np.unique(numbers[parts["train"]])
    found = []
    for name in ("dev", "confirm", "test"):
        if name not in parts:
            continue
        repeated = int(np.isin(numbers[parts[name]], in_train).sum())
        if repeated:
            found.append(f"{repeated} of {len(parts[name])} in {name}")
    if not found:
        return []
    remedy = 'set [data] duplicates = "drop" or "group"' if opened.spec.duplicates == "keep" else "take them out"
    return [Caution("duplicates", f"rows that train has too: {', '.join(found)}; {remedy}")]


def _repeating_target(opened: Opened, dataset: Dataset) -> list[Caution]:
    """Columns that alone predict the target almost perfectly, by trees on one feature, 3 folds of train and dev."""
    examples = np.random.default_rng(0).permutation(np.concatenate([opened.parts["train"], opened.parts["dev"]]))
    examples = examples[:SAMPLE]
    y = opened.target.codes[examples]
    frame, _ = dataset.preprocessing.named_steps["cells"].read(opened.cells(examples))
    regression = opened.target.task == "regression"
    if regression:  # by rank: a few large values do not decide, and the logarithm of the target is found too
        y = rankdata(y)
    unlike = (y - y.mean()) ** 2 if regression else y != np.bincount(y.astype(np.int64)).argmax()
    baseline = float(unlike.mean())
    found: list[Caution] = []
    for name in frame.columns:
        error = _error_of_one(frame[name], y, regression)
        share = error / baseline if baseline > 0 else 1.0
        if share > (1 - ALMOST_PERFECT if regression else 0.1) or (not regression and error > 1 - ALMOST_PERFECT):
            continue
        source = str(name) if name in dataset.column_names else str(name).rpartition("_")[0]
        how_well = f"R² of ranks {1 - share:.4f}" if regression else f"{100 * (1 - error):.1f} % right"
        message = (
            f"{source!r} alone predicts the target {dataset.target_name!r} almost perfectly ({how_well}, "
            f"cross-validated): does it repeat it? Then add it to [data] drop"
        )
        found.append(Caution("repeats_target", message, (source,)))
    return found


def _error_of_one(column: pd.Series, y: npt.NDArray[np.float64], regression: bool) -> float:
    """Return the mean squared error, or the share of wrong answers, of trees on one typed column, 3 folds."""
    folds = np.arange(len(y)) % 3
    errors = np.empty(len(y))
    for fold in range(3):
        train, dev = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        x, x_dev = _ordered(column.iloc[train], column.iloc[dev], y[train])
        tree: Any = (
            DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0)
            if regression
            else DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=2, random_state=0)
        )
        predicted = tree.fit(x, y[train]).predict(x_dev)
        errors[dev] = (predicted - y[dev]) ** 2 if regression else predicted != y[dev]
    return float(errors.mean())


def _ordered(train: pd.Series, dev: pd.Series, y: npt.NDArray[np.float64]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return a typed column as (m, 1) numbers that are in its order; categories as sorted by mean target in train."""
    if train.dtype != object:  # trees are of float32, which large numbers, or close ones, do not fit
        places = rankdata(pd.concat([train, dev]).to_numpy(), method="dense", nan_policy="omit")
        places = np.nan_to_num(places, nan=0.0)[:, None]
        return places[: len(train)], places[len(train) :]
    words = train.fillna("(missing)")
    means = pd.Series(y).groupby(words.to_numpy()).mean().sort_values(kind="stable")
    place = pd.Series(np.arange(len(means), dtype=np.float64), index=means.index)
    return words.map(place).to_numpy()[:, None], dev.fillna("(missing)").map(place).fillna(-1.0).to_numpy()[:, None]


def _left_out(opened: Opened, names: list[str]) -> list[Caution]:
    """Columns of text that are no features: numbers with signs, and texts of which nearly each row has another one."""
    raw, missing = opened.raw, opened.spec.missing
    _, given = kinds.candidate_columns(raw.features, opened.spec, raw.label)
    frame = opened.cells(opened.parts["train"])
    signs, texts = dict[str, str](), dict[str, str]()
    for name in sorted(set(raw.features) - set(names) - set(given), key=raw.features.index):
        found = cells.texts(frame[name], missing)
        if found.null_count == len(found):
            continue
        plain = pc.replace_substring(found, "." if raw.decimal == "," else ",", "")
        plain = pd.Series(pd.arrays.ArrowExtensionArray(pc.replace_substring_regex(plain, _SIGNS, "")))
        numbers = not cells.numbers(plain, missing, raw.decimal)[1].any()
        (signs if numbers else texts)[name] = f"{name} ({kinds.example(found)})"
    cautions = []
    if signs:
        message = f"numbers with signs are no features: {_some([*signs.values()])}; write them plain, such as 1234.5"
        cautions.append(Caution("no_feature", message, tuple(signs)))
    if texts:
        message = f"no features, for nearly each row has another text: {_some([*texts.values()])}; " + (
            "where one groups rows add it to [data] categorical"
        )
        cautions.append(Caution("no_feature", message, tuple(texts)))
    return cautions


def _columns(opened: Opened, dataset: Dataset) -> list[Caution]:
    """Constant columns, mostly missing ones, and those that look like identifiers, in train."""
    constant, empty, identifiers = [], [], []
    frame = opened.cells(opened.parts["train"])
    for name, kind, _ in dataset.preprocessing.named_steps["cells"].columns:
        column = frame[name]
        if cells.is_number_typed(column):
            values = cells.numbers(column, opened.spec.missing, opened.raw.decimal)[0]
        else:
            texts = cells.texts(column, opened.spec.missing)
            codes, uniques = pd.factorize(texts.to_pandas())
            values = np.where(codes < 0, np.nan, codes.astype(np.float64))
            if len(uniques) > 1 and len(uniques) == len(values):
                numbers, bad = cells.numbers(column, opened.spec.missing, opened.raw.decimal)
                values = values if bad.any() else numbers
        gaps = int(np.isnan(values).sum())
        present = values[~np.isnan(values)]
        distinct = len(np.unique(present))
        if distinct <= 1 and gaps in (0, len(values)):
            constant.append(name)
        elif gaps > 0.9 * len(values):
            empty.append(name)
        elif kind != "date" and distinct == len(values) and (present == np.round(present)).all():
            span = present.max() - present.min() + 1
            if _IDENTIFIER_NAME.search(name) or span < 2 * len(opened.target.rows) or (np.diff(present) > 0).all():
                identifiers.append(name)
    found = []
    if constant:
        found.append(Caution("constant", f"constant in train: {_some(constant)}; they say nothing", tuple(constant)))
    if empty:
        message = f"more than 90 % missing in train: {_some(empty)}; consider [data] drop"
        found.append(Caution("mostly_missing", message, tuple(empty)))
    if identifiers:
        message = f"a different whole number in each row: {_some(identifiers)}; an identifier? Add it to [data] ignore"
        found.append(Caution("identifier", message, tuple(identifiers)))
    return found


def _same_columns(opened: Opened, names: list[str]) -> list[Caution]:
    """Columns that say the same in other words (class and pclass, °C and °F): one of them is enough."""
    frame = opened.cells(opened.parts["train"])
    by_pattern: dict[bytes, list[str]] = {}
    for name in names:
        pattern = _pattern(opened, frame[name])
        if pattern is not None:
            by_pattern.setdefault(pattern, []).append(name)
    return [
        Caution("same_column", f"{_some(same)} say the same in train; one of them is enough", tuple(same))
        for same in by_pattern.values()
        if len(same) > 1
    ]


def _pattern(opened: Opened, column: pd.Series) -> bytes | None:
    """Return a digest that columns which say the same have in common, None where a column has nothing of the kind.

    Where values recur, that is which cells are equal; numbers that hardly do have their order, either way round.
    """
    missing = opened.spec.missing
    codes, uniques = pd.factorize(column if cells.is_number_typed(column) else cells.texts(column, missing).to_pandas())
    if len(uniques) <= 1:
        return None
    single = int((np.bincount(codes[codes >= 0]) == 1).sum())
    if 2 * single <= len(uniques):
        return sha256(codes.astype(np.int32).tobytes()).digest()
    values, bad = cells.numbers(column, missing, opened.raw.decimal)
    if bad.any():
        return None
    places = rankdata(values, method="dense", nan_policy="omit")
    turned = np.nanmax(places) + 1 - places
    return min(sha256(way.tobytes()).digest() for way in (places, turned))


def _rare_classes(opened: Opened) -> list[Caution]:
    target = opened.target
    if not target.classes:
        return []
    found = []
    for code, name in enumerate(target.classes):
        counts = {part: int((target.codes[rows] == code).sum()) for part, rows in opened.parts.items()}
        if counts["train"] < FEW_ROWS or min(counts.values()) == 0:
            spread = ", ".join(f"{count} in {part}" for part, count in counts.items())
            message = f"class {name!r} has few rows ({spread}); merge it with another or bring more"
            found.append(Caution("rare_class", message, (name,)))
    return found


def _small_dev(opened: Opened, smallest: float) -> list[Caution]:
    if smallest <= SMALL_DEV:
        return []
    folds, m = opened.spec.folds, len(opened.parts["dev"])
    rows = f"train and dev have {m + len(opened.parts['train'])}" if folds else f"dev has {m}"
    remedy = "bring more rows" if folds else "consider [data] folds = 5 or more rows"
    regression = opened.target.task == "regression"
    unit = f"{100 * smallest:.1f} % of the RMSE" if regression else f"{100 * smallest:.1f} points of accuracy"
    message = (
        f"{rows} examples and cannot tell candidates apart that differ by less than {unit} (paired, 5 % level); "
        f"{remedy}"
    )
    return [Caution("small_dev", message)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
