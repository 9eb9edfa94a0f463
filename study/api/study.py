"""Studies from Python, in a script or a notebook: `from study import Study`."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from study import exit_status
from study.api.progress_line import ProgressLine
from study.errors import UserError
from study.exit_status import ExitCode
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import Ledger, quiet_optuna
from study.ledger.results import Summary, TrialRow, summarize
from study.ledger.trial_artifact import read_result
from study.spec import read_spec
from study.text.formatting import agree, counted

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from engine.activations import Array
    from study.evaluation.comparison import Comparison
    from study.ledger.confirmation import Confirmation
    from study.model.finalize import Final

TOP = 10


class Study:
    """One study in a home. Made by `Study.from_toml` or `Study.load`; reads the ledger anew at each question.

    Attributes:
        name: of the study.
        home: where its state lives.
        path: of its spec, None where it was loaded by name.
    """

    def __init__(self, name: str, home: Home, path: Path | None) -> None:
        self.name, self.home, self.path = name, home, path

    @classmethod
    def from_toml(cls, path: str | Path, home: str | Path | None = None, storage: str | None = None) -> "Study":
        """Return the study of a spec, which may not have run yet.

        Args:
            path: of the spec.
            home: where state lives; None takes STUDY_HOME, or ./mlruns.
            storage: address of a PostgreSQL database for the ledger; None takes STUDY_STORAGE, or a file of the home.

        Raises:
            UserError: the spec cannot be used.
        """
        spec = read_spec(Path(path))
        return cls(spec.name, Home.at(None if home is None else str(home), storage), Path(path))

    @classmethod
    def load(cls, name: str, home: str | Path | None = None, storage: str | None = None) -> "Study":
        """Return a study that is in the home (or in the storage), to look at; see `from_toml`.

        Raises:
            UserError: there is none of this name.
        """
        place = Home.at(None if home is None else str(home), storage)
        place.existing(name)
        return cls(name, place, None)

    def run(
        self,
        jobs: int | None = None,
        *,
        trials: int | None = None,
        timeout: float | None = None,
        warm_start: str | None = None,
        quiet: bool = False,
    ) -> "Study":
        """Run the study to its end, or go on with it; return it.

        An interrupt leaves it as it stands: the same call goes on from there.

        Args:
            jobs: worker processes; None takes what `joblib.parallel_config` says, and otherwise one a core.
            trials: how many in the end, in place of the spec's number.
            timeout: seconds after which the run stops at the end of a round.
            warm_start: name of another study, whose best settings are tried first.
            quiet: whether nothing is printed.

        Raises:
            UserError: the spec or the data cannot be used, or the study was loaded by name.
            ValueError: jobs, trials or timeout out of range.
        """
        from study.execution import Workers
        from study.run import run
        from study.tracking.exporter import make_exporter

        if self.path is None:
            raise UserError(f"study {self.name!r} was loaded by name, to look at; Study.from_toml(path) can run it")
        _check(jobs=(jobs, 1), trials=(trials, 1), timeout=(timeout, 0))
        line = ProgressLine(quiet=quiet)
        try:
            with make_exporter(self.home, self.name) as exporter:
                result = run(
                    self.path,
                    self.home,
                    workers=Workers.of(read_spec(self.path).search, jobs),
                    trials=trials,
                    timeout=timeout,
                    warm_start=warm_start,
                    exporter=exporter,
                    progress=line.progress(),
                )
        except KeyboardInterrupt:
            kept = f"{line.done} of {counted(line.planned, 'trial')} {agree(line.done, 'is', 'are')} kept"
            line.said(f"{kept}; the same call goes on from here.")
            raise
        finally:
            line.end()
        missing = result.missing_runs()
        if missing:
            line.said(missing)
        return self

    def confirm(
        self, top: int | None = None, seeds: int | None = None, jobs: int | None = None, *, quiet: bool = False
    ) -> "Confirmation":
        """Train the best configurations again on fresh seeds; return .winner, .recommended, .candidates, ….

        Args:
            top: best configurations to train again; None takes the spec's.
            seeds: fresh seeds for each; None takes the spec's.
            jobs: worker processes; None takes what `joblib.parallel_config` says, and otherwise one a core.
            quiet: whether nothing is printed.

        Raises:
            UserError: it has no complete trial, it is running, or its data changed.
            ValueError: top, seeds or jobs out of range.
        """
        from study.evaluation.confirm import confirm

        _check(top=(top, 1), seeds=(seeds, 2), jobs=(jobs, 1))
        line = ProgressLine(quiet=quiet)
        try:
            outcome = confirm(
                self.home, self.name, top=top, seeds=seeds, jobs=jobs, said=line.said, progress=line.confirming
            )
        finally:
            line.end()
        self._sync(line.said)
        return outcome

    def compare(self, *trials: int | str, picture: str | Path | None = None) -> "Comparison":
        """Compare trials on dev, or with the best of other studies; return .pairs, .contenders, .parameters, ….

        Args:
            trials: numbers, "best", "confirmed", "recommended", names of other studies (their best), or "study:trial";
                one alone is compared with the best in the search.
            picture: where the curves are drawn; None is in the study's folder.

        Raises:
            UserError: one of them cannot be compared.
        """
        from study.evaluation.compare import compare

        return compare(
            self.home, self.name, [str(trial) for trial in trials], None if picture is None else Path(picture)
        )

    def report(self, output: str | Path | None = None) -> Path:
        """Write the report, one HTML page; return its path, by default in the study's folder.

        Raises:
            UserError: the study has not run yet, or the file cannot be written.
        """
        from study.report import write_report

        return write_report(self.home, self.name, None if output is None else Path(output))

    def finalize(self, trial: int | str | None = None, *, with_dev: bool = False, again: bool = False) -> "Final":
        """Train a trial again and judge it once on the test set; return .opening.value, .load_model(), ….

        Args:
            trial: a number, "best", "confirmed" or "recommended"; None takes the confirmed trial, or else the best.
            with_dev: train on train and dev together.
            again: open the test set although it has been opened before.

        Raises:
            UserError: no such trial, it is running, its data changed, or the test set has been opened before.
        """
        from study.model.finalize import finalize

        final = finalize(self.home, self.name, trial=trial, with_dev=with_dev, again=again)
        self._sync(ProgressLine(quiet=False).said)
        return final

    def predict(self, table: "pd.DataFrame | str | Path") -> "pd.DataFrame":
        """Return the final model's prediction for each row of a table, with a probability for each class.

        Args:
            table: with the columns that the model was trained on, in any order, or a .csv, .tsv or .parquet file.

        Warns:
            DataWarning: of cells that do not fit their column, and of what else `study predict` notes of a file.

        Raises:
            UserError: it has not been finalized, a column is missing, or no cell of a column can be read.
        """
        from study.model.predict import predict_file, predict_table, warn_of

        if isinstance(table, str | Path):
            made, notes = predict_file(self.home, self.name, Path(table))
            warn_of(notes)
            return made
        return predict_table(self.home, self.name, table)

    @property
    def summary(self) -> Summary:
        """The study as it stands, as `study show` has it.

        Raises:
            UserError: it has not run yet.
        """
        return summarize(self.home, self.name)

    @property
    def state(self) -> str:
        """ "complete", "running", "interrupted", or "new" before the first run."""
        return self.summary.state if self.name in self.home.names() else "new"

    @property
    def best(self) -> TrialRow | None:
        """The best complete trial on dev: .number, .value, .params, …; None before there is one."""
        return self.summary.best

    def trials(self) -> "pd.DataFrame":
        """Return all trials, one a row, by number; the setting is in columns params_<name>."""
        import pandas as pd

        rows = []
        for row in self.summary.trials:
            record: dict[str, object] = {"number": row.number, "state": row.state, "value": row.value}
            record |= {f"params_{name}": value for name, value in row.params.items()}
            record |= {"iterations": row.iterations, "seconds": row.seconds}
            rows.append(record | {"fingerprint": row.fingerprint, "run_id": row.run_id})
        columns = [] if rows else ["number", "state", "value", "iterations", "seconds", "fingerprint", "run_id"]
        return pd.DataFrame.from_records(rows, columns=columns or None).set_index("number")

    def curve(self, number: int) -> "Array":
        """Return J before each update of a finished trial, (iterations,); of several networks the mean.

        Raises:
            UserError: there is no such trial, or it has not finished.
        """
        path = self._folder.result(number)
        if not path.exists():
            known = {row.number: row.state for row in self.summary.trials}
            why = f"is {known[number]}" if number in known else f"is not there; there are {len(known)}, from 0 on"
            raise UserError(f"trial {number} of study {self.name!r} {why}")
        return read_result(path).costs

    @property
    def optuna_study(self) -> "optuna.Study":
        """The ledger as an Optuna study, for Optuna's own plots and importances; to read, not to write."""
        import optuna

        folder = self.home.existing(self.name)
        with quiet_optuna():
            return optuna.load_study(study_name=self.name, storage=Ledger(folder, self.name).storage)

    def _sync(self, said: Callable[[str], None]) -> None:
        """Show in MLflow what has gone into the ledger; in a process of its own, as logging a model takes hold of the
        store and the experiment that a notebook may have set for itself."""
        command = [sys.executable, "-m", "study", "sync", self.name, "--home", str(self.home.path)]
        with tempfile.TemporaryDirectory(prefix="study-status-") as folder:
            path = Path(folder) / "status.json"
            known = os.environ | {"STUDY_STORAGE": self.home.storage or "", exit_status.VARIABLE: str(path)}
            done = subprocess.run(command, env=known, capture_output=True, check=False)  # noqa: S603 - ours
            status = exit_status.read_status(path, done.returncode)
        if status.code != ExitCode.DONE:
            said(f"not in MLflow yet: {status.message or status.reason}")

    @property
    def _folder(self) -> StudyFolder:
        return self.home.folder(self.name)

    def __repr__(self) -> str:
        return f"Study({self.name!r}, {self.state}, home={str(self.home.path)!r})"

    def _repr_html_(self) -> str:
        import html

        title = f"<b>{html.escape(self.name)}</b>: {self.state}"
        if self.state == "new":
            return title
        summary, table = self.summary, self.trials()
        best = table.loc[[row.number for row in summary.ranking()[:TOP]]]
        drawn = [name for name in best.columns if name.startswith("params_") and best[name].astype(str).nunique() > 1]
        best = best[["value", *drawn, "seconds"]].rename(columns=lambda name: name.removeprefix("params_"))
        best = best.rename(columns={"value": f"dev {summary.metric}"})
        finished = sum(row.state != "running" for row in summary.trials)
        shown = best.to_html(na_rep="", float_format="{:.4g}".format, index_names=False)
        return f"{title}, {finished} of {counted(summary.planned, 'trial')}{shown}"


def _check(**given: tuple[float | None, int]) -> None:
    """Raise ValueError for a number, where there is one, that is below its least."""
    for name, (value, least) in given.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value!r}")
