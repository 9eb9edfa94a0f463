"""Stored predictions of a trial's networks for examples that the networks were not trained on."""

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from study.evaluation.retrain import read_predictions
from study.ledger.confirmation import Part
from study.ledger.home import StudyFolder
from study.ledger.results import TrialRow
from study.ledger.trial_artifact import find_result
from study.search.session import StudySession


@dataclass(frozen=True, eq=False)
class OutOfSample:
    """Predictions of the networks of one trial.

    Attributes:
        trial: number of the trial.
        confirmed: whether the networks are those of `study confirm`, with fresh seeds, or those of the search.
        part: the examples that they predict.
        predictions: (S, n_y, M), with the examples of all folds concatenated.
    """

    trial: int
    confirmed: bool
    part: Part
    predictions: Array


def out_of_sample(session: StudySession, trial: int) -> OutOfSample | None:
    """Return the predictions of a trial's networks on fresh seeds, or else in the search; None if there are none."""
    summary, folder = session.summary, session.folder
    confirmation = summary.confirm
    if confirmation is not None and not summary.choice.outdated and confirmation.candidate(trial) is not None:
        fresh = read_predictions(folder.confirm / f"trial-{trial}.npz")
        if fresh is not None and len(fresh) == confirmation.seeds:
            return OutOfSample(trial, True, confirmation.part, fresh)
    searched = search_predictions(folder, summary.row(trial), folds=session.spec.data.folds is not None)
    return None if searched is None else OutOfSample(trial, False, "dev", searched)


def search_predictions(folder: StudyFolder, row: TrialRow, *, folds: bool) -> Array | None:
    """Return the predictions of a complete trial on dev, (S, n_y, M); None if its file is missing or damaged.

    Args:
        folder: folder of the study.
        row: the trial.
        folds: whether the study has folds, so that each network predicts the dev examples of one fold.
    """
    file = find_result(folder.result(row.number), row.fingerprint)
    if file is None or not file.dev_predictions:
        return None
    return np.stack([np.concatenate(file.dev_predictions, axis=1)] if folds else file.dev_predictions)
