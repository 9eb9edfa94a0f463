"""Baselines of a study, and how its network compares with the best of them, as records of the ledger."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from study.ledger.confirmation import Part
from study.text.cards import CardTable
from study.text.formatting import counted, figure, figures, p_value, plain
from study.text.records import Record, from_json

if TYPE_CHECKING:
    from study.ledger.results import Summary

NAMES = ("constant", "linear", "forest", "boosting")
"""All baselines, the cheapest first."""

_TITLES = {"forest": "random forest", "boosting": "gradient boosting"}


@dataclass(frozen=True, kw_only=True, repr=False)
class Baseline(Record):
    """A model of scikit-learn with its defaults, on the splits of a study.

    Attributes:
        name: "constant", "linear", "forest" or "boosting".
        title: name in text, such as "random forest".
        value: the metric that is compared, on dev; None if the baseline has no predictions, or the metric is undefined.
        metrics: all metrics on dev, by name; with folds, those of all folds together.
        seconds: CPU time.
        version: version of scikit-learn; "" if the baseline was not fitted.
        note: how it differs from scikit-learn's defaults, if it does.
        reason: why there is no value.
        fingerprint: SHA-256 of its predictions for dev.
        run_id: id of its MLflow run; None if there is none yet.
    """

    name: str
    title: str
    value: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    version: str = ""
    note: str | None = None
    reason: str | None = None
    fingerprint: str | None = None
    run_id: str | None = None

    def _lines(self) -> tuple[str, ...]:
        value = "" if self.value is None else f", {figure(self.value)} on dev"
        more = self.reason or self.note
        return (f"Baseline: {self.title}{value}", *([more] if more else []))

    def _tables(self) -> tuple[CardTable, ...]:
        return (CardTable([(name, plain(value)) for name, value in self.metrics.items()], caption="On dev"),)


@dataclass(frozen=True, kw_only=True)
class BaselineComparison:
    """The network of a study against the best baseline, by a paired test on the same examples.

    Attributes:
        trial: number of the trial whose networks are compared.
        confirmed: whether the networks are those of `study confirm`, with fresh seeds, or those of the search.
        baseline: name of the best baseline on dev.
        title: its name in text.
        metric: the metric that is compared.
        direction: direction of the metric.
        part: the examples.
        m: number of examples.
        seeds: number of networks.
        averaged: whether the average of their predictions is compared, or their mean value.
        value: the value of the networks.
        baseline_value: value of the baseline on the same examples.
        estimate: value minus baseline_value.
        low, high: ends of its 95% interval.
        p: p-value.
        outcome: "better", "worse" or "same"; "same" if p is at least 0.05.
        of: digest of everything that the comparison was computed from.
    """

    trial: int
    confirmed: bool
    baseline: str
    title: str
    metric: str
    direction: str
    part: Part
    m: int
    seeds: int
    averaged: bool = False
    value: float
    baseline_value: float
    estimate: float
    low: float
    high: float
    p: float
    outcome: Literal["better", "same", "worse"]
    of: str

    def sentence(self, metric: str) -> str:
        """Return what was found in one sentence, and which model to choose if that is not the network.

        Args:
            metric: the title of the metric.
        """
        mine, theirs = figures([self.value, self.baseline_value])
        of = "average" if self.averaged else "mean"
        mean = f", {of} of {counted(self.seeds, 'network')}" if self.seeds > 1 else ""
        examples = counted(self.m, "dev example" if self.part == "dev" else "example") + (
            "" if self.part == "dev" else " set aside"
        )
        basis = f"{metric} {mine}{mean}, against {theirs} on {examples}, p {p_value(self.p)}"
        if self.metric in ("balanced_accuracy", "f1"):
            basis += "; both predict the most probable class, and the baseline does not weight classes"
        baseline = f"the best baseline, {self.title}"
        if self.outcome == "better":
            return f"Trial {self.trial} is better than {baseline} ({basis})."
        if self.outcome == "worse":
            choice = f"{self.title} is the better choice for this table"
            return f"Trial {self.trial} is worse than {baseline} ({basis}): {choice}."
        return f"Trial {self.trial} is not significantly different from {baseline} ({basis})."


def title_of_baseline(name: str, task: str) -> str:
    """Return the name of a baseline in text.

    Args:
        name: name of the baseline.
        task: "binary", "multiclass" or "regression".
    """
    regression = task == "regression"
    titles = {"constant": "mean" if regression else "most frequent class"}
    titles["linear"] = "ridge regression" if regression else "logistic regression"
    return {**titles, **_TITLES}[name]


def read_baselines(kept: Mapping[str, object] | None, run_ids: Mapping[str, str]) -> tuple[Baseline, ...]:
    """Return the baselines that are stored in a ledger, in the order of NAMES.

    Args:
        kept: JSON of each baseline by name.
        run_ids: MLflow runs by key; see `export_key`.
    """
    found = {}
    for name, record in (kept or {}).items():
        if isinstance(record, Mapping):
            found[name] = from_json(Baseline, {**record, "run_id": run_ids.get(export_key(name))})
    return tuple(found[name] for name in NAMES if name in found)


def read_comparison(kept: Mapping[str, object] | None, summary: "Summary") -> BaselineComparison | None:
    """Return the comparison that is stored in a ledger; None if there is none, or the study has continued since.

    Args:
        kept: JSON of the comparison.
        summary: results of the study, with its baselines and selected trials.
    """
    found = None if kept is None else from_json(BaselineComparison, kept)
    return found if found is not None and found.of == digest_of_comparison(summary) else None


def best_baseline(baselines: Sequence[Baseline], direction: str) -> Baseline | None:
    """Return the best baseline on dev, of several equal ones the cheapest; None if none has a value."""
    sign = -1 if direction == "maximize" else 1
    valued = [each for each in baselines if each.value is not None]
    return min(valued, key=lambda each: sign * (each.value or 0.0), default=None)


def digest_of_comparison(summary: "Summary") -> str | None:
    """Return a digest of what a comparison is computed from; None if there is nothing to compare."""
    baseline = best_baseline(summary.baselines, summary.direction)
    choice, confirmation = summary.choice, summary.confirm
    if baseline is None or choice.main is None:
        return None
    if confirmation is not None and choice.confirmed is not None:
        networks: list[object] = [choice.confirmed, confirmation.of]
    else:
        networks = [choice.main, summary.row(choice.main).fingerprint]
    described = [*networks, summary.metric, baseline.name, baseline.fingerprint]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


def export_key(name: str) -> str:
    """Return the key of a baseline among the exported runs of a study."""
    return f"baseline-{name}"
