"""The candidates of `study compare`: trials of one study, or of several studies on the same data, with predictions.

If `study confirm` has retrained all candidates, those networks are used, and otherwise those of the search. Nothing is
trained.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.activations import Array
from engine.errors import DataError
from engine.worker_data import Fold, read_checked_data
from study.data.fingerprint import explain_change
from study.errors import UserError
from study.evaluation.influence import score_table
from study.evaluation.retrain import data_of, read_predictions
from study.ledger.choice import NAMES
from study.ledger.confirmation import Part
from study.ledger.home import Home
from study.ledger.results import Summary, TrialRow
from study.ledger.trial_artifact import TrialFile, read_result
from study.search.session import StudySession
from study.spec.parameters import ParameterValue


@dataclass(frozen=True, eq=False)
class CandidateNetworks:
    """A candidate with its networks' predictions.

    Attributes:
        label: number of the trial, prefixed with the name of its study if that is another one.
        study: name of its study.
        row: result of the trial.
        file: content of the trial's file.
        folds: the predicted examples, as the dev data of the folds, in the unit of training; a single one without
            folds.
        predictions: (S, n_y, M), with the examples of all folds concatenated.
        table: (S, m), the values of single examples by seed.
    """

    label: str
    study: str
    row: TrialRow
    file: TrialFile
    folds: tuple[Fold, ...]
    predictions: Array
    table: Array


@dataclass(frozen=True, eq=False)
class ComparedData:
    """Candidates and their predictions.

    Attributes:
        metric: metric of the first study.
        seed: seed of the first study.
        candidates: the candidates, in the given order.
        part: the examples that are predicted.
        confirmed: whether the networks are those of `study confirm`.
    """

    metric: str
    seed: int
    candidates: tuple[CandidateNetworks, ...]
    part: Part
    confirmed: bool


def gather(home: Home, name: str, items: Sequence[str]) -> ComparedData:
    """Return the candidates to compare.

    Args:
        home: the home of the studies.
        name: name of the study that trial numbers refer to.
        items: numbers of trials, "best", "confirmed", "recommended", names of other studies (for their best trial), or
            STUDY:TRIAL. A single one is compared with the best in the search.

    Raises:
        UserError: a trial or study does not exist, a trial has no predictions, or the data differ.
    """
    with ExitStack() as stack:
        study = stack.enter_context(StudySession.open(home, name))
        summary = study.summary
        named = [_find(home, study, summary, item, stack) for item in (items if len(items) > 1 else ["best", *items])]
        labels = [each.label for each in named]
        if len(set(labels)) < len(labels):
            repeated = next(label for label in labels if labels.count(label) > 1)
            raise UserError(f"trial {repeated} of study {name!r} is listed twice; list different trials")
        for each in named:
            _check_same_data(study, each.session)
        compared = _confirmed(study, summary, named) if all(each.session is study for each in named) else None
        if compared is None:
            folds = _read_folds(study.folder.data, study.name)
            found = [_of_search(each, folds if each.session is study else None) for each in named]
            compared = ComparedData(summary.metric, study.spec.search.seed, tuple(found), "dev", confirmed=False)
    return _scored(compared)


def _scored(compared: ComparedData) -> ComparedData:
    """Return the candidates with equal numbers of seeds, and with the values of single examples."""
    seeds = min(len(candidate.predictions) for candidate in compared.candidates)

    def scored(candidate: CandidateNetworks) -> CandidateNetworks:
        predictions = candidate.predictions[:seeds]
        table = score_table(compared.metric, candidate.folds, compared.part, predictions)
        return replace(candidate, predictions=predictions, table=table)

    return replace(compared, candidates=tuple(scored(candidate) for candidate in compared.candidates))


@dataclass(frozen=True, eq=False)
class _Named:
    """A trial to compare, with its label and its session."""

    label: str
    session: StudySession
    row: TrialRow


def _find(home: Home, study: StudySession, summary: Summary, item: str, stack: ExitStack) -> _Named:
    name, colon, trial = item.rpartition(":")
    if not colon and item not in NAMES and not item.removeprefix("-").isdecimal():
        name, trial = item, "best"
    own = name in ("", study.name)
    other = study if own else stack.enter_context(StudySession.open(home, name))
    row = (summary if own else other.summary).find(trial)
    if row.state != "complete":
        why = f"{row.state} at iteration {row.iterations}" if row.state == "pruned" else row.state
        raise UserError(
            f"trial {row.number} of study {other.name!r} has no predictions ({why}); compare only complete trials"
        )
    return _Named(str(row.number) if own else f"{other.name}:{row.number}", other, row)


def _check_same_data(study: StudySession, other: StudySession) -> None:
    mine, others = study.attributes, other.attributes
    same_parts = mine["parts"]["dev"] == others["parts"]["dev"] and study.spec.data.folds == other.spec.data.folds
    if mine["fingerprint"] == others["fingerprint"] and same_parts:
        return
    where = explain_change(mine["parts"], others["parts"]) or "folds"
    raise UserError(
        f"studies {study.name!r} and {other.name!r} were run on different data ({where}); "
        "use the same [data] source, split, seed and folds for both"
    )


def _confirmed(study: StudySession, summary: Summary, named: Sequence[_Named]) -> ComparedData | None:
    """Return the networks of `study confirm`; None unless it has retrained all candidates."""
    outcome = summary.confirm
    if outcome is None or summary.choice.outdated:
        return None
    by_seed = {candidate.trial: candidate.by_seed for candidate in outcome.candidates}
    if any(each.row.number not in by_seed for each in named):
        return None
    folds = _read_folds(data_of(study.folder, outcome.part), study.name)
    found = []
    for each in named:
        row = each.row
        predictions = read_predictions(study.folder.confirm / f"trial-{row.number}.npz")
        # A later `study confirm` that was interrupted may have replaced the networks.
        if predictions is None or len(predictions) != outcome.seeds:
            return None
        table = score_table(summary.metric, folds, outcome.part, predictions)
        if not np.allclose(table.mean(axis=1), by_seed[row.number]):
            return None
        file = read_result(study.folder.result(row.number), row.fingerprint)
        found.append(CandidateNetworks(each.label, study.name, row, file, folds, predictions, table))
    return ComparedData(summary.metric, study.spec.search.seed, tuple(found), outcome.part, confirmed=True)


def _of_search(named: _Named, folds: tuple[Fold, ...] | None) -> CandidateNetworks:
    """Return the network of a trial in the search; `folds` are its examples, if they have been read."""
    session, row = named.session, named.row
    path = session.folder.result(row.number)
    if not path.exists():
        raise UserError(f"{path}: file not found, so trial {row.number} cannot be compared; restore the file")
    file = read_result(path, row.fingerprint)
    folds = folds or _read_folds(session.folder.data, session.name)
    networks = file.dev_predictions
    if len(folds) > 1:
        networks = [np.concatenate(networks, axis=1)]
    return CandidateNetworks(named.label, session.name, row, file, folds, np.stack(networks), np.zeros((0, 0)))


def _read_folds(folder: Path, name: str) -> tuple[Fold, ...]:
    try:
        return read_checked_data(folder).folds
    except (FileNotFoundError, DataError) as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        raise UserError(f"{folder}: the data {what}; rerun study {name!r} to recreate it") from None


def differing(candidates: Sequence[CandidateNetworks]) -> dict[str, list[ParameterValue | None]]:
    """Return the hyperparameters that differ, with a value for each candidate; None for one that lacks it."""
    names = dict.fromkeys(name for candidate in candidates for name in candidate.row.params)
    values = {name: [candidate.row.params.get(name) for candidate in candidates] for name in names}
    return {name: given for name, given in values.items() if any(value != given[0] for value in given)}
