"""Studies from Python, in a script or a notebook: `from study import Study`."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from study.api.actions import StudyActions
from study.api.plots import StudyPlots
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.search.session import find_declared
from study.spec import DeclaredSpec, Spec
from study.text.toml_text import write_toml


class Study(StudyActions, StudyPlots):
    """A study of some data: its search, the confirmation of its best trials, and its final model.

    The state is in a home, as that of the command line, so both can be mixed. Results are read from the home once and
    kept; `refresh` reads them anew.

    What you leave out is drafted from the data, as `study init` does; `to_toml` shows the result. A table in memory is
    written to the home as CSV when the study is made, and the spec beside it, so that `Study.load` finds them in any
    other process. The index of a DataFrame is not part of the table; call `reset_index()` first if it is data.

    Args:
        data: a pandas or polars DataFrame; a pair (X, y), where X is (m, n) or a DataFrame and y is (m,), or X is
            (m, …) for images; the path of a table (.csv, .tsv, .parquet, .npz, .h5); or another source that a spec can
            name, such as "sklearn:iris". The type of a column says its kind: categories, and text that looks like
            numbers, are categorical, Boolean values are boolean, and moments are dates.
        target: the column to predict, by name or position (-1 is the last). With a pair, a name for y, or None.
        name: of the study: letters, digits, - and _. None takes the name of the file, or else one made of the target
            and the first digits of the table's SHA-256.
        description: one line on the question that the study asks.
        space: a dict of hyperparameters: `Float(1e-4, 1e-1, log=True)` and `Int(0, 3)` are ranges, a list is a choice,
            any other value is fixed. Hyperparameters that it leaves out have their drafted range.
        metric: what is compared on dev, or a list to compare several. None takes the usual one of the task.
        n_trials: how many configurations are tried; None means 60.
        sampler: how they are proposed; None means "tpe".
        pruner: which trials are stopped early; None means "median".
        split: the fractions of train, dev and test; None means (0.6, 0.2, 0.2).
        folds: folds of cross-validation over train and dev. None means 5 for a table of fewer than 1,000 rows, and
            none for a larger one; 0 means none.
        group: a column whose equal values stay in one split.
        time: a column by which train comes before dev before test.
        weight: a column that says how much each training row counts in the cost.
        seed: of the split, the sampler and the networks.
        home: the folder that holds all state; None takes STUDY_HOME, or else ./mlruns.
        storage: address of a PostgreSQL database for the ledger; None takes STUDY_STORAGE, or else a file of the home.
        data_options: other keys of `[data]`, such as `{"drop": ["id"]}`.
        search: other keys of `[search]`, such as `{"in_flight": 16}`.
        confirm: keys of `[confirm]`, such as `{"top": 3, "seeds": 20}`; False means that `run` confirms nothing.

    Attributes:
        name: of the study.
        home: where its state is.

    Raises:
        UserError: the data cannot be used, or an argument has a value that breaks a rule; the message names it.

    >>> import tempfile
    >>> from study import Float, Study
    >>> X = [[x / 20] for x in range(40)]
    >>> y = ["high" if x > 20 else "low" for x in range(40)]
    >>> space = {"learning_rate": Float(0.01, 0.1, log=True), "iterations": 20, "depth": [0, 1]}
    >>> study = Study((X, y), name="halves", space=space, folds=0, confirm=False, home=tempfile.mkdtemp())
    >>> study.state, study.spec.space.depth
    ('new', (0, 1))
    >>> study.run(n_trials=3, n_jobs=1, show_progress=False, tracking=False).state
    'complete'
    >>> len(study.trials), study.best_trial.state
    (3, 'complete')
    """

    def __init__(
        self,
        data: object,
        target: str | int | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        space: Mapping[str, object] | None = None,
        metric: str | Sequence[str] | None = None,
        n_trials: int | None = None,
        sampler: str | None = None,
        pruner: str | None = None,
        split: Sequence[float] | None = None,
        folds: int | None = None,
        group: str | None = None,
        time: str | None = None,
        weight: str | None = None,
        seed: int = 0,
        home: str | Path | None = None,
        storage: str | None = None,
        data_options: Mapping[str, object] | None = None,
        search: Mapping[str, object] | None = None,
        confirm: Mapping[str, int] | Literal[False] | None = None,
    ) -> None:
        from study.api.declaration import Arguments, declare

        arguments = Arguments(
            name=name,
            description=description,
            space=space,
            metric=metric,
            n_trials=n_trials,
            sampler=sampler,
            pruner=pruner,
            split=split,
            folds=folds,
            group=group,
            time=time,
            weight=weight,
            seed=seed,
            data_options=data_options,
            search=search,
            confirm=confirm,
        )
        self.home = _home(home, storage)
        self._declared = declare(data, target, arguments, self.home)
        self.name = self._declared.spec.name

    @classmethod
    def _of(cls, declared: DeclaredSpec, home: Home) -> Self:
        study = cls.__new__(cls)
        study._declared, study.home, study.name = declared, home, declared.spec.name
        return study

    @classmethod
    def from_toml(cls, path: str | Path, home: str | Path | None = None, storage: str | None = None) -> Self:
        """Return the study of a spec file, which may not have run yet.

        Args:
            path: of the spec.
            home: as `Study` takes it.
            storage: as `Study` takes it.

        Raises:
            UserError: the spec cannot be used.
        """
        return cls._of(DeclaredSpec.read(Path(path)), _home(home, storage))

    @classmethod
    def load(cls, name: str, home: str | Path | None = None, storage: str | None = None) -> Self:
        """Return a study of the home by its name, with the spec that it was last run with, or made with.

        Args:
            name: of the study.
            home: as `Study` takes it.
            storage: as `Study` takes it.

        Raises:
            UserError: there is no study of this name.
        """
        place = _home(home, storage)
        if name not in place.names() and place.kept_spec(name).exists():
            return cls._of(DeclaredSpec.read(place.kept_spec(name)), place)
        return cls._of(find_declared(place, Ledger(place.existing(name), name)), place)

    @property
    def spec(self) -> Spec:
        """The whole spec, as checked records."""
        return self._declared.spec

    def to_toml(self) -> str:
        """Return the spec as TOML. `study run` of a file with this text gives the same trials.

        The table is named by its full path, unless the study is of a spec file, whose text is returned as it is.
        """
        if self._declared.base != self.home.tables:
            return self._declared.text
        tables = tomllib.loads(self._declared.text)
        tables["data"]["source"] = str(self.home.tables / tables["data"]["source"])
        return write_toml(tables)


def _home(home: str | Path | None, storage: str | None) -> Home:
    return Home.at(None if home is None else str(home), storage)
