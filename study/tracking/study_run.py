"""The content of a study's parent run: state, leaderboard, charts and provenance of the study."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from study.evaluation.choice_lines import choice_lines
from study.ledger.attributes import StudyAttributes
from study.ledger.choice import NAMES
from study.ledger.confirmation import Confirmation
from study.ledger.home import StudyFolder
from study.ledger.ledger import RESULT, STATES, Ledger
from study.ledger.results import Summary, summarize_ledger
from study.text.markdown import inline, link
from study.text.redaction import redact_line
from study.tracking.network_tags import network_tags
from study.tracking.trial_run import milliseconds

SHOWN = "study.shown"  # tag with a digest of the content of the parent run


@dataclass(frozen=True, eq=False)
class ParentContent:
    """The content of the parent run.

    Attributes:
        tags: tags by name, including a digest of the content.
        points: metrics as (name, value, milliseconds since 1970, trial number).
        status: status of the run in MLflow.
        ended: end of the run in milliseconds since 1970.
        files: function that returns the artifacts; a call takes a second.
    """

    tags: dict[str, str]
    points: list[tuple[str, float, int, int]]
    status: str
    ended: int
    files: Callable[[], dict[str, bytes]]


def identity_tags(name: str, uid: str) -> dict[str, str]:
    """Return the tags that identify the parent run of a study."""
    return {"study.name": name, "study.uid": uid, "mlflow.runName": name}


def describe_parent(ledger: Ledger, folder: StudyFolder, experiment_id: str) -> ParentContent:
    """Return the parent run of a study that is not running."""
    attributes, trials = ledger.attributes, [t for t in ledger.trials() if t.state.is_finished()]
    summary = summarize_ledger(ledger, folder)
    complete = summary.planned <= len(trials) or attributes.get("ended") is not None
    tags = identity_tags(ledger.name, str(attributes["uid"])) | {
        "study.state": "complete" if complete else "interrupted",
        "study.metric": f"dev_{summary.metric}",
        "study.fingerprint": str(attributes.get("fingerprint", "")),
        "mlflow.note.content": describe(summary, attributes, experiment_id),
    }
    choice = summary.choice
    chosen = {**{name: getattr(choice, name) for name in NAMES}, "finalize": choice.final}
    tags |= {f"study.{name}": "" if number is None else str(number) for name, number in chosen.items()}
    for opening in summary.finalized[-1:]:
        tags |= network_tags(opening)
    if summary.warnings:
        tags["study.warnings"] = "\n".join(summary.warnings)
    for name, value in attributes.get("made_with", {}).items():
        shown = redact_line(str(value)) if name == "command" else str(value)
        tags["mlflow.source.git.commit" if name == "git" else f"study.{name}"] = shown
    versions = attributes.get("versions", {})
    tags["study.versions"] = ", ".join(f"{package} {version}" for package, version in versions.items())
    seen: list[object] = [
        tags,
        attributes["spec"],
        [t.user_attrs[RESULT]["fingerprint"] for t in trials],
        attributes.get("confirm"),
        attributes.get("finalized"),
    ]
    if "baselines" in attributes:
        seen += [attributes["baselines"], attributes.get("against_baselines")]
    tags[SHOWN] = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]

    def files() -> dict[str, bytes]:
        from study.tracking.pictures import draw_pictures

        tables = {"spec.toml": attributes["spec"].encode(), "leaderboard.csv": make_leaderboard(summary).encode()}
        return tables | draw_pictures(ledger, folder, summary)

    return ParentContent(
        tags=tags,
        points=[*_best_so_far(trials, ledger.direction), *_outcomes(summary.confirm, attributes, len(trials))],
        status="FINISHED" if complete else "KILLED",
        ended=max((_completed(t) for t in trials), default=int(attributes["created"])),
        files=files,
    )


def describe(summary: Summary, attributes: StudyAttributes, experiment_id: str) -> str:
    """Return the description of the parent run in Markdown, which MLflow shows on its page."""
    ranking, drawn = summary.ranking()[:5], _drawn(summary)
    counts = {state: sum(row.state == state for row in summary.trials) for state in ("complete", "pruned", "failed")}
    lines = [line for warning in summary.warnings for line in (f"**Warning:** {inline(warning)}", "")]
    lines += [inline(attributes["description"]), ""] if attributes.get("description") else []
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items() if count) + " trials.")
    if ranking:
        lines += ["", f"| trial | dev {inline(summary.metric)} | hyperparameters |", "| --- | --- | --- |"]
    for row in ranking:
        number = link(row.number, f"#/experiments/{experiment_id}/runs/{row.run_id}") if row.run_id else row.number
        params = ", ".join(f"{name} {_short(value)}" for name, value in row.params.items() if name in drawn)
        lines.append(f"| {number} | {row.value:.4g} | {inline(params)} |")
    if summary.baselines:
        lines += ["", f"| baseline | dev {inline(summary.metric)} |", "| --- | --- |"]
    for baseline in summary.baselines:
        lines.append(f"| {baseline.title} | {'' if baseline.value is None else f'{baseline.value:.4g}'} |")
    for line in choice_lines(summary):
        lines += ["", line]
    return "\n".join(lines)


def make_leaderboard(summary: Summary) -> str:
    """Return all trials as CSV: first the complete ones, best first, then the others by number."""
    names = list(dict.fromkeys(name for row in summary.trials for name in row.params))
    ranked = summary.ranking()
    numbers = {row.number for row in ranked}
    rest = [row for row in summary.trials if row.number not in numbers]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", f"dev_{summary.metric}", *names, "iterations_done", "seconds", "run_id"])
    for row in (*ranked, *rest):
        params = [row.params.get(name, "") for name in names]
        writer.writerow([row.number, row.state, row.value, *params, row.iterations, row.seconds, row.run_id])
    return text.getvalue()


def _best_so_far(trials: list[FrozenTrial], direction: str) -> list[tuple[str, float, int, int]]:
    better = max if direction == "maximize" else min
    best, points = None, []
    for trial in trials:
        if STATES[trial.state] == "complete" and trial.values:
            best = trial.values[0] if best is None else better(best, trial.values[0])
        if best is not None:
            points.append(("best_so_far", best, milliseconds(trial), trial.number))
    return points


def _outcomes(
    confirmation: Confirmation | None, attributes: StudyAttributes, step: int
) -> list[tuple[str, float, int, int]]:
    """Return the results of confirm and finalize as metrics of the parent run."""
    at = int(attributes["created"])
    points: list[tuple[str, float, int, int]] = []
    if confirmation is not None:
        best, name = confirmation.best, f"confirmed_{confirmation.metric}"
        points += [
            (name, best.value, at, step),
            (f"{name}_low", best.low, at, step),
            (f"{name}_high", best.high, at, step),
        ]
        if (average := best.average) is not None:
            points += [
                (f"{name}_average", average.value, at, step),
                (f"{name}_average_low", average.low, at, step),
                (f"{name}_average_high", average.high, at, step),
            ]
    for opening in attributes.get("finalized", [])[-1:]:
        known = {name: value for name, value in opening["metrics"].items() if value is not None}
        points += [(f"test_{name}", float(value), at, step) for name, value in known.items()]
    return points


def _drawn(summary: Summary) -> list[str]:
    """Return the hyperparameters that differ between trials."""
    names = dict.fromkeys(name for row in summary.trials for name in row.params)
    return [name for name in names if len({str(row.params.get(name)) for row in summary.trials}) > 1]


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _completed(trial: FrozenTrial) -> int:
    return int(trial.datetime_complete.timestamp() * 1000) if trial.datetime_complete else 0
