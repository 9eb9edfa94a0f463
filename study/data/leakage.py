"""Detect leakage: rows of train that also occur in other splits, and columns that repeat the target."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from study.data.cells import Floats
from study.data.dataset import Dataset
from study.data.duplicates import equal_rows
from study.data.opening import Opened, compared_columns
from study.data.table_warning import TableWarning

MANY_DUPLICATES = 0.05  # duplicates are severe from this share of a split
SAMPLE, FEWEST = 20_000, 1_000  # maximum and minimum number of rows on which columns are tested
CELLS = 2_000_000  # wide tables are tested on fewer rows, so that the number of cells stays below this
WIDEST = 1_000
ALMOST_PERFECT = 0.98
ALMOST_EXACT = 0.99
MOST_IN_SUMS = 60
FEWEST_IN_SUMS = 40
LEAVES = 64
MOSTLY_POSITIVE = 0.9  # products are tested only for columns with at least this share of positive values


def find_duplicates(opened: Opened) -> list[TableWarning]:
    """Return a warning about rows of dev, confirm and test that also occur in train."""
    raw = opened.raw
    frame = raw.frame
    parts = {name: opened.rows(examples) for name, examples in opened.parts.items()}
    if raw.test is not None:
        parts["test"] = np.arange(len(raw.test)) + len(frame)
        frame = pd.concat([frame, raw.test], ignore_index=True)
    numbers = equal_rows(frame, compared_columns(opened.spec, raw))
    in_train = np.unique(numbers[parts["train"]])
    found, share = [], 0.0
    for name in ("dev", "confirm", "test"):
        if name not in parts:
            continue
        repeated = int(np.isin(numbers[parts[name]], in_train).sum())
        if repeated:
            found.append(f"{repeated} of {len(parts[name])} in {name}")
            share = max(share, repeated / len(parts[name]))
    if not found:
        return []
    remedy = 'set [data] duplicates = "drop" or "group"' if opened.spec.duplicates == "keep" else "remove them"
    message = f"rows that also occur in train: {', '.join(found)}; {remedy}"
    return [TableWarning("duplicates", message, severe=share >= MANY_DUPLICATES)]


def find_repeated_target(opened: Opened, dataset: Dataset) -> list[TableWarning]:
    """Return warnings about columns that predict the target almost perfectly, alone or as a pair.

    A pair of columns is tested as a weighted sum, a product and a ratio.
    """
    if len(dataset.column_names) > WIDEST:  # pixels or similar data rather than named columns
        return []
    examples = np.random.default_rng(0).permutation(np.concatenate([opened.parts["train"], opened.parts["dev"]]))
    examples = examples[: max(FEWEST, min(SAMPLE, CELLS // len(dataset.column_names)))]
    y = opened.target.codes[examples]
    reader = clone(dataset.preprocessing.named_steps["cells"]).set_params(whole_dates=False)
    frame, _ = reader.read(opened.cells(examples))
    alone = _alone(opened, dataset, frame, y)
    if opened.target.task != "regression":
        return alone
    found = {name for warning in alone for name in warning.columns}
    numeric = [
        name
        for name, kind, _ in dataset.preprocessing.named_steps["cells"].columns
        if kind == "numeric" and name not in found
    ]
    few = frame[numeric[:MOST_IN_SUMS]]
    return [*alone, *(_in_a_sum(few, y, dataset.target_name) or _in_a_product(few, y, dataset.target_name))]


def _alone(opened: Opened, dataset: Dataset, frame: pd.DataFrame, y: Floats) -> list[TableWarning]:
    """Return warnings about single columns that predict the target, from decision trees on 3 folds of train and dev."""
    regression = opened.target.task == "regression"
    if regression:  # ranks limit the effect of a few large values and also detect the logarithm of the target
        y = rankdata(y)
    unlike = (y - y.mean()) ** 2 if regression else y != np.bincount(y.astype(np.int64)).argmax()
    baseline = float(unlike.mean())
    found: list[TableWarning] = []
    for name in frame.columns:
        error = _error_of_one(frame[name], y, regression)
        share = error / baseline if baseline > 0 else 1.0
        if share > (1 - ALMOST_PERFECT if regression else 0.1) or (not regression and error > 1 - ALMOST_PERFECT):
            continue
        source = str(name) if name in dataset.column_names else str(name).rpartition("_")[0]
        how_well = f"R² of ranks {1 - share:.4f}" if regression else f"accuracy {100 * (1 - error):.1f}%"
        message = (
            f"{source!r} alone predicts the target {dataset.target_name!r} almost perfectly ({how_well}, "
            f"cross-validated); if it repeats the target, add it to [data] drop"
        )
        found.append(TableWarning("repeats_target", message, (source,), severe=True))
    return found


def _error_of_one(column: pd.Series, y: Floats, regression: bool) -> float:
    """Return the mean squared error, or the error rate, of decision trees on one typed column, from 3 folds."""
    folds = np.arange(len(y)) % 3
    errors = np.empty(len(y))
    for fold in range(3):
        train, dev = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        x, x_dev = _ordered(column.iloc[train], column.iloc[dev], y[train])
        tree: DecisionTreeRegressor | DecisionTreeClassifier = (
            DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0)
            if regression
            else DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=2, random_state=0)
        )
        predicted = tree.fit(x, y[train]).predict(x_dev)
        errors[dev] = (predicted - y[dev]) ** 2 if regression else predicted != y[dev]
    return float(errors.mean())


def _ordered(train: pd.Series, dev: pd.Series, y: Floats) -> tuple[Floats, Floats]:
    """Return a typed column as ranks, (m, 1). Categories are ordered by their mean target in train."""
    if train.dtype != object:  # trees use float32, which does not distinguish close or large numbers
        places = rankdata(pd.concat([train, dev]).to_numpy(), method="dense", nan_policy="omit")
        places = np.nan_to_num(places, nan=0.0)[:, None]
        return places[: len(train)], places[len(train) :]
    words = train.fillna("(missing)")
    means = pd.Series(y).groupby(words.to_numpy()).mean().sort_values(kind="stable")
    place = pd.Series(np.arange(len(means), dtype=np.float64), index=means.index)
    return words.map(place).to_numpy()[:, None], dev.fillna("(missing)").map(place).fillna(-1.0).to_numpy()[:, None]


def _in_a_sum(frame: pd.DataFrame, y: Floats, target: str) -> list[TableWarning]:
    """Return warnings about columns that give the target as a linear function of one, or a weighted sum of two.

    An example is a target that is the difference of two columns. The criterion is R² of least squares, the smaller one
    from two halves of the rows, so that no single extreme row is decisive.
    """
    if len(y) < FEWEST_IN_SUMS or frame.shape[1] == 0:
        return []
    r2 = np.minimum(_explained(frame.iloc[::2], y[::2]), _explained(frame.iloc[1::2], y[1::2]))
    names = [str(name) for name in frame.columns]
    alone = np.flatnonzero(np.diag(r2) >= ALMOST_EXACT)
    found = [
        TableWarning(
            "repeats_target",
            f"{names[place]!r} alone predicts the target {target!r} almost perfectly (R² {r2[place, place]:.4f}, as a "
            "linear function); if it repeats the target, add it to [data] drop",
            (names[place],),
            severe=True,
        )
        for place in alone
    ]
    r2[alone, :] = r2[:, alone] = 0.0
    np.fill_diagonal(r2, 0.0)
    first, second = np.unravel_index(int(np.argmax(r2)), r2.shape)
    if r2[first, second] >= ALMOST_EXACT:
        both = names[first], names[second]
        message = (
            f"{both[0]!r} and {both[1]!r} together predict the target {target!r} almost perfectly "
            f"(R² {r2[first, second]:.4f}, as a weighted sum); if one includes the target, add it to [data] drop"
        )
        found.append(TableWarning("sums_to_target", message, both, severe=True))
    return found


def _in_a_product(frame: pd.DataFrame, y: Floats, target: str) -> list[TableWarning]:
    """Return a warning about two columns whose product or ratio is the target, such as a quantity and a unit price.

    On a logarithmic scale, the target is then the sum or difference of the columns plus a constant (a factor). Other
    weights would be a power law, as between volume and height, which is not leakage. Rows in which the target or a
    column is not positive are excluded.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs, goal = np.log(frame.to_numpy(dtype=np.float64)), np.log(y)
    positive = np.isfinite(goal)
    places = np.flatnonzero(np.isfinite(logs[positive]).sum(axis=0) >= MOSTLY_POSITIVE * positive.sum())
    rows = positive & np.isfinite(logs[:, places]).all(axis=1)
    if len(places) < 2 or rows.sum() < FEWEST_IN_SUMS:
        return []
    logs, goal = logs[np.ix_(rows, places)], goal[rows]
    found: list[tuple[float, str, int, int]] = []
    for what, signs in (("product", (1, 1)), ("ratio", (1, -1))):
        r2 = np.minimum(*(_explained_as_it_is(logs[part::2], goal[part::2], *signs) for part in (0, 1)))
        first, second = np.unravel_index(int(np.argmax(r2)), r2.shape)
        found.append((float(r2[first, second]), what, int(places[first]), int(places[second])))
    best, what, *columns = max(found)
    if best < ALMOST_EXACT:
        return []
    names = (str(frame.columns[columns[0]]), str(frame.columns[columns[1]]))
    message = (
        f"{names[0]!r} and {names[1]!r} together predict the target {target!r} almost perfectly "
        f"(R² {best:.4f} of logarithms, as a {what}); if the target was computed from them, add one of "
        "the two columns to [data] drop"
    )
    return [TableWarning("product_is_target", message, names, severe=True)]


def _explained_as_it_is(X: Floats, y: Floats, first: int, second: int) -> Floats:
    """Return, as (n, n), the share of the variance of y explained by each pair of columns with the given weights."""
    covariances = np.cov(X, y, rowvar=False)
    C, c, whole = covariances[:-1, :-1], covariances[:-1, -1], covariances[-1, -1]
    alone = np.diag(C)
    rest = whole + alone[:, None] + alone[None, :] + 2 * (first * second * C - first * c[:, None] - second * c[None, :])
    r2: Floats = 1 - rest / whole if whole > 0 else np.zeros_like(C)
    np.fill_diagonal(r2, 0.0)
    return r2


def _explained(frame: pd.DataFrame, y: Floats) -> Floats:
    """Return, as (n, n), R² of least squares on each pair of columns, and on single columns on the diagonal.

    R² = (r1² + r2² - 2 r1 r2 r12) / (1 - r12²), where r1 and r2 are the correlations of the columns with the target and
    r12 is their correlation with each other.
    """
    X = frame.to_numpy(dtype=np.float64)
    # Scale first, because the squares of large values overflow.
    X = X / np.maximum(np.nanmax(np.abs(X), axis=0, initial=0.0), 1e-300)
    X = np.where(np.isnan(X), np.nanmean(np.vstack([X, np.zeros(X.shape[1])]), axis=0), X)
    columns = np.vstack([X.T, y / max(np.abs(y).max(), 1e-300)])
    columns -= columns.mean(axis=1, keepdims=True)
    length = np.sqrt((columns**2).sum(axis=1))
    columns /= np.where(length > 0, length, 1.0)[:, None]
    correlations = columns @ columns.T
    r, between = correlations[:-1, -1], correlations[:-1, :-1]
    rest = 1 - between**2
    explained = r[:, None] ** 2 + r[None, :] ** 2 - 2 * np.outer(r, r) * between
    r2: Floats = np.where(rest > 1e-6, explained / np.maximum(rest, 1e-6), 0.0)
    np.fill_diagonal(r2, r**2)
    return r2
