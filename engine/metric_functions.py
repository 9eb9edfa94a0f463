"""Metrics from functions of labels, probabilities or values, and from scikit-learn's scorers.

`register_metric` takes them, besides a `Metric` of the engine's own arrays.
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
    """A function of targets and predictions, one entry for each example, as a function of the engine's arrays.

    Classes are numbers from 0 on, in the order of the network's outputs. Probabilities are those of class 1 for two
    classes, else (m, classes). Values are (m,), or (m, n_y) if there are several.

    Attributes:
        function: `function(y_true, y_pred)` returns the metric.
        needs: what `y_pred` is.
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
    """Why a metric has no value on some examples: they are all of one class, or have one value, and it returns NaN.

    Attributes:
        compute: the metric.
        reason: what such examples have.
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
    """Add a metric, which specs can then name. Studies whose specs name it measure it beside the built-in ones.

    Workers receive it with their tasks. A process that continues a study must register it again, and its version must
    be the same: raise the version whenever the metric changes.

    Args:
        metric: a `Metric`, in which case all other arguments are left out; a function `(y_true, y_pred) -> float`,
            which may take `sample_weight` too; a scorer of scikit-learn's `make_scorer`; or the name of one of
            scikit-learn's scorers, such as "roc_auc".
        name: as written in a spec; None takes the name of the function or scorer.
        direction: "maximize" or "minimize". Scorers are maximized.
        task: "classification" or "regression".
        needs: what a function takes as `y_pred`: "labels" (classes as 0, 1, ...), "probabilities" or "values". None
            takes values for a regression; for a classification probabilities if the second parameter is named
            `y_score` or `y_proba`, else labels.
        version: an integer or a string; part of a study's identity.
        low: the smallest possible value; confidence intervals end there.
        high: the largest possible value.

    Raises:
        ValueError: the name is built in or not lower case letters, digits and underscores, or another argument is
            missing or not valid.
    """
    if not isinstance(metric, Metric):
        metric = _make(metric, name, direction, task, needs, version, low, high)
    elif (name, direction, task, needs, version, low, high) != (None, None, None, None, 1, -math.inf, math.inf):
        raise ValueError(f"metric {metric.name!r}: a Metric has attributes for these arguments; set them there")
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
        raise ValueError(message)  # noqa: TRY004 - as all that is wrong with an entry
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
    """Return the metric of a function or a scorer; arguments as of `register_metric`."""
    is_scorer = isinstance(given, str) or hasattr(given, "set_score_request")
    if name is None:
        name = given if isinstance(given, str) else getattr(given, "__name__", "")
    if task is None or task not in get_args(MetricTask):
        raise ValueError(f"metric {name!r}: task must be classification or regression, got {task!r}")
    if is_scorer:
        from engine.scorers import ScorerMetric, find_scorer

        if direction == "minimize" or needs is not None:
            raise ValueError(f"metric {name!r}: a scorer is maximized and finds what it needs; remove the argument")
        direction = "maximize"
        compute: Callable[[Array, Array], float] = ScorerMetric(find_scorer(given), task)
    else:
        function = _check_function(name, given)
        compute = FunctionMetric(function, _find_needs(name, function, task, needs))
    why_undefined = Undefined(compute, "one class" if task == "classification" else "one value")
    # A direction that is missing is refused with the rules of every metric.
    return Metric(name, direction, task, compute, name, why_undefined, None, low, high, version)  # type: ignore[arg-type]


def _check_function(name: str, given: object) -> Callable[..., float]:
    if not callable(given):
        message = f"metric {name!r} must be a Metric, a function, a scorer or the name of a scorer, got {given!r}"
        raise ValueError(message)  # noqa: TRY004 - as all that is wrong with an entry
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
    """Return probabilities, (n_y, m), as float64; those of several classes sum to 1 in that precision."""
    A = A.astype(np.float64)
    return A if len(A) == 1 else A / A.sum(axis=0)


def by_example(A: Array) -> Array:
    """Return outputs, (n_y, m), as (m,), or as (m, n_y) if there are several; float64."""
    A = np.ascontiguousarray(A.T, dtype=np.float64)
    return A[:, 0] if A.shape[1] == 1 else A
