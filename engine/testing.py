"""Conformance checks for the tests of your own activations, optimizers, schedules and metrics.

Each function raises AssertionError with the rule that is violated. Only `check_training`, which trains with the
extensions, requires them to be registered.

Examples:
    >>> import numpy as np
    >>> from engine import Activation
    >>> from engine.testing import check_activation
    >>> def forward(Z, A, scratch):
    ...     np.maximum(Z, 0, out=scratch)
    ...     np.multiply(scratch, scratch, out=A)
    >>> def derivative(A, scratch):
    ...     np.sqrt(A, out=scratch)  # g = z² above 0, so g′ = 2z = 2√a
    ...     return np.multiply(scratch, 2, out=scratch)
    >>> check_activation(Activation("squared_relu", forward, derivative, "A", "he"))
"""

import tempfile
from pathlib import Path
from typing import cast

import numpy as np

from engine.activations import Activation, MaskDerivative
from engine.architecture import Architecture
from engine.arrays import FLOAT_TYPES, Array, FloatType
from engine.metrics import Metric, jackknife
from engine.optimizers import Optimizer, OptimizerState, Step
from engine.schedules import Schedule
from engine.settings import TrainingSettings
from engine.state import TrainingState
from engine.training import advance, start

_H = 1e-5  # step of finite differences, whose error is about _H² plus a rounding error of about 1e-16 / _H
_TOLERANCE = {FLOAT_TYPES[0]: 1e-5, FLOAT_TYPES[1]: 1e-12}


def check_activation(activation: Activation) -> None:
    """Check an activation: its derivative, dtypes, aliasing of Z and A, leading axes, and large arguments."""
    Z = np.concatenate([np.linspace(-6, 6, 121) + 0.013, [-30.0, 30.0]]).reshape(3, 41)
    A, derivative = _forward(activation, Z), _derivative(activation, Z)
    numeric = (_forward(activation, Z + _H) - _forward(activation, Z - _H)) / (2 * _H)
    _assert_close(derivative, numeric, 1e-8, "the derivative must agree with finite differences of the function")

    aliased = Z.copy()
    activation.forward(aliased, aliased, np.empty_like(Z))
    _assert_close(aliased, A, 0, "forward must allow Z and A to share memory")
    stack = np.stack([Z, Z + 1])
    _assert_close(_forward(activation, stack)[0], A, 0, "forward must treat all leading axes the same way")
    _assert_close(
        _derivative(activation, stack)[0], derivative, 0, "derivative must treat all leading axes the same way"
    )
    for dtype in FLOAT_TYPES:
        single = Z.astype(dtype)
        _assert_close(_forward(activation, single), A, 2e-6, f"forward must work in {dtype}")
        _assert_close(_derivative(activation, single), derivative, 1e-5, f"derivative must work in {dtype}")
    with np.errstate(all="ignore"):
        huge = np.array([[-1e4, -800.0, 800.0, 1e4]])
        _require(np.isfinite(_derivative(activation, huge)).all(), "the derivative must be finite if |Z| is very large")


def check_optimizer(optimizer: Optimizer) -> None:
    """Check an optimizer: that it descends, in both dtypes and in stacks, and has no hidden state."""
    for dtype in FLOAT_TYPES:
        theta, gradient = _vectors(dtype)
        alone = _updated(optimizer, theta, gradient, np.array(0.01, dtype))
        _require(alone.theta.dtype == dtype, f"an update must keep the dtype {dtype}")
        _require(np.isfinite(alone.theta).all(), "an update must keep finite parameters finite")
        _require(
            (alone.theta - theta) @ gradient < 0, "updates with a constant gradient must move against the gradient"
        )
        again = _updated(optimizer, theta, gradient, np.array(0.01, dtype))
        _assert_close(again.theta, alone.theta, 0, "an update must depend only on its arguments")

        stacked = _updated(
            optimizer, np.tile(theta, 2), np.tile(gradient, 2), np.repeat(np.array([0.01, 0.02], dtype), len(theta))
        )
        first = stacked.theta[: len(theta)]
        _assert_close(first, alone.theta, _TOLERANCE[dtype], "an update must be computed element by element")


def check_schedule(schedule: Schedule) -> None:
    """Check a schedule: that it starts at 1, and stays positive and finite."""
    for final in (0.01, 0.5, 1.0):
        _require(schedule.factor(0.0, final) == 1, "a schedule must start at 1")
        factors = [schedule.factor(t / 1000, final) for t in range(1000)]
        _require(np.isfinite(factors).all(), "a schedule must be finite")
        _require(min(factors) > 0, "a schedule must be above 0")


def check_metric(metric: Metric) -> None:
    """Check a metric: its direction, bounds, dtypes, undefined cases and influence."""
    for Y, A in _predictions(metric):
        before = Y.copy(), A.copy()
        value = metric.compute(Y, A)
        _assert_same(before, (Y, A), "a metric must not change its arguments")
        _require(metric.why_undefined(Y) is None, "a metric must be defined if classes and targets vary")
        _require(np.isfinite(value), "a metric must be finite if it is defined")
        _require(metric.low <= value <= metric.high, "a metric must be between low and high")
        _require(metric.compute(Y, A) == value, "a metric must depend only on its arguments")
        sign = 1 if metric.direction == "maximize" else -1
        best = metric.compute(Y, np.clip(Y, 1e-6, 1 - 1e-6) if metric.task == "classification" else Y)
        _require(sign * (best - value) > 0, "a perfect prediction must have a better value than a poor one")
        _require(np.isclose(metric.compute(Y[:, ::-1], A[:, ::-1]), value), "the order of examples must not matter")
        for dtype in FLOAT_TYPES:
            typed = metric.compute(Y.astype(dtype), A.astype(dtype))
            _require(np.isclose(typed, value, rtol=1e-3), f"a metric must work in {dtype}")
        if metric.influence is not None:
            _check_influence(metric, Y, A)
        constant = np.repeat(Y[:, :1], Y.shape[1], axis=1)
        with np.errstate(all="ignore"):
            undefined = bool(np.isnan(metric.compute(constant, A)))
        _require(
            undefined == (metric.why_undefined(constant) is not None),
            "a metric must be NaN if and only if why_undefined returns a reason",
        )


def check_training(
    *, activation: str = "tanh", optimizer: str = "gradient_descent", schedule: str = "constant"
) -> None:
    """Check that training with these extensions resumes bit for bit, even from a file, and is the same in a stack."""
    architecture = Architecture((3, 5, 4, 1), activation)
    settings = TrainingSettings(0.01, 20, batch_size=8, l2=0.01, optimizer=optimizer, schedule=schedule)
    generator = np.random.default_rng(0)
    X = generator.standard_normal((3, 30))
    Y = (X[:1] > 0).astype(np.float64)
    for dtype in FLOAT_TYPES:
        begun = start(architecture, settings, seeds=[0, 1], learning_rates=[0.01, 0.02], dtype=dtype)
        whole = advance(begun, X, Y)
        _require(set(whole.status) == {"complete"}, f"training must stay finite in {dtype}")
        part = advance(begun, X, Y, iterations=7)
        with tempfile.TemporaryDirectory() as folder:
            part.save(Path(folder) / "state.npz")
            resumed = advance(TrainingState.load(Path(folder) / "state.npz"), X, Y)
        for name in ("parameters", "costs", *whole.slots):
            found, expected = (_array(state, name) for state in (resumed, whole))
            promise = f"resumed training must give the same {name} as uninterrupted training in {dtype}"
            _assert_close(found, expected, 0, promise)
        alone = advance(start(architecture, settings, seeds=[0], dtype=dtype), X, Y)
        _assert_close(
            whole.parameters[0], alone.parameters[0], 1e-3, "a stack must train exactly as its networks do separately"
        )


def _predictions(metric: Metric) -> list[tuple[Array, Array]]:
    """Return targets with poor predictions, for one output and for three."""
    generator, m = np.random.default_rng(0), 60
    given: list[tuple[Array, Array]] = []
    for outputs in (1, 3):
        noise = generator.random((outputs, m))
        if metric.task == "regression":
            given.append((generator.random((outputs, m)) + 0.5, noise + 0.5))
        elif outputs == 1:
            given.append(((np.arange(m) % 3 == 0)[None].astype(np.float64), noise))
        else:
            given.append((np.eye(outputs)[:, np.arange(m) % outputs], noise / noise.sum(axis=0)))
    return given


def _check_influence(metric: Metric, Y: Array, A: Array) -> None:
    influence = metric.influence(Y, A) if metric.influence is not None else np.zeros(0)
    _require(influence.shape == (Y.shape[1],), "influence must return one number per example")
    _require(np.isclose(influence.mean(), 0, atol=1e-8), "influence must have mean 0")
    _require(
        np.corrcoef(influence, jackknife(metric.compute, Y, A))[0, 1] > 0.95,
        "influence must agree with the change of the metric when an example is left out",
    )


def _array(state: TrainingState, name: str) -> Array:
    return state.slots[name] if name in state.slots else np.asarray(getattr(state, name))


def _forward(activation: Activation, Z: Array) -> Array:
    A = np.empty_like(Z)
    activation.forward(Z.copy(), A, np.empty_like(Z))
    return A


def _derivative(activation: Activation, Z: Array) -> Array:
    V = _forward(activation, Z) if activation.derivative_of == "A" else Z.copy()
    if not activation.derivative_is_mask:
        return np.asarray(activation.derivative(V, np.empty_like(Z)))
    derivative = cast("MaskDerivative", activation.derivative)
    return derivative(V, np.empty(Z.shape, np.bool_)).astype(Z.dtype)


def _vectors(dtype: FloatType) -> tuple[Array, Array]:
    """Return parameters and a gradient."""
    generator = np.random.default_rng(0)
    theta, gradient = generator.standard_normal((2, 12)).astype(dtype)
    return theta, gradient


def _updated(optimizer: Optimizer, theta: Array, gradient: Array, rate: Array) -> OptimizerState:
    """Return the state after ten updates with the same gradient."""
    slots = tuple(np.zeros_like(theta) for _ in optimizer.slots)
    state = OptimizerState(theta.copy(), slots, np.empty_like(theta))
    for number in range(1, 11):
        optimizer.update(state, gradient.copy(), Step(number, rate, momentum=0.9, beta2=0.999, epsilon=1e-8))
    return state


def _assert_same(expected: tuple[Array, ...], found: tuple[Array, ...], promise: str) -> None:
    _require(all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True)), promise)


def _assert_close(found: Array, expected: Array, tolerance: float, promise: str) -> None:
    close = found.shape == expected.shape and np.allclose(found, expected, rtol=tolerance, atol=tolerance)
    _require(close, promise)


def _require(holds: object, promise: str) -> None:
    if not holds:
        raise AssertionError(promise)
