"""Records of a study for JSON: the output of `study show --json` and `study list --json`, and data of the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from study.ledger.baselines import Baseline, BaselineComparison
from study.ledger.confirmation import Confirmation
from study.ledger.results import Summary, TrialRow
from study.text.records import IF_ANY, to_json


@dataclass(frozen=True, kw_only=True)
class StudyLine:
    """A study without its trials.

    Attributes:
        objectives: names of the objectives; only with several objectives.
        values: values of the objectives for each complete trial, by number; only with several objectives.
        front: numbers of the trials on the Pareto front; only with several objectives.
        best: the best complete trial; with several objectives, the best by the first one.
        planned: number of trials asked for.
        confirmed: number of the confirmed trial.
        recommended: number of the recommended trial.
        finalize: number of the trial that `study finalize` uses.
        confirm: the result of `study confirm`.
        finalized: the test evaluations, oldest first.
        warnings: severe warnings about the data.
        against_baselines: how the selected network compares with the best baseline; None if that is not known.
    """

    objectives: tuple[str, ...] | None = field(default=None, metadata=IF_ANY)
    values: dict[int, tuple[float, ...]] | None = field(default=None, metadata=IF_ANY)
    front: tuple[int, ...] | None = field(default=None, metadata=IF_ANY)
    name: str
    state: Literal["complete", "running", "interrupted"]
    direction: str
    metric: str
    best: TrialRow | None
    planned: int
    description: str
    confirmed: int | None
    recommended: int | None
    finalize: int | None
    confirm: Confirmation | None
    finalized: tuple[Mapping[str, object], ...]
    warnings: tuple[str, ...] = field(metadata={"key": "cautions"})
    against_baselines: BaselineComparison | None


@dataclass(frozen=True, kw_only=True)
class StudyAnswer(StudyLine):
    """A study with all its trials, ordered by number, and its baselines, the cheapest first."""

    trials: tuple[TrialRow, ...]
    baselines: tuple[Baseline, ...]


def describe_line(summary: Summary) -> StudyLine:
    """Return a study without its trials."""
    several = len(summary.objectives) > 1
    return StudyLine(
        objectives=summary.objectives if several else None,
        values={number: tuple(given) for number, given in summary.values.items()} if several else None,
        front=summary.front if several else None,
        name=summary.name,
        state=summary.state,
        direction=summary.direction,
        metric=summary.metric,
        best=summary.best,
        planned=summary.planned,
        description=summary.description,
        confirmed=summary.choice.confirmed,
        recommended=summary.choice.recommended,
        finalize=summary.choice.final,
        confirm=summary.confirm,
        finalized=tuple(map(to_json, summary.finalized)),
        warnings=summary.warnings,
        against_baselines=summary.against_baselines,
    )


def describe_study(summary: Summary) -> StudyAnswer:
    """Return a study with all its trials, ordered by number."""
    line = describe_line(summary)
    shared = {each.name: getattr(line, each.name) for each in fields(line)}
    return StudyAnswer(**shared, trials=tuple(summary.trials), baselines=summary.baselines)
