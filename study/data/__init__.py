"""Data loading: read a source, split it and prepare train and dev for the network. The test set stays sealed.

`load` is for the search, `load_folds` for cross-validation, `load_combined` and `open_test` for the final model, `look`
for `study plan`, and `draft_spec` for `study init`. pandas and scikit-learn are imported only when one of these is
called.

Before `study finalize` opens the test set, its rows are only read together with the file that contains them, hashed for
the fingerprint, compared with other rows to count duplicates, and checked for unknown class labels. They are not
converted for a network, nothing is fitted on them, and no predictions are made for them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.data.dataset import Dataset, Part, TargetScale
from study.spec.data import DataSpec
from study.spec.encoding import STANDARD, Encoding
from study.spec.extensions import Source, Transform, register_source, register_transform

if TYPE_CHECKING:
    import pandas as pd

    from study.data.draft import Draft
    from study.data.overview import DataSummary
    from study.data.tables import Table

__all__ = [
    "DataSpec",
    "Dataset",
    "Part",
    "Source",
    "TargetScale",
    "Transform",
    "draft_spec",
    "example_cells",
    "find_severe_warnings",
    "load",
    "load_combined",
    "load_folds",
    "look",
    "open_test",
    "read_cells",
    "register_source",
    "register_transform",
]


def load(spec: DataSpec, base: Path, encodings: Sequence[Encoding] = (STANDARD,)) -> Dataset:
    """Read, split and prepare the data. Everything is fitted on train only, and the test rows stay raw.

    Args:
        spec: The `[data]` table.
        base: The folder that file paths in the spec are relative to.
        encodings: The encodings of numbers; the dataset has the first, and refers to datasets with the others.

    Raises:
        UserError: If there is a problem with the data.
    """
    from study.data import loading

    return loading.load_dataset(spec, base, encodings)


def load_folds(spec: DataSpec, base: Path, encodings: Sequence[Encoding] = (STANDARD,)) -> tuple[Dataset, ...]:
    """Return one dataset for each of `spec.folds` folds of train and dev, fitted on the training rows of that fold."""
    from study.data import loading

    return loading.load_fold_datasets(spec, base, encodings)


def load_combined(spec: DataSpec, base: Path, encodings: Sequence[Encoding] = (STANDARD,)) -> Dataset:
    """Return a dataset whose train combines train and dev. Everything is fitted on it, and its dev is empty."""
    from study.data import loading

    return loading.load_combined_dataset(spec, base, encodings)


def open_test(spec: DataSpec, base: Path, *, combined: bool = False, encoding: Encoding = STANDARD) -> Part:
    """Open the test set: return its rows, prepared as `load` (or `load_combined` if `combined`) prepared train."""
    from study.data import loading

    return loading.open_test_part(spec, base, combined=combined, encoding=encoding)


def example_cells(spec: DataSpec, base: Path, rows: int = 5) -> "pd.DataFrame":
    """Return the raw feature cells of the first rows of train, as an example of model input."""
    from study.data import opening

    opened = opening.open_source(spec, base)
    return opened.cells(opened.parts["train"][:rows])


def read_cells(file: Path, spec: DataSpec) -> "Table":
    """Return the unconverted cells of a table (.csv, .tsv, .parquet) to make predictions for."""
    from study.data import sources

    return sources.read_cells(file, spec)


def look(spec: DataSpec, base: Path) -> "DataSummary":
    """Return a summary of the data before anything runs: columns, splits, classes and warnings."""
    from study.data import overview

    return overview.summarize(spec, base)


def find_severe_warnings(spec: DataSpec, base: Path, dataset: Dataset) -> tuple[str, ...]:
    """Return warnings about problems that make results misleading, such as a column that repeats the target.

    Args:
        spec: The `[data]` table.
        base: The folder that file paths in the spec are relative to.
        dataset: The dataset of the spec, or of any fold.

    Built-in datasets and arrays are not checked: they have no such problems or no column names.
    """
    from study.data import data_warnings, opening

    if spec.kind in ("sklearn", "synthetic", "arrays"):
        return ()
    found = data_warnings.find_severe_warnings(opening.open_source(spec, base), dataset)
    return tuple(each.message for each in found if each.severe)


def draft_spec(file: Path, target: str | None = None, options: Mapping[str, object] | None = None) -> "Draft":
    """Return a commented spec for a table. If no target is given, one is guessed and marked as a guess in a comment.

    Args:
        file: The table.
        target: The name or position of the target column.
        options: Keys of `[data]`, such as those that describe the file format; the rest is detected.
    """
    from study.data import draft

    return draft.write_draft(file, target, options)
