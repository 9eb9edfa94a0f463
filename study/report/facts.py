"""What a report stands on, gathered once: the ledger, the trials' files, and the data where they are still there."""

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
from study.report.openings import TestEvaluation, read_test_evaluations
from study.report.winner import Winner, WinnerAnswer, describe_winner, look_at_winner
from study.search.importance import Importance, estimate
from study.spec import Spec
from study.spec.reading import parse_spec
from study.text.records import from_json


@dataclass(frozen=True)
class KeptStudy:
    """What the ledger keeps of a study beside its trials, as far as a report shows or needs it.

    Attributes:
        spec: the text of the spec; None in a ledger that keeps none.
        folder: that paths in the spec are relative to; None for the current one.
        fingerprint: of the data that the study began with; None in a ledger that keeps none.
        raised: the number of trials that --trials asked for; 0 where it is the spec's.
        version: of this package that the study began with.
        versions: of all packages that the study began with.
        cautions: what was said of the data as the study began; None in a ledger that keeps none.
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
    """All that is in a report.

    Attributes:
        trials: of the ledger, by number.
        kept: what the ledger keeps of the study.
        confirmation: what the best settings did on fresh seeds; None before, or where the study has gone on since.
        openings: of the test set, oldest first.
        importance: None with too few complete trials.
        winner: what the main trial does on dev; None without the data, or before there is a complete trial.
        look: at the data; None where they are gone.
        dataset: train and dev of the plain split, also where there are folds; None where they are gone.
        problem: why the data are not there.
        spec: None in a ledger that keeps none.
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
        """When the first trial began, in UTC."""
        times = [trial.datetime_start for trial in self.trials if trial.datetime_start is not None]
        return _utc(min(times)) if times else None

    @property
    def ended(self) -> str | None:
        """When the last trial that has ended did, in UTC."""
        times = [trial.datetime_complete for trial in self.trials if trial.datetime_complete is not None]
        return _utc(max(times)) if times else None


@dataclass(frozen=True, kw_only=True)
class ReportAnswer(StudyAnswer):
    """The figures of a report: those of `study show --json`, and what the report adds to them.

    Attributes:
        began, ended: when the first trial began and the last one ended, in UTC.
        importance: of the hyperparameters.
        on_dev: what the winner does on dev.
        data: what the data look like.
        problem: why the data are not there.
        versions: of the packages that the study began with.
    """

    began: str | None
    ended: str | None
    importance: Importance | None
    on_dev: WinnerAnswer | None
    data: DataSummary | None
    problem: str | None
    versions: dict[str, str]


def describe_facts(facts: Facts) -> ReportAnswer:
    """Return the figures of a report."""
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
    """Read everything that the report of a study shows.

    Raises:
        UserError: there is no such study.
    """
    folder = home.existing(name)
    ledger = Ledger(folder, name)
    summary, trials = summarize_ledger(ledger, folder), ledger.trials()
    kept = from_json(KeptStudy, ledger.attributes)
    main = summary.choice.main
    spec, data, problem = _open_data(kept)
    winner = None
    if spec is not None and data is not None and main is not None:
        winner = look_at_winner(spec, data.folds, summary.row(main), folder)
    return Facts(
        summary=summary,
        trials=trials,
        kept=kept,
        curves=thin_curves(folder, summary),
        confirmation=None if summary.choice.outdated else summary.confirm,
        openings=read_test_evaluations(summary.finalized),
        importance=estimate(trials, StudyDirection[ledger.direction.upper()]),
        winner=winner,
        look=None if data is None else data.look,
        dataset=None if data is None else data.dataset,
        problem=problem,
        spec=spec,
        distributions=distributions_of(trials),
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """The data of a study. folds: what its trials were trained on, one dataset each; without folds the one dataset."""

    look: DataSummary
    dataset: Dataset
    folds: tuple[Dataset, ...]


def _open_data(kept: KeptStudy) -> tuple[Spec | None, _Data | None, str | None]:
    """Return spec, data and, where these cannot be used, why; the test rows stay raw."""
    if kept.spec is None:
        return None, None, "the ledger keeps no spec"
    try:
        spec = parse_spec(kept.spec, "the spec in the ledger")
    except UserError as error:
        return None, None, str(error)
    base = Path(kept.folder or Path.cwd())
    try:
        opened = opening.open_source(spec.data, base)
        dataset = loading.prepare(opened, opened.parts["train"], opened.parts["dev"])
        folds = loading.load_fold_datasets(spec.data, base) if spec.data.folds else (dataset,)
    except UserError as error:
        return spec, None, f"the data cannot be read any more: {error}"
    if kept.fingerprint not in (None, folds[0].fingerprint):
        return spec, None, f"the data of {spec.data.source!r} changed since the study began"
    return spec, _Data(overview.describe(opened, dataset, folds if spec.data.folds else ()), dataset, folds), None


def _utc(moment: datetime) -> str:
    # Optuna keeps a journal's times without a zone, in that of the machine.
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
