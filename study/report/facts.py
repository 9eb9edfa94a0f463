"""Read the content of a report: the ledger, the files of the trials, and the data if they still exist."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from study.charts.trials import TrialFacts, distributions_of, thin_curves
from study.data import Dataset, loading, opening, overview
from study.data.overview import DataSummary
from study.errors import UserError
from study.ledger.answers import StudyAnswer, describe_study
from study.ledger.confirmation import Confirmation
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import summarize_ledger
from study.ledger.test_evaluation import TestEvaluation
from study.report.winner import Winner, WinnerAnswer, describe_winner, look_at_winner
from study.search.importance import Importance, estimate
from study.search.search_space import needed_encodings
from study.spec import Spec
from study.spec.reading import parse_spec
from study.text.records import from_json


@dataclass(frozen=True)
class KeptStudy:
    """The attributes of a study in the ledger that a report uses.

    Attributes:
        spec: text of the spec; None if the ledger has none.
        folder: folder to which paths in the spec are relative; None means the current one.
        fingerprint: fingerprint of the data at the start of the study; None if the ledger has none.
        raised: number of trials set by --trials; 0 if the number in the spec applies.
        version: version of this package at the start of the study.
        versions: versions of all packages at the start of the study.
        cautions: data warnings at the start of the study; None if the ledger has none.
    """

    spec: str | None = None
    folder: str | None = None
    fingerprint: str | None = None
    raised: int = 0
    version: str = "?"
    versions: dict[str, str] = field(default_factory=dict)
    cautions: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Facts(TrialFacts):
    """The content of a report.

    Attributes:
        trials: trials of the ledger, by number.
        kept: attributes of the study in the ledger.
        confirmation: result of the confirmation; None if there is none, or trials were added after it.
        openings: test evaluations, oldest first.
        importance: importance of the hyperparameters; None if too few trials are complete.
        winner: predictions of the main trial on dev; None without the data or a complete trial.
        look: summary of the data; None if the data cannot be used.
        dataset: train and dev of the plain split, even with folds; None if the data cannot be used.
        problem: reason why the data cannot be used.
        spec: the spec; None if the ledger has none.
    """

    trials: list[FrozenTrial]
    kept: KeptStudy
    confirmation: Confirmation | None = None
    openings: tuple[TestEvaluation, ...] = ()
    importance: Importance | None = None
    winner: Winner | None = None
    look: DataSummary | None = None
    dataset: Dataset | None = None
    problem: str | None = None
    spec: Spec | None = None

    @property
    def began(self) -> str | None:
        """Start of the first trial, in UTC."""
        times = [trial.datetime_start for trial in self.trials if trial.datetime_start is not None]
        return _utc(min(times)) if times else None

    @property
    def ended(self) -> str | None:
        """End of the trial that ended last, in UTC."""
        times = [trial.datetime_complete for trial in self.trials if trial.datetime_complete is not None]
        return _utc(max(times)) if times else None


@dataclass(frozen=True, kw_only=True)
class ReportAnswer(StudyAnswer):
    """The data of a report: that of `study show --json`, and more.

    Attributes:
        began, ended: start of the first trial and end of the last one, in UTC.
        importance: importance of the hyperparameters.
        on_dev: predictions of the best trial on dev.
        data: summary of the data.
        problem: reason why the data cannot be used.
        versions: versions of the packages at the start of the study.
    """

    began: str | None
    ended: str | None
    importance: Importance | None
    on_dev: WinnerAnswer | None
    data: DataSummary | None
    problem: str | None
    versions: dict[str, str]


def describe_facts(facts: Facts) -> ReportAnswer:
    """Return the data of a report."""
    return ReportAnswer(
        **vars(describe_study(facts.summary)),
        began=facts.began,
        ended=facts.ended,
        importance=facts.importance,
        on_dev=None if facts.winner is None else describe_winner(facts.winner),
        data=facts.look,
        problem=facts.problem,
        versions=facts.kept.versions,
    )


def gather(home: Home, name: str) -> Facts:
    """Read the content of a study's report.

    Raises:
        UserError: if the study does not exist.
    """
    folder = home.existing(name)
    ledger = Ledger(folder, name)
    summary, trials = summarize_ledger(ledger, folder), ledger.trials()
    kept = from_json(KeptStudy, ledger.attributes)
    main = summary.choice.main
    spec, data, problem = open_data(kept)
    winner = None
    if spec is not None and data is not None and main is not None:
        winner = look_at_winner(spec, data.folds, summary.row(main), folder)
    return Facts(
        summary=summary,
        trials=trials,
        kept=kept,
        curves=thin_curves(folder, summary),
        confirmation=None if summary.choice.outdated else summary.confirm,
        openings=summary.finalized,
        importance=estimate(trials, StudyDirection[ledger.direction.upper()]),
        winner=winner,
        look=None if data is None else data.look,
        dataset=None if data is None else data.dataset,
        problem=problem,
        spec=spec,
        distributions=distributions_of(trials),
    )


@dataclass(frozen=True, eq=False)
class OpenedData:
    """The data of a study. `folds` are the datasets on which the trials were trained: one per fold, or only one."""

    look: DataSummary
    dataset: Dataset
    folds: tuple[Dataset, ...]


def open_data(kept: KeptStudy) -> tuple[Spec | None, OpenedData | None, str | None]:
    """Return the spec, the data, and the reason why either cannot be used. The test rows are not converted."""
    if kept.spec is None:
        return None, None, "the ledger has no spec"
    try:
        spec = parse_spec(kept.spec, "the spec in the ledger")
    except UserError as error:
        return None, None, str(error)
    base = Path(kept.folder or Path.cwd())
    try:
        opened = opening.open_source(spec.data, base)
        encodings = needed_encodings(spec)
        dataset = loading.prepare(opened, opened.parts["train"], opened.parts["dev"], encodings=encodings)
        folds = loading.load_fold_datasets(spec.data, base, encodings) if spec.data.folds else (dataset,)
    except UserError as error:
        return spec, None, f"the data can no longer be read: {error}"
    if kept.fingerprint not in (None, folds[0].fingerprint):
        return spec, None, f"the data of {spec.data.source!r} has changed since the study started"
    return spec, OpenedData(overview.describe(opened, dataset, folds if spec.data.folds else ()), dataset, folds), None


def _utc(moment: datetime) -> str:
    # Optuna stores the times of a journal in the local time zone, without naming it.
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
