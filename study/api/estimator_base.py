"""The base class of `StudyClassifier` and `StudyRegressor`: parameters, the study that `fit` runs, and its results."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, assert_all_finite, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from engine.activations import Array
from study.api.declaration import Arguments, declare
from study.api.study import Study
from study.data.frames import frame_of, is_table, rows_of
from study.errors import UserError
from study.ledger.home import Home
from study.model.final_training import train_model
from study.search.objective import direction_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from study.ledger.confirmation import Confirmation
    from study.ledger.results import TrialRow

LEAST_ROWS = 10


class StudyEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """An estimator that runs a study on the rows passed to `fit`, and trains the final model on all of them."""

    # `fit` accepts weights and groups as **params, like scikit-learn's searches. Rows are split at random, so a row of
    # weight 2 differs from two rows, which scikit-learn does not allow for a parameter named sample_weight.
    __metadata_request__fit: ClassVar[dict[str, None]] = {"groups": None, "sample_weight": None}

    def __init__(
        self,
        *,
        n_trials: int = 30,
        space: Mapping[str, object] | None = None,
        metric: str | None = None,
        transformer: object = None,
        sampler: str = "tpe",
        pruner: str = "median",
        dev_size: float = 0.25,
        folds: int | None = None,
        confirm: bool | Mapping[str, int] = True,
        n_networks: int = 10,
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
        self.transformer = transformer
        self.sampler = sampler
        self.pruner = pruner
        self.dev_size = dev_size
        self.folds = folds
        self.confirm = confirm
        self.n_networks = n_networks
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
        """Return the rows with positive weight, their targets (m,), and the weights and groups, if any."""
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
        """Run a study on rows and targets (m,), and train the final model on all of them."""
        if self.n_jobs == 0:
            raise ValueError("n_jobs must be at least 1, or -1 for one per core, got 0")
        if self.tracking and self.home is None:
            raise ValueError("tracking=True requires a home, which contains MLflow's store; set home")
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
        from study.api.own_transform import transform_name

        arguments = Arguments(
            name=self.name,
            space=self.space,
            metric=self.metric,
            transform=transform_name(self.transformer),
            n_trials=self.n_trials,
            sampler=self.sampler,
            pruner=self.pruner,
            split=(1 - self.dev_size, self.dev_size),
            folds=self.folds,
            group=names.get("group"),
            seed=self._seed(),
            weight=names.get("weight"),
            data_options={"task": task},
            baselines=False,  # a fit returns the network; compare it with other estimators by cross-validation
            confirm=False if self.confirm is False else None if self.confirm is True else dict(self.confirm),
            own_name=True,
            final={"networks": self.n_networks},
        )
        place = Home.at(str(home))
        return Study.of_declared(declare(table, names["target"], arguments, place), place)

    @property
    def _jobs(self) -> int:
        """The number of worker processes; -1 means one per core."""
        return -1 if self.n_jobs == -1 else joblib.effective_n_jobs(self.n_jobs)

    def _run(self, study: Study) -> None:
        study.run(n_jobs=self._jobs, timeout=self.timeout, show_progress=self.show_progress, tracking=self.tracking)

    def _take_results(self, study: Study) -> None:
        """Store the results, and train the selected configuration on all rows."""
        chosen = study.summary.choice.main
        if chosen is None:
            reasons = {row.reason for row in study.trials if row.reason}
            raise UserError(
                f"no trial is complete ({'; '.join(sorted(reasons)[:2])}); increase n_trials or widen space"
            )
        jobs = None if self._jobs == -1 else self._jobs
        self.model_: Pipeline = train_model(study.home, study.name, chosen, jobs)
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
        """Yield the given home, or a temporary folder that is deleted after the block."""
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
        """Return checked rows as a DataFrame; the columns of arrays are named x_0, x_1, …"""
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
        """Return the columns "weight" and "group", (m,), that were passed."""
        unknown = sorted(set(params) - {"groups", "sample_weight"})
        if unknown:
            raise TypeError(f"fit() got an unexpected keyword argument {unknown[0]!r}")
        columns: dict[str, Array] = {}
        if params.get("sample_weight") is not None:
            columns["weight"] = _check_weights(params["sample_weight"], len(frame))
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


def _check_weights(sample_weight: ArrayLike | None, m: int) -> Array:
    """Return the weights, (m,), after checking that they are finite and at least 0."""
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (m,):
        raise ValueError(f"sample_weight must have shape ({m},), one weight per row, got {weights.shape}")
    assert_all_finite(weights, input_name="sample_weight")
    if weights.min() < 0:
        raise ValueError(f"sample_weight must be at least 0, got {weights.min():g}")
    return weights


def _free_name(role: str, taken: Sequence[str]) -> str:
    """Return a column name for a role that differs from all feature names."""
    name = role
    while name in taken:
        name += "_"
    return name


def _cv_results(trials: "Sequence[TrialRow]", sign: float) -> dict[str, Any]:
    """Return the trials in the form of `cv_results_` in scikit-learn's searches."""
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
