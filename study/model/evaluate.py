"""The final model on a table of labeled rows: predictions, and every metric of the task."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from engine.activations import Array
from study.data.dataset import Task
from study.data.target import Target, codes_of, to_outputs
from study.errors import UserError, did_you_mean
from study.evaluation.calibration import class_probabilities
from study.evaluation.decision import decided
from study.ledger.home import Home
from study.model.finalize import measure_all
from study.model.pipeline import NetworkClassifier
from study.model.predict import predict_rows, read_rows
from study.spec import parse_spec


@dataclass(frozen=True)
class Evaluation:
    """The scores of the final model on labeled rows.

    Attributes:
        name: name of the study.
        metric, value: the metric of the study and its value; None if it is undefined on these rows.
        metrics: all metrics of the task; None for an undefined one.
        undefined: the reason for each undefined metric.
        m: number of rows, without those that lack a label.
        notes: notes on cells that do not fit their column.
    """

    name: str
    metric: str
    value: float | None
    metrics: Mapping[str, float | None]
    undefined: Mapping[str, str]
    m: int
    notes: tuple[str, ...] = ()


def evaluate(home: Home, name: str, table: pd.DataFrame | Path) -> Evaluation:
    """Evaluate the final model of a study on a table that includes the target.

    Raises:
        UserError: the study has not been finalized, a column is missing, or a label is not one of the classes.
    """
    rows = read_rows(home, name, table)
    target, frame = str(rows.attributes["data"]["target"]), rows.frame
    if target not in frame.columns:
        there = [str(column) for column in frame.columns]
        raise UserError(f"{rows.place}: target column {target!r} not found; {did_you_mean(target, there)}")
    network = rows.model.named_steps["network"]
    is_classifier = isinstance(network, NetworkClassifier)
    classes = tuple(network.classes) if is_classifier else ()
    task = cast("Task", rows.attributes["data"]["task"])
    known = Target(task, np.empty(0), np.empty(0, dtype=np.int64), classes, ())
    spec = parse_spec(rows.attributes["spec"], f"the spec of study {name!r}").data
    found = codes_of(frame[target].reset_index(drop=True), spec, rows.decimal, rows.place, known)
    made, notes = predict_rows(rows)
    made = made.iloc[found.rows]
    Y = to_outputs(found.codes, task, len(classes), None) if is_classifier else found.codes[None, :]
    metric = rows.attributes["metric"]
    A = _outputs(made, task, is_classifier=is_classifier)
    costs = np.array(network.costs) if is_classifier and network.costs is not None else None
    decisions = None if costs is None else decided(Y, class_probabilities(A), costs)
    metrics, undefined = measure_all(task, Y, A, rows.attributes["objectives"], decisions)
    return Evaluation(name, metric, metrics.get(metric), metrics, undefined, len(found.rows), notes)


def _outputs(made: pd.DataFrame, task: str, *, is_classifier: bool) -> Array:
    """Return predictions in the form that metrics expect, (n_y, m)."""
    if not is_classifier:
        values: Array = made["prediction"].to_numpy()[None, :]
        return values
    shares: Array = made.drop(columns="prediction").to_numpy().T
    return shares[1:] if task == "binary" else shares
