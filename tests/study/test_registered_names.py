"""A spec names what is registered in this process."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.command import run_study

from engine import OPTIMIZERS, Optimizer, register_optimizer

SPEC = """
name = "registered"
baselines.enabled = false
[data]
source = "sklearn:iris"
[space]
learning_rate = 0.01
iterations = 20
depth = 1
units = 4
optimizer = "sign_descent"
[search]
trials = 1
"""


def sign_descent(state, gradient, step) -> None:
    np.subtract(state.theta, np.sign(gradient) * step.learning_rate, out=state.theta)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(OPTIMIZERS, "_entries", dict(OPTIMIZERS._entries))
    register_optimizer(Optimizer("sign_descent", sign_descent, "Bernstein et al., 2018"))
    yield


def run(tmp_path: Path):
    spec = tmp_path / "registered.toml"
    spec.write_text(SPEC)
    return run_study("run", spec, "--home", tmp_path / "home", "--no-tracking", "--jobs", "1")


@pytest.mark.usefixtures("registered")
def test_study_trains_with_a_registered_optimizer(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr


def test_optimizer_that_is_not_registered_is_refused_in_a_line(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert "[space] optimizer: unknown optimizer 'sign_descent'" in done.stderr
