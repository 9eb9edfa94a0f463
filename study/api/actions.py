"""The actions of `Study`: run, confirm, compare, recheck, finalize, predict, evaluate and report."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

from study.api.deprecation import renamed
from study.api.progress_line import ProgressLine
from study.api.results import StudyResults
from study.api.syncing import sync_apart
from study.api.wording import in_terms_of_python
from study.errors import OpenedTestSetError, UserError, warn_user
from study.spec import DeclaredSpec

if TYPE_CHECKING:
    import pandas as pd

    from study.evaluation.comparison import Comparison
    from study.ledger.confirmation import ConfirmAnswer
    from study.ledger.recheck import Recheck
    from study.model.evaluate import Evaluation
    from study.model.final import Final
    from study.planning.record import Plan


class StudyActions(StudyResults):
    """The actions of a study. After an action that changes the study, its results are reread."""

    _declared: DeclaredSpec

    @in_terms_of_python
    def plan(self, n_jobs: int | None = None) -> "Plan":
        """Return the plan of a run: data, space, work, memory and expected time. No network is trained to completion.

        Args:
            n_jobs: number of worker processes for which to estimate the time, in addition to 1, 2, 4, … up to one per
                core.

        Raises:
            UserError: the data cannot be used, or no network is within max_parameters.
        """
        from study.planning.plan import make_plan

        return make_plan(self._declared, _workers(n_jobs))

    @renamed(jobs="n_jobs", trials="n_trials", quiet="not show_progress")
    @in_terms_of_python
    def run(
        self,
        *,
        n_trials: int | None = None,
        n_jobs: int | None = None,
        timeout: float | None = None,
        show_progress: bool = True,
        warm_start: str | None = None,
        tracking: bool = True,
    ) -> Self:
        """Run or resume the study, and return it when all trials have ended or `timeout` is reached.

        After an interrupt, everything that is finished is kept, and the same call resumes the study.

        Args:
            n_trials: total number of trials; None uses the number in the spec.
            n_jobs: number of worker processes; -1 means one per core. None uses the value of an active
                `joblib.parallel_config`, or else one per core.
            timeout: seconds after which the run stops at the end of a round.
            show_progress: whether to show the progress.
            warm_start: name of another study, whose best configurations are tried first.
            tracking: whether to write runs to MLflow; `study sync` can write them later. They are written to the
                current tracking URI, by default a store in the home, and to the active experiment, by default one with
                the name of the study. Inside `with mlflow.start_run():`, the study's run is a child of the active run.

        Raises:
            UserError: the data cannot be used, or the home contains a different study of this name.
            ValueError: n_trials, n_jobs or timeout is out of range.
        """
        from study.execution import Workers
        from study.run import run
        from study.tracking.experiment import find_active
        from study.tracking.exporter import make_exporter

        _check(n_trials=(n_trials, 1), timeout=(timeout, 0))
        line = ProgressLine(quiet=not show_progress)
        workers = Workers.of(self._declared.spec.search, _workers(n_jobs))
        active, note = find_active(self.home) if tracking else (None, "")
        if note:
            line.said(note)
        try:
            with make_exporter(self.home, self.name) if tracking else nullcontext() as exporter:
                result = run(
                    self._declared,
                    self.home,
                    workers=workers,
                    trials=n_trials,
                    timeout=timeout,
                    warm_start=warm_start,
                    exporter=exporter,
                    progress=line.progress(),
                    active=active,
                )
        except KeyboardInterrupt as interrupt:
            line.interrupted(interrupt)
            raise
        finally:
            line.end()
            self.refresh()
        missing = result.missing_runs()
        if missing:
            line.warned(missing)
        return self

    @renamed(jobs="n_jobs", quiet="not show_progress")
    @in_terms_of_python
    def confirm(
        self,
        top: int | None = None,
        seeds: int | None = None,
        *,
        n_jobs: int | None = None,
        show_progress: bool = True,
        tracking: bool = True,
    ) -> "ConfirmAnswer":
        """Retrain the best configurations on fresh seeds; return a record with .winner, .recommended, .candidates, ….

        Args:
            top: number of the best configurations to retrain; None uses the number in the spec.
            seeds: number of fresh seeds for each of them; None uses the number in the spec.
            n_jobs: number of worker processes, as in `run`.
            show_progress: whether to show the progress.
            tracking: whether to write the result to MLflow.

        Raises:
            UserError: no trial is complete, the study is running, or its data changed.
            ValueError: top, seeds or n_jobs is out of range.
        """
        from study.evaluation.confirm import confirm

        _check(top=(top, 1), seeds=(seeds, 2))
        line = ProgressLine(quiet=not show_progress)
        jobs = _workers(n_jobs)
        try:
            outcome = confirm(
                self._ran, self.name, top=top, seeds=seeds, jobs=jobs, said=line.said, progress=line.confirming
            )
        finally:
            line.end()
            self.refresh()
        if tracking:
            sync_apart(self.home, self.name, line.warned)
        return outcome

    @in_terms_of_python
    def compare(self, *trials: int | str, picture: str | Path | None = None) -> "Comparison":
        """Compare trials on dev, also across studies; return a record with .pairs, .contenders, .parameters, ….

        Args:
            trials: numbers, "best", "confirmed", "recommended", names of other studies (for their best trial), or
                "study:trial". A single one is compared with the best trial of the search.
            picture: path of the SVG file for the curves; None uses a file in the study's folder.

        Raises:
            UserError: a trial cannot be compared, or the picture cannot be written.
        """
        from study.evaluation.compare import compare

        return compare(
            self._ran, self.name, [str(trial) for trial in trials], None if picture is None else Path(picture)
        )

    @in_terms_of_python
    def recheck(
        self,
        data: str | Path | None = None,
        *,
        n_trials: int | None = None,
        top: int | None = None,
        seeds: int | None = None,
        n_jobs: int | None = None,
        show_progress: bool = True,
    ) -> "Recheck":
        """Check whether the best configuration is still the best on current or other data; return the result.

        Args:
            data: path of another table; None rereads the study's own data.
            n_trials: number of trials of the search on this data; None means a quarter of the study's.
            top: number of the best configurations to retrain; None uses the number in the spec.
            seeds: number of fresh seeds for each of them; None uses the number in the spec.
            n_jobs: number of worker processes, as in `run`.
            show_progress: whether to show the progress.

        Raises:
            UserError: no trial is complete, the study is running, or the data cannot be used.
            ValueError: a number is out of range.
        """
        from study.evaluation.recheck import recheck

        _check(n_trials=(n_trials, 1), top=(top, 1), seeds=(seeds, 2))
        if data is not None and not isinstance(data, str | Path):
            raise UserError(f"data: must be the path of a table, got a {type(data).__name__}; write it to a file first")
        line = ProgressLine(quiet=not show_progress)
        path = None if data is None else Path(data)
        jobs = _workers(n_jobs)
        try:
            return recheck(
                self._ran, self.name, data=path, trials=n_trials, top=top, seeds=seeds, jobs=jobs, said=line.said
            )
        finally:
            line.end()
            self.refresh()

    @in_terms_of_python
    def report(self, output: str | Path | None = None) -> Path:
        """Write the report, a single HTML page, and return its path, which by default is in the study's folder.

        Raises:
            UserError: the study has not run yet, or the file cannot be written.
        """
        from study.report import write_report

        return write_report(self._ran, self.name, None if output is None else Path(output))

    @in_terms_of_python
    def finalize(
        self, trial: int | str | None = None, *, with_dev: bool = False, again: bool = False, tracking: bool = True
    ) -> "Final":
        """Train the final model, evaluate it once on the test set, and return a record with .opening.value and more.

        Args:
            trial: number of the trial to retrain, "best", "confirmed" or "recommended"; None means the confirmed trial,
                or the best if no trial is confirmed.
            with_dev: whether to train on train and dev together.
            again: whether to allow another test evaluation if there has already been one.
            tracking: whether to write the model to MLflow.

        Raises:
            UserError: there is no such trial, the study is running, its data changed, or the test set has already been
                opened.
        """
        from study.model.finalize import finalize

        try:
            final = finalize(self._ran, self.name, trial=trial, with_dev=with_dev, again=again)
        except OpenedTestSetError as error:
            raise OpenedTestSetError(error.what, "finalize(again=True)") from None
        finally:
            self.refresh()
        if tracking:
            sync_apart(self.home, self.name, ProgressLine(quiet=False).warned)
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


def _workers(n_jobs: int | None) -> int | None:
    """Return the number of worker processes; None means one per core, unless joblib is configured otherwise."""
    if n_jobs == -1:
        return None
    if n_jobs is not None and n_jobs < 1:
        raise ValueError(f"n_jobs must be at least 1, got {n_jobs!r}; -1 means one per core")
    _check(n_jobs=(n_jobs, 1))
    return n_jobs


def _check(**given: tuple[float | None, int]) -> None:
    """Raise ValueError for a number that is below its minimum, or for a count that is not whole; None is allowed."""
    for name, (value, least) in given.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value!r}")
        if value is not None and name != "timeout" and value != int(value):
            raise ValueError(f"{name} must be a whole number, got {value!r}")
