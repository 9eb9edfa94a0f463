"""The actions of `Study` on its final model: finalize, predict and evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING

from study.api.counts import check_counts, workers_of
from study.api.deprecation import warn_of_name
from study.api.progress_line import ProgressLine
from study.api.results import StudyResults
from study.api.syncing import WRITING, sync_apart
from study.api.wording import in_terms_of_python
from study.errors import OpenedTestSetError, warn_user

if TYPE_CHECKING:
    import pandas as pd

    from study.model.evaluate import Evaluation
    from study.model.final import Final


class StudyModel(StudyResults):
    """The final model of a study."""

    @in_terms_of_python
    def finalize(
        self,
        trial: int | str | None = None,
        *,
        train_only: bool = False,
        n_networks: int | None = None,
        n_jobs: int | None = None,
        with_dev: bool | None = None,
        again: bool = False,
        tracking: bool = True,
        show_progress: bool = True,
    ) -> "Final":
        """Train the final model, evaluate it once on the test set, and return a record with .opening.value and more.

        The final model is the average of several networks with the configuration of a trial; see `[final]` in the spec.

        Args:
            trial: number of the trial to retrain, "best", "confirmed" or "recommended"; None means the confirmed trial,
                or the best if no trial is confirmed.
            train_only: whether to train on train only, instead of train and dev together.
            n_networks: number of networks to average; None means the number in the spec.
            n_jobs: number of worker processes, as in `run`. The model does not depend on it.
            with_dev: deprecated; it has no effect.
            again: whether to allow another test evaluation if there has already been one.
            tracking: whether to write the model to MLflow.
            show_progress: whether to show the progress.

        Raises:
            UserError: there is no such trial, the study is running, its data has changed, or the test set has already
                been opened.
            ValueError: n_networks or n_jobs is out of range.
        """
        from study.model.finalize import finalize

        check_counts(n_networks=(n_networks, 1))
        if with_dev is not None:
            warn_of_name("with_dev=, which has no effect,", "train_only=True to train on train only", stacklevel=4)
        jobs = workers_of(n_jobs)
        line = ProgressLine(quiet=not show_progress)
        line.said("training the final model …")
        try:
            final = finalize(
                self._ran, self.name, trial=trial, train_only=train_only, networks=n_networks, jobs=jobs, again=again
            )
        except OpenedTestSetError as error:
            raise OpenedTestSetError(error.what, "finalize(again=True)") from None
        finally:
            self.refresh()
        if tracking:
            line.said(WRITING)
            sync_apart(self.home, self.name, line.warned)
        return final

    @in_terms_of_python
    def predict(self, table: object) -> "pd.DataFrame":
        """Return the final model's prediction for each row of a table, with a probability for each class.

        Args:
            table: a DataFrame with the columns that the model was trained on, in any order; a matrix (m, n) if the
                model was trained on a matrix; or the path of a .csv, .tsv or .parquet file.

        Warns:
            DataWarning: if cells do not fit their column, or for any other reason for which `study predict` warns about
                a file.

        Raises:
            UserError: the study has not been finalized, a column is missing, or none of the cells of a column can be
                read.
        """
        from study.data.frames import rows_of
        from study.model.predict import predict_file, predict_table

        if isinstance(table, str | Path):
            made, notes = predict_file(self._ran, self.name, Path(table))
            warn_user(notes)
            return made
        return predict_table(self._ran, self.name, rows_of(table))

    @in_terms_of_python
    def evaluate(self, table: object) -> "Evaluation":
        """Evaluate the final model on new labeled rows; return a record with .value, .metrics, ….

        `finalize` evaluates the model on the test set; this method is for rows that the study has never seen.

        Args:
            table: a DataFrame with the target and the columns that the model was trained on, or the path of a file.

        Warns:
            DataWarning: if cells do not fit their column.

        Raises:
            UserError: the study has not been finalized, a column is missing, or a label is not one of the classes.
        """
        from study.data.frames import rows_of
        from study.model.evaluate import evaluate

        rows = Path(table) if isinstance(table, str | Path) else rows_of(table)
        found = evaluate(self._ran, self.name, rows)
        warn_user(found.notes)
        return found
