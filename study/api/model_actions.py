"""The actions of `Study` on its final model: finalize, predict and evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING

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
        with_dev: bool = False,
        again: bool = False,
        tracking: bool = True,
        show_progress: bool = True,
    ) -> "Final":
        """Train the final model, evaluate it once on the test set, and return a record with .opening.value and more.

        Args:
            trial: number of the trial to retrain, "best", "confirmed" or "recommended"; None means the confirmed trial,
                or the best if no trial is confirmed.
            with_dev: whether to train on train and dev together.
            again: whether to allow another test evaluation if there has already been one.
            tracking: whether to write the model to MLflow.
            show_progress: whether to show the progress.

        Raises:
            UserError: there is no such trial, the study is running, its data has changed, or the test set has already
                been opened.
        """
        from study.model.finalize import finalize

        line = ProgressLine(quiet=not show_progress)
        line.said("training the final model …")
        try:
            final = finalize(self._ran, self.name, trial=trial, with_dev=with_dev, again=again)
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
