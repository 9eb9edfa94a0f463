"""What `study compare` compares: trials of one study, or the best of several on the same data, and their predictions.

Networks of `study confirm` are taken where it has all contenders, else those of the search; nothing is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.activations import Array
from engine.errors import DataError
from engine.worker_data import Fold, read_checked_data
from study.choice import NAMES
from study.data.fingerprint import explain_change
from study.errors import UserError
from study.example_values import score_table
from study.home import Home
from study.ledger import RESULT, Ledger
from study.reopening import Reopened, reopen
from study.results import TrialRow
from study.retraining import Part, data_of, read_predictions
from study.trial_file import TrialFile, read_result


@dataclass(frozen=True, eq=False)
class Contender:
    """One of those that are compared.

    Attributes:
        label: the trial's number, before it the study's name where that is another one.
        study: its study.
        row: its trial.
        file: what is kept of the trial.
        predictions: (S, n_y, M), with folds those of the folds one after the other.
        table: (S, m), values of single examples by seed.
        work: units of work of its training in the search.
    """

    label: str
    study: Reopened
    row: TrialRow
    file: TrialFile
    predictions: Array
    table: Array
    work: float


@dataclass(frozen=True, eq=False)
class Contest:
    """Contenders and what they predicted.

    Attributes:
        metric: of the first study.
        folds: the examples, in the place of dev; one without folds.
        part: which they are.
        confirmed: whether the networks are those of `study confirm`.
    """

    metric: str
    contenders: tuple[Contender, ...]
    folds: tuple[Fold, ...]
    part: Part
    confirmed: bool


def gather(home: Home, name: str, items: Sequence[str]) -> Contest:
    """Return the contenders that were named.

    Args:
        home: where state lives.
        name: the study that numbers are of.
        items: numbers of trials, "best", "confirmed", "recommended", names of other studies (their best), or
            STUDY:TRIAL; a single one is compared with the best in the search.

    Raises:
        UserError: there is no such trial or study, it has no predictions, or the data are not the same.
    """
    study = reopen(home, name)
    named = [_find(home, study, item) for item in (items if len(items) > 1 else ["best", *items])]
    labels = [label for label, _, _ in named]
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise UserError(f"trial {twice} of study {name!r} is named twice; name trials that differ")
    for _, other, _ in named:
        _check_same_data(study, other)
    metric = study.summary.metric
    contest = _confirmed(study, named) if all(other is study for _, other, _ in named) else None
    if contest is None:
        folds = _folds(study)
        found = [_of_search(label, other, row, len(folds)) for label, other, row in named]
        contest = Contest(metric, tuple(found), folds, "dev", confirmed=False)
    seeds = min(len(contender.predictions) for contender in contest.contenders)

    def scored(contender: Contender) -> Contender:
        predictions = contender.predictions[:seeds]
        table = score_table(metric, examples_of(contest, contender), contest.part, predictions)
        return replace(contender, predictions=predictions, table=table)

    return replace(contest, contenders=tuple(scored(contender) for contender in contest.contenders))


def examples_of(contest: Contest, contender: Contender) -> tuple[Fold, ...]:
    """Return the examples in the unit that the contender learned; studies may scale a target in different ways."""
    return contest.folds if contest.confirmed else _folds(contender.study)


def _find(home: Home, study: Reopened, item: str) -> tuple[str, Reopened, TrialRow]:
    name, colon, trial = item.rpartition(":")
    if not colon and item not in NAMES and not item.removeprefix("-").isdecimal():
        name, trial = item, "best"
    other = study if name in ("", study.name) else reopen(home, name)
    row = other.summary.find(trial)
    if row.state != "complete":
        why = f"{row.state} at iteration {row.iterations}" if row.state == "pruned" else row.state
        raise UserError(
            f"trial {row.number} of study {other.name!r} is {why} and has no predictions; compare complete trials"
        )
    return str(row.number) if other is study else f"{other.name}:{row.number}", other, row


def _check_same_data(study: Reopened, other: Reopened) -> None:
    mine, others = study.attributes, other.attributes
    same_parts = mine["parts"]["dev"] == others["parts"]["dev"] and study.spec.data.folds == other.spec.data.folds
    if mine["fingerprint"] == others["fingerprint"] and same_parts:
        return
    where = explain_change(mine["parts"], others["parts"]) or "folds"
    raise UserError(
        f"studies {study.name!r} and {other.name!r} were run on different data ({where}); "
        "give both the same [data] source, split, seed and folds"
    )


def _confirmed(study: Reopened, named: Sequence[tuple[str, Reopened, TrialRow]]) -> Contest | None:
    """Return the contest by networks of `study confirm`, where it has all of them."""
    outcome = study.summary.confirm
    if outcome is None or study.summary.choice.outdated:
        return None
    by_seed = {candidate["trial"]: candidate["by_seed"] for candidate in outcome["candidates"]}
    if any(row.number not in by_seed for _, _, row in named):
        return None
    part: Part = outcome["part"]
    folds = _read_folds(data_of(study.folder, part), study.name)
    found = []
    for label, _, row in named:
        predictions = read_predictions(study.folder.confirm / f"trial-{row.number}.npz")
        # Another `study confirm` that did not come to its end may have left other networks there.
        if predictions is None or len(predictions) != outcome["seeds"]:
            return None
        table = score_table(study.summary.metric, folds, part, predictions)
        if not np.allclose(table.mean(axis=1), by_seed[row.number]):
            return None
        file = read_result(study.folder.result(row.number), row.fingerprint)
        found.append(Contender(label, study, row, file, predictions, table, _work(study, row)))
    return Contest(study.summary.metric, tuple(found), folds, part, confirmed=True)


def _of_search(label: str, study: Reopened, row: TrialRow, folds: int) -> Contender:
    path = study.folder.result(row.number)
    if not path.exists():
        raise UserError(f"{path}: is missing, so trial {row.number} cannot be compared; bring it back")
    file = read_result(path, row.fingerprint)
    networks = file.dev_predictions
    if folds > 1:
        networks = [np.concatenate(networks, axis=1)]
    return Contender(label, study, row, file, np.stack(networks), np.zeros((0, 0)), _work(study, row))


def _folds(study: Reopened) -> tuple[Fold, ...]:
    return _read_folds(study.folder.data, study.name)


def _read_folds(folder: Path, name: str) -> tuple[Fold, ...]:
    try:
        return read_checked_data(folder).folds
    except (FileNotFoundError, DataError) as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        raise UserError(f"{folder}: {what}; run study {name!r} again, which makes it") from None


def _work(study: Reopened, row: TrialRow) -> float:
    trial = Ledger(study.folder, study.name).trials()[row.number]
    return float(trial.user_attrs.get(RESULT, {}).get("work", 0.0))


def differing(contenders: Sequence[Contender]) -> dict[str, list[Any]]:
    """Return the hyperparameters that differ, with a value for each contender, None where it has none."""
    names = dict.fromkeys(name for contender in contenders for name in contender.row.params)
    values = {name: [contender.row.params.get(name) for contender in contenders] for name in names}
    return {name: given for name, given in values.items() if any(value != given[0] for value in given)}
