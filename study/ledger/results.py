"""The results of a study, read from its ledger: rows for the terminal, for JSON and for MLflow."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict

from study.errors import UserError
from study.ledger import holding
from study.ledger.attributes import StudyAttributes
from study.ledger.baselines import Baseline, BaselineComparison, read_baselines, read_comparison
from study.ledger.bounds import AtBound, find_bounds
from study.ledger.choice import Choice
from study.ledger.confirmation import Confirmation, read_confirmation
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import RESULT, STATES, Ledger, without_nan
from study.ledger.test_evaluation import TestEvaluation, read_test_evaluations
from study.spec.parameters import ParameterValue
from study.text.cards import CardTable
from study.text.formatting import counted, figure, plain, signed
from study.text.records import Record


@dataclass(frozen=True, repr=False)
class TrialRow(Record):
    """The result of one trial.

    Attributes:
        number: number of the trial, from 0, in the order of proposal.
        state: "complete", "pruned", "failed" or "running".
        params: the complete configuration, including fixed values.
        value: the metric on dev; the last reported value for a pruned trial; None for a failed or running trial.
        iterations: number of completed iterations.
        fingerprint: SHA-256 over parameters, curve and dev values; None while the trial is running.
        run_id: id of its MLflow run; None if there is none yet.
        seconds: CPU time of its training.
        metrics: final values, averaged over the networks of the trial: "cost", "dev_<metric>", "train_<metric>", …
        gap: the metric on train minus the metric on dev; None if the training was not completed.
        parameters: number of weights and biases of its network.
        work: units of work done (see docs/plan.md).
        reason: why the trial was pruned or failed.
    """

    number: int
    state: str
    params: dict[str, ParameterValue]
    value: float | None
    iterations: int
    fingerprint: str | None
    run_id: str | None
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)
    gap: float | None = None
    parameters: int | None = None
    work: float | None = None
    reason: str | None = None

    def _lines(self) -> tuple[str, ...]:
        value = "" if self.value is None else f", {figure(self.value)} on dev"
        title = f"Trial {self.number}: {self.state}{value}, {counted(self.iterations, 'iteration')}"
        return (title, self.reason.splitlines()[-1]) if self.reason else (title,)

    def _tables(self) -> tuple[CardTable, ...]:
        figures = {
            "value on dev": plain(self.value),
            "train − dev": "" if self.gap is None else signed([self.gap])[0],
            "parameters": "" if self.parameters is None else f"{self.parameters:,}",
            "CPU seconds": figure(self.seconds, 3),
            "MLflow run": self.run_id or "",
        }
        shown = [(name, text) for name, text in figures.items() if text]
        return (
            CardTable([(name, plain(value)) for name, value in self.params.items()], caption="Configuration"),
            CardTable(shown, caption="Result"),
        )


@dataclass(frozen=True)
class Summary:
    """The result of one study.

    Attributes:
        state: "complete", "running" or "interrupted".
        direction: direction of the metric.
        metric: the metric that is compared; with several objectives, the first one.
        best: the best complete trial; with several objectives, the best by the first one.
        trials: all trials, ordered by number.
        planned: number of trials asked for.
        objectives: names of all objectives.
        values: with several objectives, their values for each complete trial, by number.
        front: with several objectives, the numbers of the trials on the Pareto front.
        confirm: the result of `study confirm`; None if the study has not been confirmed.
        finalized: the test evaluations, oldest first.
        choice: the selected trials.
        warnings: severe warnings about the data, which affect all results.
        baselines: the fitted baselines, the cheapest first.
        against_baselines: how the selected network compares with the best baseline; None if that is not known.
        has_test_set: whether the study has a test set, so that it can be finalized.
        at_bounds: the ends of ranges in `[space]` at which the winner lies; () unless the study is complete, and with
            several objectives.
    """

    name: str
    state: Literal["complete", "running", "interrupted"]
    direction: str
    metric: str
    best: TrialRow | None
    trials: list[TrialRow]
    planned: int
    description: str
    objectives: tuple[str, ...] = ()
    values: dict[int, list[float]] = field(default_factory=dict)
    front: tuple[int, ...] = ()
    confirm: Confirmation | None = None
    finalized: tuple[TestEvaluation, ...] = ()
    choice: Choice = field(default_factory=Choice)
    warnings: tuple[str, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    against_baselines: BaselineComparison | None = None
    has_test_set: bool = True
    at_bounds: tuple[AtBound, ...] = ()

    def ranking(self) -> list[TrialRow]:
        """Return the complete trials, best first; ties are broken by the cost on dev, then by number."""
        complete = [row for row in self.trials if row.state == "complete" and row.value is not None]
        sign = -1 if self.direction == "maximize" else 1
        return sorted(
            complete, key=lambda row: (sign * (row.value or 0), row.metrics.get("dev_cost", math.inf), row.number)
        )

    def row(self, number: int) -> TrialRow:
        """Return a trial by its number.

        Raises:
            UserError: there is no trial with this number.
        """
        if not 0 <= number < len(self.trials):
            there = f"its trials are 0 to {len(self.trials) - 1}" if self.trials else "it has no trials yet"
            raise UserError(f"study {self.name!r} has no trial {number}; {there}")
        return self.trials[number]

    def find(self, item: str) -> TrialRow:
        """Return a trial by its number, or by the name "best", "confirmed" or "recommended".

        Raises:
            UserError: there is no such trial.
        """
        return self.row(self.choice.number(item, self.name))


def summarize(home: Home, name: str) -> Summary:
    """Read the results of a study.

    Raises:
        UserError: there is no study with this name.
    """
    folder = home.existing(name)
    return summarize_ledger(Ledger(folder, name), folder)


def read_warnings(home: Home, name: str) -> tuple[str, ...]:
    """Return the severe warnings about the data of a study.

    Raises:
        UserError: there is no study with this name.
    """
    return tuple(Ledger(home.existing(name), name).attributes.get("cautions", ()))


def summarize_ledger(ledger: Ledger, folder: StudyFolder) -> Summary:
    """Read the results of a study from an open ledger."""
    attributes = ledger.attributes
    settings, metric = attributes.get("settings", {}), attributes.get("metric", "value")
    run_ids = read_exports(folder)
    rows = []
    for trial in ledger.trials():
        result = trial.user_attrs.get(RESULT, {})
        metrics = result.get("metrics", {})
        rows.append(
            TrialRow(
                number=trial.number,
                state=STATES[trial.state],
                params={**settings, **trial.params},
                value=without_nan(trial.values[0]) if trial.values else None,
                iterations=result.get("iterations", trial.last_step or 0),
                fingerprint=result.get("fingerprint"),
                run_id=run_ids.get(str(trial.number)),
                seconds=result.get("seconds", 0.0),
                metrics=metrics,
                gap=_gap(metrics, metric),
                parameters=result.get("parameters"),
                work=result.get("work"),
                reason=result.get("reason"),
            )
        )
    planned = attributes.get("trials", len(rows))
    finished = sum(row.state != "running" for row in rows)
    ended = attributes.get("ended") is not None and finished == len(rows)
    unfinished: Literal["running", "interrupted"] = "running" if holding.is_held(folder, ledger.name) else "interrupted"
    summary = Summary(
        name=ledger.name,
        state="complete" if finished >= planned or ended else unfinished,
        direction=ledger.direction,
        metric=metric,
        best=None,
        trials=rows,
        planned=planned,
        description=attributes.get("description", ""),
        objectives=tuple(attributes.get("objectives", ())),
        confirm=read_confirmation(attributes.get("confirm")),
        finalized=read_test_evaluations(attributes.get("finalized", ())),
        warnings=tuple(attributes.get("cautions", ())),
        baselines=read_baselines(attributes.get("baselines"), run_ids),
        has_test_set="test" in attributes.get("parts", {"test": ""}),  # the first ledgers did not store the parts
    )
    ranking = summary.ranking()
    if not ranking:
        return summary
    summary = replace(summary, best=ranking[0])
    if len(ledger.directions) > 1:
        complete = {trial.number: list(trial.values) for trial in ledger.trials() if STATES[trial.state] == "complete"}
        summary = replace(summary, values=complete, front=front_of(complete, ledger.directions))
    summary = replace(summary, choice=_choice(summary, attributes))
    summary = replace(summary, against_baselines=read_comparison(attributes.get("against_baselines"), summary))
    winner = summary.choice.main
    if winner is None or summary.state != "complete" or len(ledger.directions) > 1:
        return summary
    return replace(summary, at_bounds=find_bounds(ledger.trials()[winner]))


def _choice(summary: Summary, attributes: StudyAttributes) -> Choice:
    best = None if summary.best is None else summary.best.number
    if summary.confirm is None:
        return Choice(best)
    if not is_current(summary.confirm, summary, attributes):
        return Choice(best, outdated=True)
    return Choice(best, summary.confirm.winner, summary.confirm.recommended)


def is_current(outcome: Confirmation, summary: Summary, attributes: StudyAttributes) -> bool:
    """Return whether a confirmation is up to date, that is, the study has not continued since."""
    return outcome.of == digest(summary, attributes, outcome.top, outcome.seeds)


def digest(summary: Summary, attributes: StudyAttributes, top: int, seeds: int) -> str:
    """Return a digest of everything that a confirmation is computed from: candidates, seeds and data.

    Args:
        summary: results of the study.
        attributes: attributes of its ledger.
        top, seeds: the arguments of `confirm`.
    """
    rows = [[row.number, row.value, row.params] for row in candidates(summary, top)]
    described = [rows, seeds, summary.metric, attributes.get("parts"), attributes.get("identity")]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def candidates(summary: Summary, top: int) -> list[TrialRow]:
    """Return the best complete trials by value on dev; with several objectives, only those on the Pareto front."""
    several = len(summary.objectives) > 1
    return [row for row in summary.ranking() if not several or row.number in summary.front][:top]


def _gap(metrics: Mapping[str, float], metric: str) -> float | None:
    """Return the metric on train minus the metric on dev; None if either is unknown."""
    if f"train_{metric}" not in metrics or f"dev_{metric}" not in metrics:
        return None
    return metrics[f"train_{metric}"] - metrics[f"dev_{metric}"]


def front_of(values: Mapping[int, Sequence[float]], directions: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of the trials on the Pareto front: none is as good in all objectives and better in one."""
    signs = [-1 if direction == "maximize" else 1 for direction in directions]
    losses = {n: [s * v for s, v in zip(signs, given, strict=True)] for n, given in values.items()}

    def beaten(mine: list[float]) -> bool:
        return any(all(a <= b for a, b in zip(o, mine, strict=True)) and o != mine for o in losses.values())

    return tuple(n for n, mine in sorted(losses.items()) if not beaten(mine))


class _Exports(TypedDict, total=False):
    runs: dict[str, str]
    experiment: str | None


def read_exports(folder: StudyFolder) -> dict[str, str]:
    """Return the MLflow run id of each exported trial, by its number as text; "study" is the parent run."""
    return dict(_exports(folder).get("runs", {}))


def read_experiment(folder: StudyFolder) -> str | None:
    """Return the id of the study's MLflow experiment; None if there is none yet."""
    return _exports(folder).get("experiment")


def _exports(folder: StudyFolder) -> _Exports:
    """Return the stored MLflow ids; empty if the file is missing or damaged, in which case MLflow is queried."""
    try:
        kept = json.loads(folder.exports.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    runs = kept.get("runs") if isinstance(kept, dict) else None
    if not isinstance(runs, dict) or not all(isinstance(run, str) for run in runs.values()):
        return {}
    return {"runs": runs, "experiment": kept.get("experiment")}
