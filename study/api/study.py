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
    """A study of a data set: its search, the confirmation of its best trials, and its final model.

    The state is stored in a home, as on the command line, so you can use both on one study. Results are read from the
    home once and cached; `refresh` rereads them.

    Arguments that you omit are drafted from the data, as `study init` does; `to_toml` shows the result. When a study of
    a table in memory is created, the table is written to the home as CSV together with the spec, so that `Study.load`
    finds both in any other process. The index of a DataFrame is not part of the table; call `reset_index()` first if it
    is data.

    Args:
        data: a pandas or polars DataFrame; a pair (X, y), where X is (m, n) or a DataFrame and y is (m,), or X is
            (m, …) for images; the path of a table (.csv, .tsv, .parquet, .npz, .h5); or another source that a spec can
            name, such as "sklearn:iris". The dtype of a column determines its kind: categories, and text that looks
            like numbers, are categorical, Boolean values are boolean, and timestamps are dates.
        target: the column to predict, by name or position (-1 is the last). For a pair (X, y), it is a name for y, or
            None.
        name: name of the study, from letters, digits, - and _. None means the name of the file, or for a table in
            memory the name of the target with the first digits of the table's SHA-256.
        description: the question that the study answers, in one line.
        space: a dict of hyperparameters: `Float(1e-4, 1e-1, log=True)` and `Int(0, 3)` are ranges, a list is a choice,
            any other value is fixed. Omitted hyperparameters have their drafted range.
        metric: metric by which trials are compared on dev, or a list of several. None means the default for the task.
        n_trials: number of configurations to try; None means 60.
        sampler: how configurations are proposed; None means "tpe".
        pruner: which trials are stopped early; None means "median".
        split: fractions of train, dev and test; None means (0.6, 0.2, 0.2).
        folds: number of cross-validation folds over train and dev; 0 means no folds. None means 5 folds for a table of
            fewer than 1,000 rows, and no folds for a larger one.
        group: a column; rows with the same value stay in the same split.
        time: a column by which rows are ordered, so that train precedes dev and dev precedes test.
        weight: a column with the weight of each training row in the cost.
        transform: an unfitted scikit-learn transformer, Pipeline or ColumnTransformer that receives the columns before
            they are encoded and scaled, or the name of one that `study.data.register_transform` registered. It is
            fitted on train only, and part of the final model.
        seed: seed of the split, the sampler and the networks.
        home: folder that contains all state; None means STUDY_HOME if it is set, and otherwise ./mlruns.
        storage: address of a PostgreSQL database for the ledger; None means STUDY_STORAGE if it is set, and otherwise a
            file in the home.
        data_options: other keys of `[data]`, such as `{"drop": ["id"]}`.
        search: other keys of `[search]`, such as `{"in_flight": 16}`.
        confirm: keys of `[confirm]`, such as `{"top": 3, "seeds": 20}`; False turns confirmation off.
        final: keys of `[final]`, such as `{"networks": 1}`. By default, the final model averages 10 networks.
        baselines: False leaves out the simple models of scikit-learn that `run` fits for comparison.

    Attributes:
        name: name of the study.
        home: home with the state of the study.

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
        transform: object = None,
        seed: int = 0,
        home: str | Path | None = None,
        storage: str | None = None,
        data_options: Mapping[str, object] | None = None,
        search: Mapping[str, object] | None = None,
        confirm: Mapping[str, int] | Literal[False] | None = None,
        final: Mapping[str, object] | None = None,
        baselines: Mapping[str, bool] | bool | None = None,
    ) -> None:
        from study.api.declaration import Arguments, declare
        from study.api.own_transform import transform_name

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
            transform=transform_name(transform),
            seed=seed,
            data_options=data_options,
            search=search,
            confirm=confirm,
            final=final,
            baselines=baselines,
        )
        self.home = _home(home, storage)
        self._declared = declare(data, target, arguments, self.home)
        self.name = self._declared.spec.name

    @classmethod
    def of_declared(cls, declared: DeclaredSpec, home: Home) -> Self:
        """Return the study of a spec that has been read, in a home."""
        study = cls.__new__(cls)
        study._declared, study.home, study.name = declared, home, declared.spec.name
        return study

    @classmethod
    def from_toml(cls, path: str | Path, home: str | Path | None = None, storage: str | None = None) -> Self:
        """Return the study of a spec file. It need not have run yet.

        Args:
            path: path of the spec.
            home: as for `Study`.
            storage: as for `Study`.

        Raises:
            UserError: the spec cannot be used.
        """
        return cls.of_declared(DeclaredSpec.read(Path(path)), _home(home, storage))

    @classmethod
    def load(cls, name: str, home: str | Path | None = None, storage: str | None = None) -> Self:
        """Return a study in the home by its name, with the spec of its last run, or of its creation if it has not run.

        Args:
            name: name of the study.
            home: as for `Study`.
            storage: as for `Study`.

        Raises:
            UserError: there is no study of this name.
        """
        place = _home(home, storage)
        if name not in place.names() and place.kept_spec(name).exists():
            return cls.of_declared(DeclaredSpec.read(place.kept_spec(name)), place)
        return cls.of_declared(find_declared(place, Ledger(place.existing(name), name)), place)

    @property
    def spec(self) -> Spec:
        """The whole spec as validated records."""
        return self._declared.spec

    def to_toml(self) -> str:
        """Return the spec as TOML. Running `study run` on a file with this text gives the same trials.

        The table is named by its absolute path, unless the study comes from a spec file, whose text is returned
        unchanged.
        """
        if self._declared.base != self.home.tables:
            return self._declared.text
        tables = tomllib.loads(self._declared.text)
        tables["data"]["source"] = str(self.home.tables / tables["data"]["source"])
        return write_toml(tables)


def _home(home: str | Path | None, storage: str | None) -> Home:
    return Home.at(None if home is None else str(home), storage)
