"""What a study has found, read from its ledger: rows for the terminal, for JSON and for MLflow."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.activations import Array
from engine.quantum import Evaluation
from study import lease
from study.home import Home, StudyFolder
from study.ledger import RESULT, STATES, Ledger


@dataclass(frozen=True)
class TrialRow:
    """One trial as people see it.

    Attributes:
        number: from 0, in the order asked.
        state: "complete", "pruned", "failed" or "running".
        params: the whole setting, fixed values included.
        value: the metric on dev; of a pruned trial the last one reported; None of a failed or running one.
        iterations: done.
        fingerprint: SHA-256 over parameters, curve and dev values; None while running.
        run_id: of its MLflow run, None where there is none yet.
        seconds: processor time of its training.
    """

    number: int
    state: str
    params: dict[str, Any]
    value: float | None
    iterations: int
    fingerprint: str | None
    run_id: str | None
    seconds: float


@dataclass(frozen=True)
class Summary:
    """One study as people see it; `state` is "complete", "running" or "interrupted"."""

    name: str
    state: str
    direction: str
    metric: str
    best: TrialRow | None
    trials: list[TrialRow]
    planned: int
    description: str

    def ranking(self) -> list[TrialRow]:
        """Return the complete trials, best first; equal values by number."""
        complete = [row for row in self.trials if row.state == "complete" and row.value is not None]
        sign = -1 if self.direction == "maximize" else 1
        return sorted(complete, key=lambda row: (sign * (row.value or 0), row.number))

    def as_json(self) -> dict[str, Any]:
        """Return what `study show --json` prints."""
        return {
            "name": self.name,
            "state": self.state,
            "direction": self.direction,
            "metric": self.metric,
            "best": None if self.best is None else asdict(self.best),
            "trials": [asdict(row) for row in self.trials],
        }


def summarize(home: Home, name: str) -> Summary:
    """Read a study.

    Raises:
        UserError: there is none of this name.
    """
    folder = home.existing(name)
    return summarize_ledger(Ledger(folder, name), folder)


def summarize_ledger(ledger: Ledger, folder: StudyFolder) -> Summary:
    """Read a study from an open ledger."""
    attributes = ledger.attributes
    settings = attributes.get("settings", {})
    run_ids = read_exports(folder)
    rows = []
    for trial in ledger.trials():
        result = trial.user_attrs.get(RESULT, {})
        rows.append(
            TrialRow(
                number=trial.number,
                state=STATES[trial.state],
                params={**settings, **trial.params},
                value=trial.values[0] if trial.values else None,
                iterations=result.get("iterations", trial.last_step or 0),
                fingerprint=result.get("fingerprint"),
                run_id=run_ids.get(str(trial.number)),
                seconds=result.get("seconds", 0.0),
            )
        )
    planned = attributes.get("trials", len(rows))
    finished = sum(row.state != "running" for row in rows)
    unfinished = "running" if lease.is_held(folder.lease) else "interrupted"
    summary = Summary(
        name=ledger.name,
        state="complete" if finished >= planned else unfinished,
        direction=ledger.direction,
        metric=attributes.get("metric", "value"),
        best=None,
        trials=rows,
        planned=planned,
        description=attributes.get("description", ""),
    )
    ranking = summary.ranking()
    return summary if not ranking else Summary(**{**summary.__dict__, "best": ranking[0]})


@dataclass(frozen=True, eq=False)
class TrialFile:
    """Curve and evaluations of a finished trial.

    Attributes:
        costs: J before each update, (iterations,).
        evaluations: on dev, oldest first.
    """

    costs: Array
    evaluations: list[Evaluation]


def read_trial(folder: StudyFolder, number: int) -> TrialFile:
    """Read the file of a finished trial."""
    with np.load(folder.result(number), allow_pickle=False) as file:
        return TrialFile(file["costs"], json.loads(str(file["evaluations"])))


def read_exports(folder: StudyFolder) -> dict[str, str]:
    """Return the MLflow run of each exported trial, by number as text; "study" is the parent."""
    try:
        return dict(json.loads(folder.exports.read_text())["runs"])
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return {}
