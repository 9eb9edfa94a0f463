"""Activations, optimizers and schedules can be registered, and what is registered keeps the promises of its kind."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine import (
    ACTIVATIONS,
    OPTIMIZERS,
    SCHEDULES,
    Activation,
    Architecture,
    Optimizer,
    Schedule,
    TrainingSettings,
    elu,
    leaky_relu,
    register_activation,
    register_optimizer,
    register_schedule,
    start,
    train,
)
from engine.registry import Registry
from engine.testing import check_activation, check_optimizer, check_schedule, check_training
from engine.training_chunk import TrainingChunk, run_chunk
from engine.worker_data import Fold, write_data


def forward(Z, A, scratch):
    np.abs(Z, out=scratch)
    np.add(scratch, 1, out=scratch)
    np.divide(Z, scratch, out=A)


def derivative(A, scratch):
    np.abs(A, out=scratch)
    np.subtract(1, scratch, out=scratch)  # z / (1 + |z|) has g′ = (1 − |a|)²
    return np.multiply(scratch, scratch, out=scratch)


def sign_descent(state, gradient, step):
    np.sign(gradient, out=gradient)
    np.multiply(gradient, step.learning_rate, out=gradient)
    np.subtract(state.theta, gradient, out=state.theta)


SOFTSIGN = Activation("softsign", forward, derivative, "A", "xavier")
SIGN = Optimizer("sign_descent", sign_descent, "Bernstein et al., 2018")
LINEAR = Schedule("linear", lambda done, final: 1 + (final - 1) * done, "a straight line")


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registries what a test has put into them."""
    for registry in (ACTIVATIONS, OPTIMIZERS, SCHEDULES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    yield


@pytest.mark.parametrize(
    "activation", [*ACTIVATIONS.values(), leaky_relu(0.2), elu(0.5), SOFTSIGN], ids=lambda a: a.name
)
def test_activations_keep_their_promises(activation):
    check_activation(activation)


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS.values(), SIGN], ids=lambda o: o.name)
def test_optimizers_keep_their_promises(optimizer):
    assert optimizer.source
    check_optimizer(optimizer)


@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), LINEAR], ids=lambda s: s.name)
def test_schedules_keep_their_promises(schedule):
    assert schedule.source
    check_schedule(schedule)


def test_what_is_registered_trains_resumes_and_stacks():
    register_activation(SOFTSIGN)
    register_optimizer(SIGN)
    register_schedule(LINEAR)
    check_training(activation="softsign", optimizer="sign_descent", schedule="linear")


def test_registered_optimizer_follows_its_formula(problem):
    register_optimizer(SIGN)
    architecture = Architecture((3, 1), output_activation="identity")
    X, Y = problem(architecture)
    result = train(
        architecture, X, Y, learning_rate=0.1, iterations=1, optimizer="sign_descent", initialization="zeros"
    )
    np.testing.assert_allclose(np.abs(result.parameters.vector), 0.1)


def _off_by_one_percent(A, scratch):
    return np.multiply(derivative(A, scratch), 1.01, out=scratch)


def _float64_alone(Z, A, _scratch):
    A[...] = np.round(Z, 7) / (1 + np.abs(np.round(Z, 7)))


def _climbs(state, gradient, step):
    np.add(state.theta, gradient * step.learning_rate, out=state.theta)


def _by_the_norm(state, gradient, step):
    np.subtract(state.theta, gradient / np.linalg.norm(gradient) * step.learning_rate, out=state.theta)


@pytest.mark.parametrize(
    ("check", "entry", "promise"),
    [
        (check_activation, replace(SOFTSIGN, derivative=_off_by_one_percent), "agree with finite differences"),
        (check_activation, replace(SOFTSIGN, derivative_of="Z"), "agree with finite differences"),
        (check_optimizer, replace(SIGN, update=_climbs), "must move against"),
        (check_optimizer, replace(SIGN, update=_by_the_norm), "element by element"),
        (check_schedule, replace(LINEAR, factor=lambda _done, final: final), "must start at 1"),
        (check_schedule, replace(LINEAR, factor=lambda done, _final: 1 - 2 * done), "above 0"),
    ],
)
def test_a_broken_promise_is_named(check, entry, promise):
    with pytest.raises(AssertionError, match=promise):
        check(entry)


@pytest.mark.parametrize(
    ("register", "entry", "message"),
    [
        (register_activation, replace(SOFTSIGN, name="relu"), "activation 'relu' is built in; choose another name"),
        (
            register_optimizer,
            replace(SIGN, name="Sign Descent"),
            "must consist of lowercase letters.*got 'Sign Descent'",
        ),
        (
            register_schedule,
            replace(LINEAR, name=""),
            "must consist of lowercase letters, digits and underscores, got ''",
        ),
    ],
)
def test_names_are_checked(register, entry, message):
    with pytest.raises(ValueError, match=message):
        register(entry)


def test_a_registry_is_a_mapping_in_order():
    registry = Registry("schedule", (LINEAR,))
    registry.register(replace(LINEAR, name="other"))
    registry.register(replace(LINEAR, name="other", source="again"))
    assert list(registry) == ["linear", "other"]
    assert len(registry) == 2
    assert registry["other"].source == "again"


@pytest.mark.parametrize("names", [{"optimizer": "unheard_of"}, {"schedule": "unheard_of"}])
def test_unknown_names_are_refused_with_the_remedy(names):
    with pytest.raises(ValueError, match=r"must be one of .*got 'unheard_of'; to add one, call register_"):
        TrainingSettings(0.1, 1, **names)


@pytest.mark.parametrize(("kind", "name"), [("activation", "softsign"), ("optimizer", "sign_descent")])
def test_a_worker_that_does_not_know_a_name_says_so_in_its_outcome(kind, name, problem, tmp_path):
    register_activation(SOFTSIGN)
    register_optimizer(SIGN)
    architecture = Architecture((3, 4, 1), "softsign" if kind == "activation" else "tanh")
    X, Y = problem(architecture, dtype=np.float32)
    write_data(tmp_path, [Fold(X, Y, X, Y)])
    optimizer = "sign_descent" if kind == "optimizer" else "adam"
    state = start(architecture, TrainingSettings(0.1, 3, optimizer=optimizer))
    chunk = TrainingChunk(0, state, 3, (3,), ("accuracy",), str(tmp_path))
    assert run_chunk(chunk).error is None

    other_process = (
        "import pickle, sys; from engine.training_chunk import run_chunk; "
        "print(run_chunk(pickle.loads(sys.stdin.buffer.read())).error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", other_process], input=pickle.dumps(chunk), capture_output=True, check=True
    )
    last_line = done.stdout.decode().strip().splitlines()[-1]
    assert last_line.startswith(f"ValueError: {kind} must be one of ")
    assert last_line.endswith(f"got '{name}'; to add one, call register_{kind} in this process")
