"""From a source to parts that are ready for the network: train and dev, and the test set behind a seal.

`load` serves the search, `load_folds` cross-validation, `load_combined` and `open_test` the final
model, `look` the command `study plan`, `draft_spec` the command `study init`. Light to import: pandas
and scikit-learn are loaded when one of these is called.

The seal: before `study finalize`, test rows are read with the file that they are in, hashed for the fingerprint,
compared with the other rows to count duplicates, and the names of their labels are checked. They are not converted for
a network, nothing is fitted on them, and no prediction is made for them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from study.data.dataset import Dataset, Part, TargetScale
from study.spec.data import DataSpec
from study.spec.extensions import Source, register_source

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
]


def load(spec: DataSpec, base: Path) -> Dataset:
    """Read, split and prepare; everything is fitted on train alone and the test rows stay raw.

    base: the folder that a file of the spec is relative to. Raises UserError for what is wrong with the data.
    """
    from study.data import loading

    return loading.load_dataset(spec, base)


def load_folds(spec: DataSpec, base: Path) -> tuple[Dataset, ...]:
    """Return one dataset for each of `spec.folds` folds of train and dev, prepared on its own train alone."""
    from study.data import loading

    return loading.load_fold_datasets(spec, base)


def load_combined(spec: DataSpec, base: Path) -> Dataset:
    """Return a dataset whose train is train and dev together, all of it fitted there; its dev has no examples."""
    from study.data import loading

    return loading.load_combined_dataset(spec, base)


def open_test(spec: DataSpec, base: Path, *, combined: bool = False) -> Part:
    """Break the seal: return the test rows, prepared as `load` (or, `combined`, `load_combined`) prepared train."""
    from study.data import loading

    return loading.open_test_part(spec, base, combined=combined)


def example_cells(spec: DataSpec, base: Path, rows: int = 5) -> "pd.DataFrame":
    """Return raw feature cells of the first rows of train, as an example of what a model is given."""
    from study.data import opening

    opened = opening.open_source(spec, base)
    return opened.cells(opened.parts["train"][:rows])


def read_cells(file: Path, spec: DataSpec) -> "Table":
    """Return the raw cells of a table to predict for (.csv, .tsv, .parquet), as they stand in it."""
    from study.data import sources

    return sources.read_cells(file, spec)


def look(spec: DataSpec, base: Path) -> "DataSummary":
    """Return what is worth knowing before anything runs: columns, parts, classes and warnings."""
    from study.data import overview

    return overview.summarize(spec, base)


def find_severe_warnings(spec: DataSpec, base: Path, dataset: Dataset) -> tuple[str, ...]:
    """Return what makes results mean something else than they seem to, such as a column that repeats the target.

    dataset: of the spec; with folds any of them. Sets of this project, of scikit-learn, and arrays, whose columns
    nobody named, have nothing of the kind and cost no time.
    """
    from study.data import data_warnings, opening

    if spec.kind in ("sklearn", "synthetic", "arrays"):
        return ()
    found = data_warnings.find_severe_warnings(opening.open_source(spec, base), dataset)
    return tuple(each.message for each in found if each.severe)


def draft_spec(file: Path, target: str | None = None, reading: Mapping[str, object] | None = None) -> "Draft":
    """Return a commented spec for a table; where no target is named, one is guessed and it says so.

    reading: keys of `[data]` that say how the file is written; what is not said is found.
    """
    from study.data import draft

    return draft.write_draft(file, target, reading)
