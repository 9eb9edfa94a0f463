"""Functions and scikit-learn scorers as metrics, and their way to a worker."""

# ruff: noqa: S301, ARG005 - what is unpickled was pickled here

import pickle
from collections.abc import Iterator
from typing import Any

import cloudpickle
import numpy as np
import pytest
from sklearn.metrics import log_loss, make_scorer, mean_absolute_error, roc_auc_score

from engine import METRICS, AdditionError, Metric, register_metric
from engine.extensions import Extensions
from engine.metrics import measure
from engine.testing import check_metric

RNG = np.random.default_rng(0)
LABELS = (np.arange(30) % 3 == 0)[None].astype(float)
TWO = LABELS, RNG.random((1, 30)).astype(np.float32)
THREE = np.eye(3)[:, np.arange(30) % 3], RNG.dirichlet([1, 1, 1], 30).T.astype(np.float32)
VALUES = RNG.random((1, 30)), RNG.random((1, 30)).astype(np.float32)


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registry what a test has put into it."""
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))
    yield


def hits(y_true, y_pred, sample_weight=None):
    return np.average(y_true == y_pred, weights=sample_weight)


def ranking(y_true, y_score):
    return roc_auc_score(y_true, y_score, multi_class="ovr")


def error(y_true, y_pred):
    return np.abs(y_true - y_pred).mean()


@pytest.mark.parametrize(
    ("function", "task", "same", "pair"),
    [
        (hits, "classification", "accuracy", TWO),
        (hits, "classification", "accuracy", THREE),
        (ranking, "classification", "auc", TWO),
        (ranking, "classification", "auc", THREE),
        (error, "regression", "mae", VALUES),
    ],
)
def test_a_function_computes_what_the_built_in_metric_does(function: Any, task: Any, same: str, pair: Any) -> None:
    register_metric(function, direction="minimize" if same == "mae" else "maximize", task=task)
    found = METRICS[function.__name__]
    assert found.compute(*pair) == pytest.approx(METRICS[same].compute(*pair))
    assert pickle.loads(pickle.dumps(found)).compute(*pair) == found.compute(*pair)


@pytest.mark.parametrize(
    ("scorer", "name", "task", "same", "sign", "pair"),
    [
        ("roc_auc", "roc_auc", "classification", "auc", 1, TWO),
        ("roc_auc_ovr", "roc_auc_ovr", "classification", "auc", 1, THREE),
        ("neg_log_loss", "neg_log_loss", "classification", "log_loss", -1, THREE),
        ("balanced_accuracy", "recall", "classification", "balanced_accuracy", 1, THREE),
        (make_scorer(mean_absolute_error, greater_is_better=False), "neg_mae", "regression", "mae", -1, VALUES),
        ("r2", "r2_score", "regression", "r2", 1, VALUES),
    ],
)
def test_a_scorer_computes_what_the_built_in_metric_does(
    scorer: Any, name: str, task: Any, same: str, sign: int, pair: Any
) -> None:
    register_metric(scorer, name=name, task=task, version="2")
    found = METRICS[name]
    assert (found.direction, found.version) == ("maximize", "2")
    assert found.compute(*pair) == pytest.approx(sign * METRICS[same].compute(*pair))


def test_what_a_function_needs_can_be_declared() -> None:
    register_metric(log_loss, direction="minimize", task="classification", needs="probabilities", name="mean_log_loss")
    assert METRICS["mean_log_loss"].compute(*TWO) == pytest.approx(METRICS["log_loss"].compute(*TWO))


@pytest.mark.parametrize("function", [hits, error])
def test_functions_keep_the_promises_of_metrics(function: Any) -> None:
    task: Any = "regression" if function is error else "classification"
    register_metric(function, direction="minimize" if function is error else "maximize", task=task)
    check_metric(METRICS[function.__name__])


def test_a_metric_without_a_value_on_one_class_says_why() -> None:
    register_metric("roc_auc", task="classification")
    assert METRICS["roc_auc"].why_undefined(np.zeros((1, 9))) == "one class"
    assert measure("roc_auc", np.zeros((1, 9)), np.zeros((1, 9))) is None
    register_metric(hits, direction="maximize", task="classification")
    assert METRICS["hits"].why_undefined(np.zeros((1, 9))) is None


@pytest.mark.parametrize(
    ("metric", "changes", "message"),
    [
        (hits, {"task": None}, "metric 'hits': task must be classification or regression, got None"),
        (hits, {"direction": None}, "metric 'hits': direction must be maximize or minimize, got None"),
        (hits, {"needs": "values"}, "needs must be labels or probabilities for a classification, got 'values'"),
        (hits, {"version": 1.5}, "metric 'hits': version must be an integer or a string, got 1.5"),
        (lambda y, p: 0.0, {}, "metric name must .*letters.*got '<lambda>'"),
        (7, {"name": "seven"}, "metric 'seven' must be a Metric, a function, a scorer or the name of a scorer, got 7"),
        ("roc_auk", {"direction": None}, "scorer 'roc_auk' is unknown"),
        ("roc_auc", {"direction": "minimize"}, "a scorer determines its own direction and needs"),
        (Metric("a", "maximize", "regression", hits, "a"), {}, "a Metric cannot be combined with other arguments"),
    ],
)
def test_what_is_wrong_with_a_metric_is_named(metric: Any, changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register_metric(metric, **{"direction": "maximize", "task": "classification", **changes})


def test_extensions_travel_to_a_process_that_has_registered_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 0.5
    register_metric(
        lambda y_true, y_pred: float((np.abs(y_true - y_pred) < limit).mean()),
        name="near",
        direction="maximize",
        task="regression",
    )
    sent = Extensions((METRICS["near"],))
    sent.pack(cloudpickle.dumps)
    expected = METRICS["near"].compute(*VALUES)
    received = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(sent))))
    assert received.install()["near"].compute(*VALUES) == expected
    assert sent.install() == {"near": METRICS["near"]}


def test_an_addition_that_cannot_travel_is_named() -> None:
    open_file = (byte for byte in b"")  # a generator, which has a place in a running program
    register_metric(lambda y, p: next(open_file), name="stuck", direction="maximize", task="regression")
    with pytest.raises(AdditionError, match=r"metric 'stuck' cannot be sent to workers \(TypeError.*one job"):
        Extensions((METRICS["stuck"],)).pack(cloudpickle.dumps)


def test_an_addition_that_a_worker_cannot_load_is_named() -> None:
    sent = Extensions((Metric("there", "maximize", "regression", hits, "there"),))
    sent.pack(lambda _: b"cno_such_module\nmetric\n.")
    received = pickle.loads(pickle.dumps(sent))
    with pytest.raises(AdditionError, match=r"could not load metric 'there' .*no_such_module.*on the workers"):
        received.install()
