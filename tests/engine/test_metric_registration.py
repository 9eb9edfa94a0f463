"""Metrics can be registered, and what is registered keeps the promises of a metric."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine import METRICS, Metric, register_metric
from engine.metrics import jackknife, measure, metrics_for
from engine.testing import check_metric


def squared_log_error(Y, A):
    return np.square(np.log1p(np.maximum(A, 0)) - np.log1p(Y))


def compute(Y, A):
    return float(np.mean(squared_log_error(Y, A)))


def influence(Y, A):
    errors = squared_log_error(Y, A).mean(axis=0)
    return errors - errors.mean()


MSLE = Metric("msle", "minimize", "regression", compute, "MSLE", influence=influence, low=0.0)


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registry what a test has put into it."""
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))
    yield


@pytest.mark.parametrize("metric", [*METRICS.values(), MSLE, replace(MSLE, influence=None)], ids=lambda m: m.name)
def test_metrics_keep_their_promises(metric):
    check_metric(metric)


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"direction": "maximize"}, "a perfect prediction must have a better value"),
        ({"compute": lambda Y, A: compute(Y, A) * np.sign(A[0, 0] - A[0, -1])}, "order of examples"),
        ({"compute": lambda Y, A: float(np.mean(np.square(Y, out=Y) - A))}, "not change its arguments"),
        ({"high": 1e-6}, "between low and high"),
        ({"why_undefined": lambda Y: "one value" if (Y[:, :1] == Y).all() else None}, "NaN if and only if"),
        ({"influence": lambda Y, A: -influence(Y, A)}, "when an example is left out"),
        ({"influence": lambda Y, A: squared_log_error(Y, A).mean(axis=0)}, "mean 0"),
    ],
)
def test_a_broken_promise_is_named(changes, promise):
    with pytest.raises(AssertionError, match=promise):
        check_metric(replace(MSLE, **{"low": -np.inf, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "rmse"}, "metric 'rmse' is built in; choose another name"),
        ({"name": "work"}, "metric 'work' is built in; choose another name"),
        ({"name": "My metric"}, "must consist of lowercase letters, digits and underscores, got 'My metric'"),
        ({"direction": "up"}, "metric 'msle': direction must be maximize or minimize, got 'up'"),
        ({"task": "binary"}, "metric 'msle': task must be classification or regression, got 'binary'"),
        ({"compute": None}, "metric 'msle': compute must be a function, got None"),
        ({"low": 1.0, "high": 0.0}, "metric 'msle': low must be below high, got 1.0 and 0.0"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_name(changes, message):
    with pytest.raises(ValueError, match=message):
        register_metric(replace(MSLE, **changes))
    assert METRICS.get("msle") is None


def test_a_registered_metric_is_measured_where_it_is_named_alone():
    before = metrics_for("regression")
    register_metric(MSLE)
    assert metrics_for("regression") == before
    assert metrics_for("regression", ["msle"]) == [*before, MSLE]
    assert MSLE not in metrics_for("binary", ["msle"])


def test_a_metric_that_is_not_registered_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"metric must be one of .*got 'msle'; to add one, call register_metric"):
        measure("msle", np.zeros((1, 2)), np.zeros((1, 2)))


def test_the_jackknife_of_a_mean_is_each_value_minus_the_mean():
    generator = np.random.default_rng(0)
    Y, A = generator.random((2, 1, 20))
    np.testing.assert_allclose(jackknife(compute, Y, A), influence(Y, A), rtol=1e-10)
