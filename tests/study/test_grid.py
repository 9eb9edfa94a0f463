"""A grid covers each distinct setting once, conditions and all, and says which range cannot be one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler
from optuna.study import create_study
from optuna.trial import create_trial

from study.errors import UserError
from study.search.grid import enumerate_configurations, grid_order, space_size
from study.search.search_space import complete, suggest
from study.spec import SpaceSpec


def space(**fields: Any) -> SpaceSpec:
    return SpaceSpec.model_validate({"learning_rate": 0.1, "iterations": 100, "depth": 1} | fields)


def key(params: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(params.items()))


numbers = st.one_of(
    st.just((4,)),
    st.just((2, 8)),
    st.builds(lambda low, more, step: {"low": low, "high": low + more * step, "step": step}, *[st.integers(1, 4)] * 3),
)
spaces = st.fixed_dictionaries(
    {"depth": st.sampled_from([(0,), (2,), (0, 1), {"low": 0, "high": 2}, (1, 3)]), "units": numbers},
    optional={
        "iterations": numbers,
        "learning_rate": st.sampled_from([(0.1, 0.3), {"low": 0.1, "high": 0.7, "step": 0.2}]),
        "activation": st.sampled_from([("relu",), ("relu", "tanh")]),
        "optimizer": st.sampled_from([("adam",), ("gradient_descent", "momentum", "adam")]),
        "momentum": st.sampled_from([(0.9,), (0.5, 0.9)]),
    },
).map(lambda fields: space(**fields))
spaces = spaces.filter(lambda finite: (space_size(finite) or 0) <= 2000)


@pytest.mark.slow
@given(spaces)
def test_each_setting_is_listed_once_and_counted(finite: SpaceSpec) -> None:
    settings = enumerate_configurations(finite)
    assert settings is not None
    assert len({key(params) for params in settings}) == len(settings) == space_size(finite)
    for params in settings[:50]:
        complete(finite, params)  # raises where one is missing, warns where one is out of range


@pytest.mark.slow
@given(spaces, st.integers(0, 3))
def test_what_a_sampler_draws_is_in_the_list(finite: SpaceSpec, seed: int) -> None:
    listed = {key(params) for params in enumerate_configurations(finite) or []}
    study = create_study(sampler=RandomSampler(seed=seed))
    for _ in range(10):
        trial = study.ask()
        suggest(trial, finite)
        assert key(trial.params) in listed


def test_conditions_worked_by_hand() -> None:
    # Depth 0: 2 rates. Depth 1: 2 rates × 3 units. Depth 2: 2 rates × 3 × 3 units.
    small = space(learning_rate=[0.1, 1.0], depth={"low": 0, "high": 2}, units=[2, 4, 8])
    assert space_size(small) == 2 + 2 * 3 + 2 * 9
    settings = enumerate_configurations(small)
    assert settings is not None
    assert settings[0] == {"learning_rate": 0.1, "depth": 0}
    assert settings[-1] == {"learning_rate": 1.0, "depth": 2, "units_1": 8, "units_2": 8}


def test_one_setting_is_a_grid_too() -> None:
    assert enumerate_configurations(space()) == [{}]
    assert space_size(space()) == 1


def test_steps_are_those_of_optuna() -> None:
    stepped = enumerate_configurations(space(learning_rate={"low": 0.1, "high": 0.7, "step": 0.2})) or []
    values = [params["learning_rate"] for params in stepped]
    assert values == pytest.approx([0.1, 0.3, 0.5, 0.7])
    distribution = FloatDistribution(0.1, 0.7, step=0.2)
    for value in values:
        create_trial(params={"x": value}, distributions={"x": distribution}, value=0.0)  # refuses what is no step


def test_a_large_space_is_counted_without_being_listed() -> None:
    large = space(depth={"low": 0, "high": 5}, units={"low": 1, "high": 1000}, iterations={"low": 1, "high": 10_000})
    assert space_size(large) == 10_000 * sum(1000**depth for depth in range(6))
    assert enumerate_configurations(large) is None
    assert enumerate_configurations(space(units=[1, 2, 3]), limit=2) is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"learning_rate": {"low": 1e-3, "high": 1.0, "log": True}}, "learning_rate"),
        ({"l2": {"low": 0, "high": 1}}, "l2"),
        ({"optimizer": ["gradient_descent", "adam"], "momentum": {"low": 0.5, "high": 0.9}}, "momentum"),
    ],
)
def test_a_range_without_step_is_named(fields: dict[str, Any], name: str) -> None:
    endless = space(**fields)
    assert space_size(endless) is None
    assert enumerate_configurations(endless) is None
    with pytest.raises(UserError) as caught:
        grid_order(endless, 0)
    assert str(caught.value) == f"[space] {name}: the grid sampler requires choices or a step"


def test_a_grid_too_large_is_refused() -> None:
    with pytest.raises(UserError, match=r"has 12 configurations, but the grid sampler supports at most 10; use larger"):
        grid_order(space(learning_rate=[0.1, 0.2, 0.3], units=[1, 2, 3, 4]), 0, limit=10)


def test_the_order_is_a_shuffle_that_hangs_on_the_seed_alone() -> None:
    small = space(learning_rate=[0.1, 1.0], depth={"low": 0, "high": 2}, units=[2, 4, 8])
    settings = enumerate_configurations(small) or []
    first, again, other = grid_order(small, 0), grid_order(small, 0), grid_order(small, 1)
    assert first == again != other
    assert sorted(map(key, first)) == sorted(map(key, settings)) == sorted(map(key, other))
    assert first != settings
