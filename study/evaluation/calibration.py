"""Calibration of predicted probabilities: how well they agree with frequencies, and a temperature that improves them.

All functions take Y and A, (n_y, m), as the engine does: for two classes one row, for K classes K rows.
"""

import numpy as np
from scipy.optimize import minimize_scalar

from engine.arrays import Array
from engine.metric_functions import normalized
from study.ledger.test_evaluation import Calibration

LOWEST, HIGHEST = 0.5, 10.0  # range of temperatures; without bounds, separable examples would drive T to 0
BINS = 15  # of the expected calibration error
PARTS = 5  # of the cross-validation that decides whether a temperature is used


def calibrate(Y: Array, A: Array) -> Calibration:
    """Return the calibration of predictions, with the temperature that pays.

    A temperature is fitted on four parts of the examples and judged on the fifth, for each of five parts. If it lowers
    the log loss by more than the standard error, the temperature fitted on all examples is used; otherwise 1.

    Args:
        Y: (n_y, m), 0 and 1, or one-hot columns.
        A: (n_y, m), out-of-sample probabilities.
    """
    P, truth = class_probabilities(A), class_probabilities(Y)
    parts = np.arange(P.shape[1]) % PARTS
    plain = log_losses(truth, P)
    tempered = np.empty_like(plain)
    for part in range(PARTS):
        held = parts == part
        if held.any() and not held.all():
            tempered[held] = log_losses(truth[:, held], temper(P[:, held], _fit(truth[:, ~held], P[:, ~held])))
        else:
            tempered[held] = plain[held]
    gains = plain - tempered
    m = len(gains)
    error = float(gains.std(ddof=1) / m**0.5) if m > 1 else float("inf")
    pays = float(gains.mean()) > error
    return Calibration(
        temperature=_fit(truth, P) if pays else 1.0,
        log_loss=float(plain.mean()),
        brier=brier_score(Y, A),
        calibration_error=expected_calibration_error(Y, A),
        gain=float(gains.mean()),
        gain_error=error,
    )


def temper(P: Array, temperature: float) -> Array:
    """Return probabilities p_k^(1/T) / Σ p_j^(1/T) (Guo et al. 2017, equation 9, in terms of probabilities).

    Args:
        P: (K, m), columns that sum to 1.
        temperature: T, above 0; above 1, probabilities become less extreme.
    """
    if temperature == 1:
        return P
    logits = np.log(_clipped(P)) / temperature
    powers = np.exp(logits - logits.max(axis=0))
    tempered: Array = powers / powers.sum(axis=0)
    return tempered


def undo_balance(P: Array, priors: Array) -> Array:
    """Return probabilities for classes as frequent as `priors`, of networks trained with balanced class weights.

    Balanced weights train a network as if all classes were equally frequent, so p_k is multiplied by prior_k and
    normalized (Saerens, Latinne & Decaestecker 2002).

    Args:
        P: (K, m), columns that sum to 1.
        priors: (K,), the share of each class.
    """
    weighted = P * priors[:, None]
    probabilities: Array = weighted / weighted.sum(axis=0)
    return probabilities


def adjust(P: Array, priors: Array | None, temperature: float) -> Array:
    """Return the probabilities of a final model, (K, m): without the effect of balanced weights, and tempered.

    Args:
        P: (K, m), averaged probabilities of the networks.
        priors: see `undo_balance`; None if the networks were trained without class weights.
        temperature: see `temper`.
    """
    return temper(P if priors is None else undo_balance(P, priors), temperature)


def brier_score(Y: Array, A: Array) -> float:
    """Return the Brier score (Brier 1950), as `sklearn.metrics.brier_score_loss`: halved for two classes."""
    squares = np.square(class_probabilities(Y) - class_probabilities(A)).sum(axis=0)
    return float(squares.mean()) / (2 if len(Y) == 1 else 1)


def expected_calibration_error(Y: Array, A: Array) -> float:
    """Return the mean absolute difference of confidence and accuracy over bins, weighted by their examples."""
    P, truth = class_probabilities(A), class_probabilities(Y)
    confidence, right = P.max(axis=0), P.argmax(axis=0) == truth.argmax(axis=0)
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    surplus = np.bincount(bins, confidence - right, minlength=BINS)
    return float(np.abs(surplus).sum() / P.shape[1])


def class_probabilities(A: Array) -> Array:
    """Return the probability of each class, (K, m), float64, in columns that sum to 1."""
    P = normalized(A)
    return np.vstack([1 - P, P]) if len(P) == 1 else P


def log_losses(truth: Array, P: Array) -> Array:
    """Return the cross-entropy of each example in nats, (m,); truth and P are (K, m)."""
    losses: Array = -np.log(_clipped(np.sum(truth * P, axis=0)))
    return losses


def _fit(truth: Array, P: Array) -> float:
    """Return the temperature within the bounds that minimizes the log loss."""
    found = minimize_scalar(
        lambda log_t: float(log_losses(truth, temper(P, float(np.exp(log_t)))).mean()),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _clipped(P: Array) -> Array:
    tiny = np.finfo(np.float32).eps
    clipped: Array = np.clip(P, tiny, 1 - tiny)
    return clipped
