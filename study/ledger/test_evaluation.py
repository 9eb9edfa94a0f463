"""The record of a test evaluation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.spec.parameters import ParameterValue
from study.text.records import from_json

# What the first ledgers did not store.
_OLDER: dict[str, object] = {
    "low": None,
    "high": None,
    "metrics": {},
    "undefined": {},
    "with_dev": False,
    "m": 0,
    "at": "",
    "files": {},
    "dialect": {},
}


@dataclass(frozen=True)
class TestEvaluation:
    """One test evaluation, as stored in the ledger.

    Attributes:
        trial: number of the trial.
        setting: the configuration that was trained.
        metric: the metric of the study.
        value: its value on the test set; None if it is undefined there.
        low, high: ends of its 95% interval over the test examples; None if the metric is undefined, or there are too
            few examples.
        metrics: all metrics of the task; None for an undefined one.
        undefined: the reason for each undefined metric.
        with_dev: whether the model was trained on train and dev together.
        m: number of test examples.
        at: time in UTC, as ISO 8601.
        files: SHA-256 of the model and of its example rows, and the name of the transform; see
            `study.model.pipeline.FinalFiles`.
        dialect: the format of the text file that the model was trained on, as keys of `[data]`.
    """

    trial: int
    setting: Mapping[str, ParameterValue]
    metric: str
    value: float | None
    low: float | None
    high: float | None
    metrics: Mapping[str, float | None]
    undefined: Mapping[str, str]
    with_dev: bool
    m: int
    at: str
    files: Mapping[str, str]
    dialect: Mapping[str, object]


def read_test_evaluations(kept: Iterable[Mapping[str, object]]) -> tuple[TestEvaluation, ...]:
    """Return the test evaluations of a ledger, in its order."""
    return tuple(from_json(TestEvaluation, _OLDER | each) for each in map(dict, kept))
