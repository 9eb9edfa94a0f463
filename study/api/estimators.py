"""scikit-learn estimators whose `fit` is a whole study: `StudyClassifier` and `StudyRegressor`."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, assert_all_finite, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from engine.activations import Array
from study.api.study import Study
from study.data.frames import frame_of, is_table, rows_of
from study.errors import UserError
from study.model.final_training import train_model
from study.search.objective import direction_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from study.ledger.confirmation import Confirmation
    from study.ledger.results import TrialRow

LEAST_ROWS = 10


class _StudyEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """What both estimators share."""

    # `fit` takes them as **params, as scikit-learn's searches do: the rows are split at random, so that a row of weight
    # 2 is not the same as two rows, which scikit-learn expects of an estimator with a parameter sample_weight.
    __metadata_request__fit: ClassVar[dict[str, None]] = {"groups": None, "sample_weight": None}

    def __init__(
        self,
        *,
        n_trials: int = 30,
        space: Mapping[str, object] | None = None,
        metric: str | None = None,
        sampler: str = "tpe",
        pruner: str = "median",
        dev_size: float = 0.25,
        folds: int | None = None,
        confirm: bool | Mapping[str, int] = True,
        timeout: float | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        name: str | None = None,
        home: str | Path | None = None,
        tracking: bool = False,
        show_progress: bool = False,
    ) -> None:
        self.n_trials = n_trials
        self.space = space
        self.metric = metric
        self.sampler = sampler
        self.pruner = pruner
        self.dev_size = dev_size
        self.folds = folds
        self.confirm = confirm
        self.timeout = timeout
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.name = name
        self.home = home
        self.tracking = tracking
        self.show_progress = show_progress

    def _prepare(
        self, X: object, y: ArrayLike, params: Mapping[str, ArrayLike | None]
    ) -> tuple[pd.DataFrame, Array, dict[str, Array]]:
        """Return the rows that count, their targets (m,), and the weights and groups that were given."""
        frame = self._frame(X)
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        targets = column_or_1d(y, warn=True)
        check_consistent_length(frame, targets)
        assert_all_finite(targets, input_name="y")
        columns = self._weights_and_groups(params, frame)
        counts = columns["weight"] > 0 if "weight" in columns else np.ones(len(frame), dtype=bool)
        return frame[counts], targets[counts], {role: values[counts] for role, values in columns.items()}

    def _fit(self, frame: pd.DataFrame, targets: Array, columns: Mapping[str, Array], task: str) -> Self:
        """Run a study of rows and targets (m,), and train the final network on all of them."""
        if self.tracking and self.home is None:
            raise ValueError("tracking=True needs a home, where MLflow's store is; give home=")
        given = {"target": targets, **columns}
        names = {role: _free_name(role, list(map(str, frame.columns))) for role in given}
        table = frame.assign(**{names[role]: values for role, values in given.items()})
        with self._place() as home:
            try:
                study = self._study(table, names, task, home)
                self._run(study)
                self._take_results(study)
            except UserError as error:
                raise ValueError(str(error)) from None
        return self

    def _study(self, table: pd.DataFrame, names: Mapping[str, str], task: str, home: Path) -> Study:
        return Study(
            table,
            names["target"],
            name=self.name,
            space=self.space,
            metric=self.metric,
            trials=self.n_trials,
            sampler=self.sampler,
            pruner=self.pruner,
            split=(1 - self.dev_size, self.dev_size),
            folds=self.folds,
            group=names.get("group"),
            seed=self._seed(),
            home=home,
            weight=names.get("weight"),
            data_options={"task": task},
            confirm=False if self.confirm is False else None if self.confirm is True else dict(self.confirm),
        )

    def _run(self, study: Study) -> None:
        jobs = -1 if self.n_jobs == -1 else joblib.effective_n_jobs(self.n_jobs)
        study.run(n_jobs=jobs, timeout=self.timeout, show_progress=self.show_progress, tracking=self.tracking)

    def _take_results(self, study: Study) -> None:
        """Keep the results, and train the chosen configuration on all rows."""
        chosen = study.summary.choice.main
        if chosen is None:
            reasons = {row.reason for row in study.trials if row.reason}
            raise UserError(f"no trial is complete ({'; '.join(sorted(reasons)[:2])}); raise n_trials or widen space")
        self.model_: Pipeline = train_model(study.home, study.name, chosen)
        self.trials_: tuple[TrialRow, ...] = tuple(study.trials)
        self.confirmation_: Confirmation | None = study.summary.confirm
        row = study.trials[chosen]
        sign = 1.0 if direction_of(study.summary.metric) == "maximize" else -1.0
        self.metric_ = study.summary.metric
        self.best_index_ = chosen
        self.best_params_ = dict(row.params)
        self.best_score_ = sign * float(row.value or 0.0)
        self.cv_results_ = _cv_results(self.trials_, sign)
        if self.home is not None:
            self.study_ = study

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """Yield the home: the one that was given, or a folder that is deleted after the block."""
        if self.home is not None:
            yield Path(self.home)
            return
        with tempfile.TemporaryDirectory(prefix="study-") as folder:
            yield Path(folder)

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _frame(self, X: object, *, reset: bool = True) -> pd.DataFrame:
        """Return rows as a DataFrame, checked; arrays get the columns x_0, x_1, …"""
        if is_table(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            frame = frame_of(X)
            if reset and len(frame) < LEAST_ROWS:
                raise ValueError(f"X must have at least {LEAST_ROWS} rows, got n_samples = {len(frame)}")
            return frame
        least = LEAST_ROWS if reset else 1
        rows = validate_data(
            self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=least
        )
        return rows_of(rows)

    @staticmethod
    def _weights_and_groups(params: Mapping[str, ArrayLike | None], frame: pd.DataFrame) -> dict[str, Array]:
        """Return the columns "weight" and "group", (m,), as far as they were given."""
        unknown = sorted(set(params) - {"groups", "sample_weight"})
        if unknown:
            raise TypeError(f"fit() got an unexpected keyword argument {unknown[0]!r}")
        columns: dict[str, Array] = {}
        if params.get("sample_weight") is not None:
            columns["weight"] = _check_sample_weight(params["sample_weight"], frame, ensure_non_negative=True)
        if params.get("groups") is not None:
            columns["group"] = column_or_1d(params["groups"])
            check_consistent_length(frame, columns["group"])
        return columns

    def _rows(self, X: object) -> pd.DataFrame:
        check_is_fitted(self)
        return self._frame(X, reset=False)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class StudyClassifier(ClassifierMixin, _StudyEstimator):  # type: ignore[misc]
    """A classifier whose `fit` is a whole study of a dense network.

    `fit` drafts a space for the table, searches it, trains the best configurations again on fresh seeds, and trains
    the chosen one on all rows. What is searched, and how, can be said as for `Study`. The rows given to `fit` are
    divided into train and dev only: what the estimator is judged by stays outside, as in `cross_val_score`, which
    makes it nested cross-validation.

    X may be a DataFrame with columns of any kind (numbers, text, categories, Boolean values, dates) and missing cells,
    or an array of numbers, in which NaN is a missing value.

    Args:
        n_trials: configurations that are tried.
        space: hyperparameters, as `Study` takes them. None drafts them from the data.
        metric: what is compared on dev; None takes accuracy, or balanced accuracy
            where a class is rare.
        sampler: how configurations are proposed: "tpe", "random", "cmaes", …
        pruner: which trials are stopped early: "median", "asha", "none", …
        dev_size: the fraction of the rows that is dev, where there are no folds.
        folds: folds of cross-validation in the search. None means 5 below 1,000 rows and none above, 0 means none.
        confirm: whether the best configurations are trained again on fresh seeds to choose among them; a dict sets
            how many of them ("top") and the number of seeds ("seeds").
        timeout: seconds after which the search stops at the end of a round.
        n_jobs: worker processes. None means 1 unless in a `joblib.parallel_config` block, -1 means one per core.
        random_state: seed of the split, the sampler and the networks. With an int, every `fit` gives the same model.
        name: of the study; None makes one from the data.
        home: a folder that keeps the study, to be read by `study` on the command line and resumed by `fit`. None keeps
            no file.
        tracking: whether runs are written to MLflow; needs a home.
        show_progress: whether the progress is printed.

    Attributes:
        model_: the final scikit-learn pipeline, from raw columns to predictions.
        best_params_: hyperparameters of the chosen trial; best_index_ is its number.
        best_score_: its metric on dev in the search, greater is better: a metric that is minimized has its sign
            changed, as in scikit-learn's scorers.
        metric_: the metric that was compared.
        cv_results_: params, param_<name>, mean_test_score, rank_test_score and mean_fit_time of each trial, as in
            scikit-learn's searches; the score of a trial that is not complete is NaN.
        trials_: all trials, as records.
        confirmation_: what confirming found; None without.
        study_: the `Study`; only with a home.
        classes_: labels, sorted.
        n_features_in_, feature_names_in_: as in all scikit-learn estimators.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from study import StudyClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> space = {"iterations": 100, "depth": [0, 1]}
        >>> model = StudyClassifier(n_trials=3, space=space, confirm=False, random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.9), len(model.trials_)
        (True, 3)
    """

    def fit(self, X: object, y: ArrayLike, **params: ArrayLike | None) -> Self:
        """Run a study of rows X and labels y, and train the chosen network on all of them.

        Args:
            X: (m, n), a DataFrame or an array of numbers.
            y: (m,), labels of any type, at least two different ones.
            **params: sample_weight, (m,), at least 0, how much each row counts in the cost of training; groups, (m,),
                rows of one group stay together in train or in dev.

        Raises:
            ValueError: X, y, a parameter or an argument cannot be used, or no trial is complete.
        """
        frame, labels, columns = self._prepare(X, y, params)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            weighted = " in rows of sample_weight above 0" if "weight" in columns else ""
            raise ValueError(f"y must have at least two classes{weighted}, got 1 class: {str(self.classes_[0])!r}")
        task = "binary" if len(self.classes_) == 2 else "multiclass"
        width = len(str(len(self.classes_)))
        names = np.array([f"class {code:0{width}}" for code in range(len(self.classes_))], dtype=object)
        return self._fit(frame, names[codes], columns, task)

    def predict(self, X: object) -> Array:
        """Return the most probable label of each row, (m,)."""
        chosen = self.predict_proba(X).argmax(axis=1)
        labels: Array = self.classes_[chosen]
        return labels

    def predict_proba(self, X: object) -> Array:
        """Return the probability of each class, (m, classes), in the order of `classes_`."""
        rows = self._rows(X)
        probabilities: Array = self.model_.predict_proba(rows)
        return probabilities


class StudyRegressor(RegressorMixin, _StudyEstimator):  # type: ignore[misc]
    """A regressor whose `fit` is a whole study of a dense network.

    `fit` drafts a space for the table, searches it, trains the best configurations again on fresh seeds, and trains
    the chosen one on all rows. What is searched, and how, can be said as for `Study`. The rows given to `fit` are
    divided into train and dev only: what the estimator is judged by stays outside, as in `cross_val_score`, which
    makes it nested cross-validation.

    X may be a DataFrame with columns of any kind (numbers, text, categories, Boolean values, dates) and missing cells,
    or an array of numbers, in which NaN is a missing value.

    Args:
        n_trials: configurations that are tried.
        space: hyperparameters, as `Study` takes them. None drafts them from the data.
        metric: what is compared on dev; None takes the RMSE.
        sampler: how configurations are proposed: "tpe", "random", "cmaes", …
        pruner: which trials are stopped early: "median", "asha", "none", …
        dev_size: the fraction of the rows that is dev, where there are no folds.
        folds: folds of cross-validation in the search. None means 5 below 1,000 rows and none above, 0 means none.
        confirm: whether the best configurations are trained again on fresh seeds to choose among them; a dict sets
            how many of them ("top") and the number of seeds ("seeds").
        timeout: seconds after which the search stops at the end of a round.
        n_jobs: worker processes. None means 1 unless in a `joblib.parallel_config` block, -1 means one per core.
        random_state: seed of the split, the sampler and the networks. With an int, every `fit` gives the same model.
        name: of the study; None makes one from the data.
        home: a folder that keeps the study, to be read by `study` on the command line and resumed by `fit`. None keeps
            no file.
        tracking: whether runs are written to MLflow; needs a home.
        show_progress: whether the progress is printed.

    Attributes:
        model_: the final scikit-learn pipeline, from raw columns to predictions.
        best_params_: hyperparameters of the chosen trial; best_index_ is its number.
        best_score_: its metric on dev in the search, greater is better: a metric that is minimized has its sign
            changed, as in scikit-learn's scorers.
        metric_: the metric that was compared.
        cv_results_: params, param_<name>, mean_test_score, rank_test_score and mean_fit_time of each trial, as in
            scikit-learn's searches; the score of a trial that is not complete is NaN.
        trials_: all trials, as records.
        confirmation_: what confirming found; None without.
        study_: the `Study`; only with a home.
        n_features_in_, feature_names_in_: as in all scikit-learn estimators.

    Examples:
        >>> from sklearn.datasets import load_diabetes
        >>> from study import StudyRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> space = {"iterations": 100, "depth": [0, 1]}
        >>> model = StudyRegressor(n_trials=3, space=space, confirm=False, random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.4), sorted(model.best_params_)[:2]
        (True, ['activation', 'batch_size'])
    """

    def fit(self, X: object, y: ArrayLike, **params: ArrayLike | None) -> Self:
        """Run a study of rows X and targets y, and train the chosen network on all of them.

        Args:
            X: (m, n), a DataFrame or an array of numbers.
            y: (m,), numbers.
            **params: sample_weight and groups, (m,), as in `StudyClassifier.fit`.

        Raises:
            ValueError: X, y, a parameter or an argument cannot be used, or no trial is complete.
        """
        frame, numbers, columns = self._prepare(X, y, params)
        return self._fit(frame, numbers.astype(np.float64), columns, "regression")

    def predict(self, X: object) -> Array:
        """Return the predicted number of each row, (m,), in the unit of y."""
        rows = self._rows(X)
        numbers: Array = self.model_.predict(rows)
        return numbers


def _free_name(role: str, taken: Sequence[str]) -> str:
    """Return a column name for a role that no feature has."""
    name = role
    while name in taken:
        name += "_"
    return name


def _cv_results(trials: "Sequence[TrialRow]", sign: float) -> dict[str, Any]:
    """Return what scikit-learn's searches call cv_results_, for the complete trials."""
    scores = np.array([np.nan if row.value is None or row.state != "complete" else sign * row.value for row in trials])
    order = np.where(np.isnan(scores), -np.inf, scores)
    names = sorted({name for row in trials for name in row.params})
    return {
        "params": [dict(row.params) for row in trials],
        **{
            f"param_{name}": np.ma.masked_array(
                [row.params.get(name) for row in trials], mask=[name not in row.params for row in trials], dtype=object
            )
            for name in names
        },
        "mean_test_score": scores,
        "rank_test_score": (1 + (order[None, :] > order[:, None]).sum(axis=1)).astype(np.int32),
        "mean_fit_time": np.array([row.seconds for row in trials], dtype=np.float64),
    }
