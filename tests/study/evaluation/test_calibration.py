"""The temperature and the measures of calibration agree with formulas, scikit-learn and simulated truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from engine.arrays import Array
from study.evaluation.calibration import (
    HIGHEST,
    LOWEST,
    brier_score,
    calibrate,
    class_probabilities,
    expected_calibration_error,
    log_losses,
    temper,
)


def softmax(Z: Array) -> Array:
    powers = np.exp(Z - Z.max(axis=0))
    shares: Array = powers / powers.sum(axis=0)
    return shares


def drawn(rng: np.random.Generator, K: int, m: int, temperature: float) -> tuple[Array, Array]:
    """Return one-hot labels drawn from probabilities, and predictions with logits `temperature` times too large."""
    Z = 2 * rng.standard_normal((K, m))
    P = softmax(Z)
    labels = np.array([rng.choice(K, p=P[:, i]) for i in range(m)])
    return np.eye(K)[:, labels], softmax(temperature * Z)


def one_row(Y: Array, A: Array) -> tuple[Array, Array]:
    """Return what the engine has for two classes: the row of class 1."""
    return Y[1:], A[1:]


@pytest.mark.parametrize("K", [2, 4])
def test_overconfidence_is_found_and_undone(K: int) -> None:
    Y, A = drawn(np.random.default_rng(0), K, 4000, 3.0)
    if K == 2:
        Y, A = one_row(Y, A)
    found = calibrate(Y, A)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert found.gain > 10 * found.gain_error
    truth, P = class_probabilities(Y), temper(class_probabilities(A), found.temperature)
    assert log_losses(truth, P).mean() == pytest.approx(found.log_loss - found.gain, abs=0.01)
    back = P[1:] if K == 2 else P
    assert expected_calibration_error(Y, back) < 0.3 * found.calibration_error


def test_probabilities_that_are_calibrated_are_left_as_they_are() -> None:
    kept = 0
    for seed in range(40):
        Y, A = one_row(*drawn(np.random.default_rng(seed), 2, 150, 1.0))
        kept += calibrate(Y, A).temperature == 1
    assert kept >= 28  # one gain in six exceeds a standard error by chance


def test_perfect_predictions_stay_within_the_bounds() -> None:
    Y = np.array([[0.0, 1.0] * 20])
    assert calibrate(Y, np.abs(Y - 0.1)).temperature in (1.0, pytest.approx(LOWEST, rel=1e-3))
    wrong = calibrate(Y, np.abs(1 - Y - 0.01))
    assert wrong.temperature == pytest.approx(HIGHEST, rel=1e-3)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_a_few_examples_have_a_calibration(m: int) -> None:
    found = calibrate(np.ones((1, m)), np.full((1, m), 0.5))
    assert found.log_loss == pytest.approx(np.log(2))


@given(st.integers(2, 5), st.integers(1, 30), st.integers(0, 1000))
def test_measures_agree_with_scikit_learn(K: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, m)
    Y, A = np.eye(K)[:, labels].astype(float), softmax(rng.standard_normal((K, m)))
    if K == 2:
        Y, A = one_row(Y, A)
        assert brier_score(Y, A) == pytest.approx(brier_score_loss(labels, A[0], labels=[0, 1]))
    else:
        assert brier_score(Y, A) == pytest.approx(brier_score_loss(labels, A.T, labels=range(K)))
    P = class_probabilities(A)
    assert log_losses(class_probabilities(Y), P).mean() == pytest.approx(log_loss(labels, P.T, labels=range(K)))


def test_calibration_error_is_the_gap_of_confidence_and_accuracy() -> None:
    Y, A = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[0.9, 0.9, 0.9, 0.6]])
    # 0.9 three times, right twice; 0.6 once, wrong.
    assert expected_calibration_error(Y, A) == pytest.approx((abs(2.7 - 2) + 0.6) / 4)


@given(st.integers(2, 5), st.floats(0.5, 10), st.integers(0, 1000))
def test_temperature_keeps_the_order_of_classes(K: int, temperature: float, seed: int) -> None:
    P = softmax(np.random.default_rng(seed).standard_normal((K, 20)))
    tempered = temper(P, temperature)
    assert (tempered.argmax(axis=0) == P.argmax(axis=0)).all()
    assert tempered.sum(axis=0) == pytest.approx(1)
    np.testing.assert_allclose(temper(tempered, 1 / temperature), P, rtol=1e-3)
    assert temper(P, 1) is P
