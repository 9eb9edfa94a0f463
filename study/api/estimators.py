"""scikit-learn estimators whose `fit` is a whole study: `StudyClassifier` and `StudyRegressor`."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from engine.activations import Array
from study.api.estimator_base import StudyEstimator

LEAST_OF_A_CLASS = 2  # rows: one for train and one for dev


class StudyClassifier(ClassifierMixin, StudyEstimator):  # type: ignore[misc]
    """A classifier whose `fit` is a whole study of a dense network.

    `fit` drafts a space for the table, searches it, retrains the best configurations on fresh seeds, and trains several
    networks of the selected one on all rows, whose predictions are averaged. The search is configured as for `Study`.
    The rows passed to `fit` are divided into train and dev only, so evaluate the estimator on other rows;
    `cross_val_score` does so, which amounts to nested cross-validation.

    X may be a DataFrame with columns of any kind (numbers, text, categories, Boolean values, dates) and missing cells,
    or an array of numbers, in which NaN is a missing value.

    Args:
        n_trials: number of configurations to try.
        space: hyperparameters, as for `Study`. None drafts their ranges from the data.
        metric: metric by which trials are compared on dev; None means accuracy, or balanced accuracy if a class is
            rare.
        transformer: an unfitted scikit-learn transformer that prepares the columns before they are encoded and
            scaled, or the name of a registered one. It is fitted on the training rows of each split.
        sampler: how configurations are proposed: "tpe", "random", "cmaes", …
        pruner: which trials are stopped early: "median", "asha", "none", …
        dev_size: fraction of the rows in dev if there are no folds.
        folds: number of cross-validation folds in the search; 0 means none. None means 5 for fewer than 1,000 rows, and
            otherwise no folds.
        confirm: whether to retrain the best configurations on fresh seeds and select among them. A dict sets the number
            of configurations ("top") and of seeds ("seeds").
        n_networks: number of networks of the selected configuration that are averaged; 1 gives a single network.
        timeout: seconds after which the search stops at the end of a round.
        n_jobs: number of worker processes; -1 means one per core. None means 1 unless in a `joblib.parallel_config`
            block.
        random_state: seed of the split, the sampler and the networks. With an int, every `fit` gives the same model.
        name: start of the study's name, followed by eight digits of a digest of the table and the settings, so that
            each fit of a cross-validation has a study of its own. None means "target".
        home: folder that stores the study, which the `study` command can then read and `fit` can resume. None stores no
            files.
        tracking: whether to write runs to MLflow; requires a home.
        show_progress: whether to show the progress.

    Attributes:
        model_: the final scikit-learn pipeline, from raw columns to predictions.
        best_params_: hyperparameters of the selected trial; best_index_ is its number.
        best_score_: its metric on dev in the search. Greater is better: a metric that is minimized has its sign
            changed, as in scikit-learn's scorers.
        metric_: metric by which trials were compared.
        cv_results_: params, param_<name>, mean_test_score, rank_test_score and mean_fit_time of each trial, as in
            scikit-learn's searches; the score of a trial that is not complete is NaN.
        trials_: all trials, as records.
        confirmation_: result of the confirmation; None without one.
        study_: the `Study`; only with a home.
        classes_: sorted labels.
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
        """Run a study on rows X and labels y, and train the final model on all of them.

        Args:
            X: (m, n), a DataFrame or an array of numbers.
            y: (m,), labels of any type, with at least two different values.
            **params: sample_weight, (m,), weights of the rows in the training cost, at least 0; and groups, (m,). All
                rows of a group are in the same split.

        Raises:
            ValueError: X, y, a parameter or an argument cannot be used, or no trial is complete.
        """
        frame, labels, columns = self._prepare(X, y, params)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            weighted = " in rows with sample_weight above 0" if "weight" in columns else ""
            raise ValueError(f"y must have at least two classes{weighted}, got 1 class: {str(self.classes_[0])!r}")
        _, counts = np.unique(codes, return_counts=True)
        if counts.min() < LEAST_OF_A_CLASS:
            raise ValueError(
                f"y must have at least {LEAST_OF_A_CLASS} rows of each class, got {counts.min()} of class "
                f"{str(self.classes_[counts.argmin()])!r}; to predict numbers, use StudyRegressor"
            )
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


class StudyRegressor(RegressorMixin, StudyEstimator):  # type: ignore[misc]
    """A regressor whose `fit` is a whole study of a dense network.

    `fit` drafts a space for the table, searches it, retrains the best configurations on fresh seeds, and trains several
    networks of the selected one on all rows, whose predictions are averaged. The search is configured as for `Study`.
    The rows passed to `fit` are divided into train and dev only, so evaluate the estimator on other rows;
    `cross_val_score` does so, which amounts to nested cross-validation.

    X may be a DataFrame with columns of any kind (numbers, text, categories, Boolean values, dates) and missing cells,
    or an array of numbers, in which NaN is a missing value.

    Args:
        n_trials: number of configurations to try.
        space: hyperparameters, as for `Study`. None drafts their ranges from the data.
        metric: metric by which trials are compared on dev; None means the RMSE.
        transformer: an unfitted scikit-learn transformer that prepares the columns before they are encoded and
            scaled, or the name of a registered one. It is fitted on the training rows of each split.
        sampler: how configurations are proposed: "tpe", "random", "cmaes", …
        pruner: which trials are stopped early: "median", "asha", "none", …
        dev_size: fraction of the rows in dev if there are no folds.
        folds: number of cross-validation folds in the search; 0 means none. None means 5 for fewer than 1,000 rows, and
            otherwise no folds.
        confirm: whether to retrain the best configurations on fresh seeds and select among them. A dict sets the number
            of configurations ("top") and of seeds ("seeds").
        n_networks: number of networks of the selected configuration that are averaged; 1 gives a single network.
        timeout: seconds after which the search stops at the end of a round.
        n_jobs: number of worker processes; -1 means one per core. None means 1 unless in a `joblib.parallel_config`
            block.
        random_state: seed of the split, the sampler and the networks. With an int, every `fit` gives the same model.
        name: start of the study's name, followed by eight digits of a digest of the table and the settings, so that
            each fit of a cross-validation has a study of its own. None means "target".
        home: folder that stores the study, which the `study` command can then read and `fit` can resume. None stores no
            files.
        tracking: whether to write runs to MLflow; requires a home.
        show_progress: whether to show the progress.

    Attributes:
        model_: the final scikit-learn pipeline, from raw columns to predictions.
        best_params_: hyperparameters of the selected trial; best_index_ is its number.
        best_score_: its metric on dev in the search. Greater is better: a metric that is minimized has its sign
            changed, as in scikit-learn's scorers.
        metric_: metric by which trials were compared.
        cv_results_: params, param_<name>, mean_test_score, rank_test_score and mean_fit_time of each trial, as in
            scikit-learn's searches; the score of a trial that is not complete is NaN.
        trials_: all trials, as records.
        confirmation_: result of the confirmation; None without one.
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
        """Run a study on rows X and targets y, and train the final model on all of them.

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
