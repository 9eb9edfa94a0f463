"""Predictions of a trial with the true values: on dev, or on the test set once it has been opened."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.errors import UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import summarize
from study.text.formatting import counted

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Predictions with the true values.

    Attributes:
        trial: title of the trial in text.
        examples: number of examples and their split, in words.
        target: name of the target.
        classes: names of the classes; () for regression.
        confusion: (K, K), with a row for each true class; None for regression.
        truth, prediction: (m,), in the unit of the target; empty for classification.
    """

    trial: str
    examples: str
    target: str
    classes: tuple[str, ...]
    confusion: Whole | None
    truth: Floats
    prediction: Floats


def read_outcome(home: Home, name: str, trial: int | str | None, *, test: bool) -> Outcome:
    """Return the predictions of a complete trial on dev, or those of the final model on the test set.

    Args:
        home: home of the study.
        name: name of the study.
        trial: a number, "best", "confirmed" or "recommended"; None means the confirmed trial, or the best if none is
            confirmed.
        test: whether to return the predictions on the test set; requires a finalized study.

    Raises:
        UserError: there is no such complete trial, its data is missing, or the test set has not been opened.
    """
    return _on_test(home, name, trial) if test else _on_dev(home, name, trial)


def _on_test(home: Home, name: str, trial: int | str | None) -> Outcome:
    from study.model.opened_test import predict_test

    choice = summarize(home, name).choice
    found = predict_test(home, name)
    if trial is not None and choice.number(str(trial), name) != found.trial:
        raise UserError(
            f"the final model of study {name!r} comes from trial {found.trial}, not from trial {trial}; omit the trial "
            f"argument"
        )
    whose = choice.title(found.trial), counted(len(found.truth), "test example")
    if not found.classes:
        return Outcome(*whose, found.target, (), None, np.asarray(found.truth), np.asarray(found.prediction))
    K = len(found.classes)
    cells = found.truth.astype(np.int64) * K + found.prediction.astype(np.int64)
    confusion = np.bincount(cells, minlength=K * K).reshape(K, K).astype(np.int64)
    return Outcome(*whose, found.target, found.classes, confusion, np.empty(0), np.empty(0))


def _on_dev(home: Home, name: str, trial: int | str | None) -> Outcome:
    from study.report.facts import KeptStudy, open_data
    from study.report.winner import look_at_winner
    from study.text.records import from_json

    summary = summarize(home, name)
    if summary.best is None:
        raise UserError(f"study {name!r} has no complete trial yet; run it first")
    row = summary.row(summary.choice.main or 0) if trial is None else summary.find(str(trial))
    if row.state != "complete":
        raise UserError(
            f"trial {row.number} of study {name!r} is {row.state} and has no predictions; choose a complete trial, "
            f"such as {summary.best.number}"
        )
    folder = home.folder(name)
    spec, data, problem = open_data(from_json(KeptStudy, Ledger(folder, name).attributes))
    if spec is None or data is None:
        raise UserError(f"the predictions of study {name!r} cannot be compared with the true values: {problem}")
    found = look_at_winner(spec, data.folds, row, folder)
    if found is None:
        raise UserError(
            f"{folder.result(row.number)}: missing, or from other data, so trial {row.number} has no predictions; "
            f"restore it from a backup, or choose another trial"
        )
    shown = len(found.truth)
    some = f"{shown:,} of " if found.confusion is None and shown < found.examples else ""
    whose = summary.choice.title(row.number), f"{some}{counted(found.examples, 'dev example')}"
    target = data.dataset.target_name
    return Outcome(*whose, target, found.classes, found.confusion, found.truth, found.prediction)
