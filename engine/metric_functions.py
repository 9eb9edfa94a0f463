"""Metrics from functions of labels, probabilities or values, and from scikit-learn's scorers.

`register_metric` accepts these as well as a `Metric`, which works on the engine's own arrays.
"""

import inspect
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from engine.arrays import Array
from engine.metrics import METRICS, Direction, Metric, MetricTask, labels
from engine.registry import check_callable

Needs = Literal["labels", "probabilities", "values"]
_PROBABILITIES = ("y_proba", "y_prob", "y_score", "proba", "probabilities")


@dataclass(frozen=True)
class FunctionMetric:
    """A function of targets and predictions with one entry per example, as a function of the engine's arrays.

    Classes are numbered from 0 in the order of the network's outputs. Probabilities are those of class 1, (m,), for two
    classes, and (m, classes) for more. Values are (m,), or (m, n_y) if there are several targets.

    Attributes:
        function: `function(y_true, y_pred)` returns the metric.
        needs: the form of `y_pred`: "labels", "probabilities" or "values".
    """

    function: Callable[..., float]
    needs: Needs

    def __call__(self, Y: Array, A: Array) -> float:
        """Return the metric."""
        if not np.isfinite(A).all():
            return math.nan
        if self.needs == "values":
            return float(self.function(by_example(Y), by_example(A)))
        y_pred = labels(A) if self.needs == "labels" else by_example(normalized(A))
        return float(self.function(labels(Y), y_pred))


@dataclass(frozen=True)
class Undefined:
    """The reason why a metric returns NaN on some examples: all are of one class, or all have the same value.

    Attributes:
        compute: the metric.
        reason: "one class" or "one value".
    """

    compute: Callable[[Array, Array], float]
    reason: str

    def __call__(self, Y: Array) -> str | None:
        """Return the reason, or None if the metric has a value."""
        if Y.shape[1] and (Y[:, :1] != Y).any():
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.reason if not Y.shape[1] or math.isnan(self.compute(Y, Y.astype(np.float64))) else None


def register_metric(
    metric: "Metric | Callable[..., float] | str",
    *,
    name: str | None = None,
    direction: Direction | None = None,
    task: MetricTask | None = None,
    needs: Needs | None = None,
    version: int | str = 1,
    low: float = -math.inf,
    high: float = math.inf,
) -> None:
    """Register a metric, which specs can then name. Such studies measure it in addition to the built-in metrics.

    Workers receive it with their tasks. A process that resumes a study must register it again with the same version.
    Increase the version whenever the metric changes.

    Args:
        metric: a `Metric`, which excludes all other arguments; a function `(y_true, y_pred) -> float`,
            which may also accept `sample_weight`; a scorer made with scikit-learn's `make_scorer`; or the name of one
            of scikit-learn's scorers, such as "roc_auc".
        name: name in specs; None uses the name of the function or scorer.
        direction: "maximize" or "minimize". Scorers are always maximized.
        task: "classification" or "regression".
        needs: the form of `y_pred` that a function expects: "labels" (classes as 0, 1, …), "probabilities" or "values".
            None means values for regression; for classification, it means probabilities if the second parameter is
            named `y_score` or `y_proba`, and labels otherwise.
        version: an integer or a string; part of a study's identity.
        low: the smallest possible value, at which confidence intervals are cut off.
        high: the largest possible value, likewise.

    Raises:
        ValueError: if the name is built in, or does not consist of lowercase letters, digits and underscores, or
            another argument is missing or invalid.
    """
    if not isinstance(metric, Metric):
        metric = _make(metric, name, direction, task, needs, version, low, high)
    elif (name, direction, task, needs, version, low, high) != (None, None, None, None, 1, -math.inf, math.inf):
        raise ValueError(
            f"metric {metric.name!r}: a Metric cannot be combined with other arguments; set its attributes instead"
        )
    for attribute, valid in (("direction", get_args(Direction)), ("task", get_args(MetricTask))):
        value = getattr(metric, attribute)
        if value not in valid:
            raise ValueError(f"metric {metric.name!r}: {attribute} must be {' or '.join(valid)}, got {value!r}")
    functions = ("compute", "why_undefined") if metric.influence is None else ("compute", "why_undefined", "influence")
    check_callable("metric", metric, *functions)
    if not metric.low < metric.high:
        raise ValueError(f"metric {metric.name!r}: low must be below high, got {metric.low} and {metric.high}")
    if isinstance(metric.version, bool) or not isinstance(metric.version, (int, str)):
        message = f"metric {metric.name!r}: version must be an integer or a string, got {metric.version!r}"
        raise ValueError(message)  # noqa: TRY004 - like all other errors in an entry
    METRICS.register(metric)


def _make(
    given: Callable[..., float] | str,
    name: str | None,
    direction: Direction | None,
    task: MetricTask | None,
    needs: Needs | None,
    version: int | str,
    low: float,
    high: float,
) -> Metric:
    """Return the metric of a function or a scorer; the arguments are those of `register_metric`."""
    is_scorer = isinstance(given, str) or hasattr(given, "set_score_request")
    if name is None:
        name = given if isinstance(given, str) else getattr(given, "__name__", "")
    if task is None or task not in get_args(MetricTask):
        raise ValueError(f"metric {name!r}: task must be classification or regression, got {task!r}")
    if is_scorer:
        from engine.scorers import ScorerMetric, find_scorer

        if direction == "minimize" or needs is not None:
            raise ValueError(
                f"metric {name!r}: a scorer determines its own direction and needs; remove these arguments"
            )
        direction = "maximize"
        compute: Callable[[Array, Array], float] = ScorerMetric(find_scorer(given), task)
    else:
        function = _check_function(name, given)
        compute = FunctionMetric(function, _find_needs(name, function, task, needs))
    why_undefined = Undefined(compute, "one class" if task == "classification" else "one value")
    # A missing direction is rejected later, by the checks that apply to every metric.
    return Metric(name, direction, task, compute, name, why_undefined, None, low, high, version)  # type: ignore[arg-type]


def _check_function(name: str, given: object) -> Callable[..., float]:
    if not callable(given):
        message = f"metric {name!r} must be a Metric, a function, a scorer or the name of a scorer, got {given!r}"
        raise ValueError(message)  # noqa: TRY004 - like all other errors in an entry
    return given


def _find_needs(name: str, function: Callable[..., float], task: MetricTask, needs: Needs | None) -> Needs:
    valid = ("values",) if task == "regression" else ("labels", "probabilities")
    if needs is None:
        try:
            second = list(inspect.signature(function).parameters)[1]
        except (ValueError, IndexError):
            second = ""
        return "values" if task == "regression" else "probabilities" if second in _PROBABILITIES else "labels"
    if needs not in valid:
        raise ValueError(f"metric {name!r}: needs must be {' or '.join(valid)} for a {task}, got {needs!r}")
    return needs


def normalized(A: Array) -> Array:
    """Return probabilities, (n_y, m), as float64; with several classes, they sum to 1 in that precision."""
    A = A.astype(np.float64)
    return A if len(A) == 1 else A / A.sum(axis=0)


def by_example(A: Array) -> Array:
    """Return outputs, (n_y, m), as float64 of shape (m,), or (m, n_y) if there are several."""
    A = np.ascontiguousarray(A.T, dtype=np.float64)
    return A[:, 0] if A.shape[1] == 1 else A
