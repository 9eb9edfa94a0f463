"""Every sampler proposes within the space, from its seed and the study's trials alone."""

import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from study.errors import UserError
from study.search.samplers import SobolSampler, check_available, from_unit, make_sampler, to_unit
from study.search.search_space import suggest
from study.spec import SpaceSpec
from study.spec.search import SearchSpec

SAMPLERS = ["tpe", "random", "qmc", "gp", "cmaes", "nsga2"]
IN_FLIGHT, TRIALS = 4, 44
SPACE = SpaceSpec.model_validate(
    {
        "learning_rate": {"low": 1e-3, "high": 1.0, "log": True},
        "iterations": {"low": 10, "high": 100, "step": 10},
        "depth": {"low": 0, "high": 2},
        "units": {"low": 2, "high": 32, "log": True},
        "activation": ["relu", "tanh"],
        "l2": {"low": 0.0, "high": 0.5, "step": 0.1},
        "optimizer": ["gradient_descent", "adam"],
        "momentum": {"low": 0.5, "high": 0.95},
    }
)


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    for sampler, module in {"gp": "torch", "cmaes": "cmaes"}.items():
        if f"[{sampler}" in request.node.name:
            pytest.importorskip(module)


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync no file: the machine stays up, so the files are whole without it, in half the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def value(params: dict[str, Any]) -> float:
    """A smooth stand-in for a training: best at a rate of 0.1 in depth 2."""
    return -abs(math.log10(params["learning_rate"]) + 1) - 0.3 * abs(params["depth"] - 2) - params["l2"]


class Loop:
    """Ask and tell as the search does: a study in memory, a journal beside it, a fresh sampler for each ask."""

    def __init__(self, search: SearchSpec, path: Path, space: SpaceSpec = SPACE) -> None:
        self.search, self.space = search, space
        self.storage = JournalStorage(JournalFileBackend(str(path)))
        self.directions = ["maximize", "minimize"] if search.several else ["maximize"]
        optuna.create_study(storage=self.storage, study_name="s", directions=self.directions, load_if_exists=True)
        self.ledger = self.storage.get_study_id_from_name("s")
        self.rebuild()

    def rebuild(self) -> None:
        self.memory = InMemoryStorage()
        self.mirror = optuna.create_study(storage=self.memory, study_name="s", directions=self.directions)
        self.mirror.add_trials(self.storage.get_all_trials(self.ledger))

    def run(self, trials: int, *, rebuild: Callable[[int], bool] = lambda _: False) -> list[FrozenTrial]:
        for step in range(10 * trials):
            if rebuild(step):
                self.rebuild()
            known = self.mirror.get_trials(deepcopy=False)
            running = [trial for trial in known if not trial.state.is_finished()]
            if len(running) < IN_FLIGHT and len(known) < trials:
                self.ask(len(known))
            elif running:
                self.tell(running[step % len(running)])
            else:
                break
        return self.storage.get_all_trials(self.ledger)

    def ask(self, number: int) -> None:
        self.mirror.sampler = make_sampler(self.search, 1000 * self.search.seed + number, number)
        trial = self.mirror.ask()
        suggest(trial, self.space)
        drawn = self.mirror.get_trials(deepcopy=False)[number]
        self.storage.create_new_trial(
            self.ledger,
            create_trial(
                state=TrialState.RUNNING,
                params=drawn.params,
                distributions=drawn.distributions,
                system_attrs=drawn.system_attrs,
            ),
        )

    def tell(self, trial: FrozenTrial) -> None:
        state = {5: TrialState.FAIL, 6: TrialState.PRUNED}.get(trial.number % 10, TrialState.COMPLETE)
        values = [value(trial.params), float(trial.params["depth"])][: len(self.directions)]
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(self.ledger, trial.number)
        if state == TrialState.PRUNED and not self.search.several:
            study_id = self.memory.get_study_id_from_name("s")
            in_memory = self.memory.get_trial_id_from_study_id_trial_number(study_id, trial.number)
            optuna.trial.Trial(self.mirror, in_memory).report(values[0], 10)
            self.storage.set_trial_intermediate_value(trial_id, 10, values[0])
        if state == TrialState.PRUNED and self.search.several:
            state = TrialState.FAIL
        self.mirror.tell(trial.number, values if state == TrialState.COMPLETE else None, state)
        assert self.mirror.trials[trial.number].system_attrs == self.storage.get_trial(trial_id).system_attrs
        self.storage.set_trial_state_values(trial_id, state, None if state == TrialState.FAIL else values)


def drawn(trials: list[FrozenTrial]) -> list[Any]:
    return [(trial.params, trial.system_attrs, trial.values) for trial in trials]


def searching(sampler: str, **fields: Any) -> SearchSpec:
    several = {"metric": ["accuracy", "parameters"], "pruner": "none"} if sampler == "nsga2" else {}
    return SearchSpec.model_validate({"sampler": sampler, "in_flight": IN_FLIGHT, "trials": TRIALS} | several | fields)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_repeat_and_survive_a_rebuild(sampler: str, tmp_path: Path) -> None:
    trials = 16 if sampler == "gp" else TRIALS  # the first ten are drawn at random
    whole = Loop(searching(sampler), tmp_path / "whole").run(trials)
    rebuilt = Loop(searching(sampler), tmp_path / "rebuilt").run(trials, rebuild=lambda step: step % 3 == 0)
    assert drawn(whole) == drawn(rebuilt)
    assert len(whole) == trials
    for trial in whole:
        create_trial(params=trial.params, distributions=trial.distributions, value=0.0)  # refuses what is out of range
    other = Loop(searching(sampler, seed=1), tmp_path / "other").run(12)
    assert [trial.params for trial in other] != [trial.params for trial in whole[:12]]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_warning_and_no_log_reaches_a_user(sampler: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.enable_propagation()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Loop(searching(sampler), tmp_path / "a").run(16)
    finally:
        optuna.logging.disable_propagation()
    assert "independent" not in capfd.readouterr().err.lower()


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler", ["tpe", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("gp", "cmaes", "nsga2"))]
)
def test_what_learns_ends_nearer_to_the_best_than_random(sampler: str, tmp_path: Path) -> None:
    def late(name: str, seed: int) -> float:
        search = searching(name, seed=seed).model_copy(update={"metric": "accuracy"})
        trials = Loop(search, tmp_path / f"{name}-{seed}").run(30 if sampler == "gp" else 60)
        return float(np.mean([value(trial.params) for trial in trials[-10:]]))

    seeds = range(3)
    assert np.mean([late(sampler, seed) for seed in seeds]) > np.mean([late("random", seed) for seed in seeds]) + 0.1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_made_longer_goes_on_as_if_it_had_been_longer_from_the_start(sampler: str, tmp_path: Path) -> None:
    Loop(searching(sampler, trials=10), tmp_path / "a").run(10)
    whole = Loop(searching(sampler, trials=14), tmp_path / "b").run(10)
    assert drawn(Loop(searching(sampler, trials=14), tmp_path / "a").run(14)) == drawn(
        Loop(searching(sampler, trials=14), tmp_path / "b").run(14)
    )
    assert len(whole) == 10


@pytest.mark.slow
def test_sobol_points_are_a_function_of_the_number() -> None:
    rate = FloatDistribution(0.0, 1.0)
    study = optuna.create_study()
    blank = create_trial(state=TrialState.RUNNING)

    def points(attempt: int = 0) -> list[tuple[float, float]]:
        samplers = [SobolSampler(0, number, attempt) for number in range(64)]
        return [
            (s.sample_independent(study, blank, "learning_rate", rate), s.sample_independent(study, blank, "l2", rate))
            for s in samplers
        ]

    assert points() == points()
    assert points()[0] != points(attempt=1)[0]
    for axis in (0, 1):  # 64 points of a (t, s)-sequence in base 2: one in each of 64 intervals of every coordinate
        assert sorted(int(64 * point[axis]) for point in points()) == list(range(64))
    names = {*SpaceSpec.model_fields, "units_pattern"} - {"max_parameters"}
    assert names == set(SobolSampler.NAMES)


distributions = st.one_of(
    st.builds(lambda low, more: FloatDistribution(low, low + more), st.floats(-5, 5), st.floats(0.1, 10)),
    st.builds(lambda low, more: FloatDistribution(low, low * more, log=True), st.floats(1e-5, 5), st.floats(1.1, 1e3)),
    st.builds(
        lambda low, n: FloatDistribution(low, round(low + n / 10, 1), step=0.1),
        st.sampled_from([0, 0.1]),
        st.integers(0, 9),
    ),
    st.builds(lambda low, more: IntDistribution(low, low + more), st.integers(-5, 5), st.integers(0, 40)),
    st.builds(lambda low, n, s: IntDistribution(low, low + n * s, step=s), *[st.integers(1, 9)] * 3),
    st.builds(lambda low, more: IntDistribution(low, low + more, log=True), st.integers(1, 9), st.integers(0, 200)),
)


@given(distributions, st.floats(0, 1))
def test_unit_interval_and_range_are_inverse(distribution: Any, u: float) -> None:
    number = from_unit(distribution, u)
    create_trial(params={"x": number}, distributions={"x": distribution}, value=0.0)  # refuses what is out of range
    assert isinstance(number, int) == isinstance(distribution, IntDistribution)
    there = to_unit(distribution, number)
    assert 0 <= there <= 1
    assert from_unit(distribution, there) == pytest.approx(number, rel=1e-9, abs=1e-9)


def test_choices_have_equal_shares() -> None:
    choices: BaseDistribution = CategoricalDistribution(("a", "b", "c"))
    assert [from_unit(choices, u) for u in (0, 0.33, 0.34, 0.66, 0.67, 1)] == ["a", "a", "b", "b", "c", "c"]


@pytest.mark.parametrize(("sampler", "module"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_a_missing_extra_is_named(sampler: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_available(searching(sampler))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError) as caught:
        check_available(searching(sampler))
    assert str(caught.value) == (
        f"[search] sampler: {sampler} requires {module}, which is not installed; install it with `pip install {module}`"
    )
    check_available(searching("tpe"))
