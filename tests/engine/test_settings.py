"""Every setting has a range, and the message names setting, rule and value."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from engine import TrainingSettings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("learning_rate", 0, "learning_rate must be above 0, got 0"),
        ("learning_rate", -0.1, "learning_rate must be above 0, got -0.1"),
        ("learning_rate", float("nan"), "learning_rate must be above 0, got nan"),
        ("learning_rate", float("inf"), "learning_rate must be above 0, got inf"),
        ("learning_rate", "fast", "learning_rate must be above 0, got 'fast'"),
        ("learning_rate", None, "learning_rate must be above 0, got None"),
        ("iterations", -1, "iterations must be a whole number of at least 0, got -1"),
        ("iterations", 1.5, "iterations must be a whole number of at least 0, got 1.5"),
        ("iterations", True, "iterations must be a whole number of at least 0, got True"),
        ("batch_size", 0, "batch_size must be a whole number of at least 1, got 0"),
        ("momentum", 1, "momentum must be at least 0 and below 1, got 1"),
        ("beta2", -0.1, "beta2 must be at least 0 and below 1, got -0.1"),
        ("epsilon", 0, "epsilon must be above 0, got 0"),
        ("l2", -1, "l2 must be at least 0, got -1"),
        ("dropout", 1.0, "dropout must be at least 0 and below 1, got 1.0"),
        ("final_fraction", 1.1, "final_fraction must be at most 1, got 1.1"),
        ("max_gradient_norm", 0, "max_gradient_norm must be above 0, got 0"),
        ("patience", 0, "patience must be a whole number of at least 1, got 0"),
        ("evaluate_every", 0, "evaluate_every must be a whole number of at least 1, got 0"),
        ("optimizer", "sgd", "optimizer must be one of gradient_descent, momentum, .*got 'sgd'"),
        ("schedule", "linear", "schedule must be one of constant, inverse_time, step, cosine, got 'linear'"),
    ],
)
def test_out_of_range(name, value, words):
    with pytest.raises(ValueError, match=words):
        TrainingSettings(**{"learning_rate": 0.1, "iterations": 10, name: value})


def test_numpy_numbers_become_plain_ones():
    settings = TrainingSettings(np.float32(0.5), np.int64(3), batch_size=np.int32(2), max_gradient_norm=np.float32(2))
    assert settings == TrainingSettings(0.5, 3, batch_size=2, max_gradient_norm=2.0)
    json.dumps(asdict(settings))
