"""The results of `Study` so far: its trials, the best of them, and its runs in MLflow."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, TypeVar

from engine.metrics import METRICS
from study.api.deprecation import warn_of_name
from study.api.place import StudyPlace
from study.errors import UserError
from study.ledger.home import StudyFolder
from study.ledger.ledger import Ledger, quiet_optuna
from study.ledger.results import Summary, TrialRow, read_exports, summarize
from study.ledger.trial_artifact import read_result
from study.text.formatting import counted
from study.text.shell import next_command

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from mlflow.entities import Run

    from engine.activations import Array
    from study.spec.parameters import ParameterValue

TOP = 10
_COLUMNS = ("number", "state", "value", "gap", "work", "iterations", "seconds", "reason", "fingerprint", "run_id")
T = TypeVar("T")


class Trials(tuple[TrialRow, ...]):
    """The trials of a study by number, as records."""

    __slots__ = ()

    def __call__(self) -> "pd.DataFrame":
        """Return the trials as a table, as `Study.trials()` used to do. Deprecated."""
        warn_of_name("trials()", "trials_dataframe()")
        return _table(self)


class StudyResults(StudyPlace):
    """The results of a study. The ledger is read once and cached; `refresh`, `run` and other actions reread it."""

    _summary: Summary | None = None

    def refresh(self) -> Self:
        """Reread the ledger, for instance while another process runs the study, and return the study."""
        self._summary = None
        return self

    @property
    def summary(self) -> Summary:
        """The whole study as a record, as in `study show`. The first access reads the ledger.

        Raises:
            UserError: the study has not run yet.
        """
        if self._summary is None:
            self._summary = summarize(self._ran, self.name)
        return self._summary

    @property
    def state(self) -> str:
        """ "complete", "running", "interrupted", or "new" before the first run. The first access reads the ledger."""
        if self._summary is None and self.name not in self.home.names():
            return "new"
        return self.summary.state

    @property
    def trials(self) -> Trials:
        """The trials by number, as records; () before the first run. The first access reads the ledger."""
        return Trials(() if self.state == "new" else self.summary.trials)

    @property
    def best_trial(self) -> TrialRow:
        """The best complete trial on dev. The first access reads the ledger.

        Raises:
            UserError: no trial is complete yet.
        """
        best = None if self.state == "new" else self.summary.best
        if best is None:
            raise UserError(f"study {self.name!r} has no complete trial yet; call run() first")
        return best

    @property
    def best_params(self) -> "dict[str, ParameterValue]":
        """The hyperparameters of the best trial, including fixed ones. Raises like `best_trial`."""
        return self.best_trial.params

    @property
    def best_value(self) -> float:
        """The metric of the best trial on dev. Raises like `best_trial`."""
        value = self.best_trial.value
        assert value is not None  # noqa: S101 - a complete trial has a value
        return value

    @property
    def best(self) -> TrialRow | None:
        """The best complete trial, or None if there is none. Deprecated."""
        warn_of_name("best", "best_trial")
        return None if self.state == "new" else self.summary.best

    def trials_dataframe(self) -> "pd.DataFrame":
        """Return a table with a row for each trial, indexed by number. The first call reads the ledger.

        Columns are state, value, every metric on train and dev (train_accuracy, dev_accuracy, …), gap, params_<name>,
        work, iterations, seconds (of CPU time), reason (why it was pruned or failed), fingerprint and run_id.
        """
        return _table(self.trials)

    def curve(self, number: int) -> "Array":
        """Return J before each update of a finished trial, (iterations,), from its file; the mean for several networks.

        Raises:
            UserError: there is no such trial, or it has not finished.
        """
        path = self._folder.result(number)
        if not path.exists():
            row = self.summary.find(str(number))
            raise UserError(f"trial {number} of study {self.name!r} is {row.state} and has no curve yet")
        return read_result(path).costs

    @property
    def optuna_study(self) -> "optuna.Study":
        """The ledger as an Optuna study, for Optuna's plots and importances. Do not write to it.

        Raises:
            UserError: the study has not run yet.
        """
        import optuna

        folder = self._ran.existing(self.name)
        with quiet_optuna():
            return optuna.load_study(study_name=self.name, storage=Ledger(folder, self.name).storage)

    def runs(self) -> "list[Run]":
        """Return the MLflow runs of the finished trials by number, as read from MLflow.

        Raises:
            UserError: the study has not run yet, or MLflow does not respond.
        """
        from mlflow import MlflowClient

        from study.tracking.store import describe_error, quiet_mlflow, store_errors, tracking_uri

        exports = read_exports(self._ran.existing(self.name))
        uri = tracking_uri(self.home)
        with quiet_mlflow():
            try:
                client = MlflowClient(uri, uri)
                return [client.get_run(exports[key]) for key in sorted(filter(str.isdecimal, exports), key=int)]
            except store_errors() as error:
                raise UserError(
                    f"could not read the runs of study {self.name!r} from MLflow ({describe_error(error)}); "
                    f"run `{next_command('sync', self.name)}` to write them"
                ) from error

    @property
    def _folder(self) -> StudyFolder:
        return self._ran.folder(self.name)

    def __repr__(self) -> str:
        return f"Study({self.name!r}, {self.state}, home={str(self.home.path)!r})"

    def _repr_html_(self) -> str:
        import html

        title = f"<b>{html.escape(self.name)}</b>: {self.state}"
        if self.state == "new":
            return title
        summary, table = self.summary, self.trials_dataframe()
        best = table.loc[[row.number for row in summary.ranking()[:TOP]]]
        drawn = [name for name in best.columns if name.startswith("params_") and best[name].astype(str).nunique() > 1]
        best = best[["value", *drawn, "seconds"]].rename(columns=lambda name: name.removeprefix("params_"))
        best = best.rename(columns={"value": f"dev {summary.metric}"})
        finished = sum(row.state != "running" for row in summary.trials)
        shown = best.to_html(na_rep="", float_format="{:.4g}".format, index_names=False)
        return f"{title}, {finished} of {counted(summary.planned, 'trial')}{shown}{_baselines_html(summary)}"


def _baselines_html(summary: Summary) -> str:
    """Return a table of the baselines, and how the network compares with the best of them; "" if there are none."""
    import pandas as pd

    if not summary.baselines:
        return ""
    rows = [(each.title, each.value, each.seconds) for each in summary.baselines]
    table = pd.DataFrame.from_records(rows, columns=["baseline", f"dev {summary.metric}", "seconds"])
    shown: str = table.to_html(na_rep="", float_format="{:.4g}".format, index=False)
    found = summary.against_baselines
    return shown if found is None else f"{shown}<p>{found.sentence(METRICS[found.metric].title)}</p>"


def _table(trials: Iterable[TrialRow]) -> "pd.DataFrame":
    import pandas as pd

    rows: list[dict[str, object]] = []
    for trial in trials:
        row = {name: getattr(trial, name) for name in _COLUMNS}
        row |= {f"params_{name}": value for name, value in trial.params.items()}
        rows.append(row | trial.metrics)
    metrics = _ordered(name for trial in trials for name in trial.metrics)
    params = _ordered(f"params_{name}" for trial in trials for name in trial.params)
    columns = [*_COLUMNS[:3], *metrics, "gap", *params, *_COLUMNS[4:]]
    return pd.DataFrame.from_records(rows, columns=columns).set_index("number")


def _ordered(names: Iterable[T]) -> list[T]:
    """Return the distinct names in the order of their first occurrence."""
    return list(dict.fromkeys(names))
