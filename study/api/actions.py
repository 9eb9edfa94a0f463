"""The actions of `Study` on its trials: plan, run, confirm, compare, recheck and report."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

from study.api.counts import check_counts, workers_of
from study.api.deprecation import renamed
from study.api.model_actions import StudyModel
from study.api.progress_line import ProgressLine
from study.api.syncing import WRITING, sync_apart
from study.api.wording import in_terms_of_python

if TYPE_CHECKING:
    from study.evaluation.comparison import Comparison
    from study.ledger.confirmation import ConfirmAnswer
    from study.ledger.recheck import Recheck
    from study.planning.record import Plan


class StudyActions(StudyModel):
    """The actions of a study. After an action that changes the study, its results are reread."""

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

        return make_plan(self._declared, workers_of(n_jobs))

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

        check_counts(n_trials=(n_trials, 1), timeout=(timeout, 0))
        line = ProgressLine(quiet=not show_progress)
        workers = Workers.of(self._declared.spec.search, workers_of(n_jobs))
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
            UserError: no trial is complete, the study is running, or its data has changed.
            ValueError: top, seeds or n_jobs is out of range.
        """
        from study.evaluation.confirm import confirm

        check_counts(top=(top, 1), seeds=(seeds, 2))
        line = ProgressLine(quiet=not show_progress)
        jobs = workers_of(n_jobs)
        try:
            outcome = confirm(
                self._ran, self.name, top=top, seeds=seeds, jobs=jobs, said=line.said, progress=line.confirming
            )
        finally:
            line.end()
            self.refresh()
        if tracking:
            line.said(WRITING)
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
        data: object = None,
        *,
        n_trials: int | None = None,
        top: int | None = None,
        seeds: int | None = None,
        n_jobs: int | None = None,
        show_progress: bool = True,
    ) -> "Recheck":
        """Check whether the best configuration is still the best on current or other data; return the result.

        Args:
            data: another table, as for `Study`: a DataFrame, a pair (X, y) or a path. None rereads the study's own
                data.
            n_trials: number of trials of the search on this data; None means a quarter of the study's.
            top: number of the best configurations to retrain; None uses the number in the spec.
            seeds: number of fresh seeds for each of them; None uses the number in the spec.
            n_jobs: number of worker processes, as in `run`.
            show_progress: whether to show the progress.

        Raises:
            UserError: no trial is complete, the study is running, or the data cannot be used.
            ValueError: a number is out of range.
        """
        from study.api.other_table import other_table
        from study.evaluation.recheck import recheck

        check_counts(n_trials=(n_trials, 1), top=(top, 1), seeds=(seeds, 2))
        line = ProgressLine(quiet=not show_progress)
        jobs = workers_of(n_jobs)
        try:
            with other_table(data, self._ran, self._declared.spec) as (table, options):
                return recheck(
                    self.home,
                    self.name,
                    data=table,
                    options=options,
                    trials=n_trials,
                    top=top,
                    seeds=seeds,
                    jobs=jobs,
                    said=line.said,
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
