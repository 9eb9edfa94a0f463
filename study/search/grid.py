"""The distinct configurations of a finite space: how many, which, and in what order a grid tries them.

`search_space.suggest` itself is driven through all its answers, so the conditions of a space are written once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from study.errors import UserError
from study.search.search_space import suggest
from study.spec import SpaceSpec
from study.spec.parameters import ParameterValue
from study.text.formatting import counted

LIMIT = 10_000  # configurations that are listed; more are only counted
_ORDER = 3  # spawn key of the order's seed; the seeds of samplers and networks have 1 and 2


def space_size(space: SpaceSpec) -> int | None:
    """Return how many distinct configurations there are; None where a float range has no step."""
    try:
        return _count(space, (), {})
    except _EndlessError:
        return None


def enumerate_configurations(space: SpaceSpec, limit: int = LIMIT) -> list[dict[str, ParameterValue]] | None:
    """Return all distinct configurations in a fixed order, as drawn; None where they are endless, or over `limit`."""
    size = space_size(space)
    return None if size is None or size > limit else list(_configurations(space))


def grid_order(space: SpaceSpec, seed: int, limit: int = LIMIT) -> list[dict[str, ParameterValue]]:
    """Return all distinct configurations, as drawn, in the order a grid tries them: shuffled by the study's seed.

    A study that ends early has then seen all corners of the space.

    Raises:
        UserError: a range has no step, or there are more configurations than `limit`.
    """
    try:
        size = _count(space, (), {})
    except _EndlessError as endless:
        raise UserError(f"[space] {endless.name}: the grid sampler needs choices or a step") from None
    if size > limit:
        raise UserError(
            f"[space] has {counted(size, 'configuration')}, but the grid sampler supports at most {limit:,}; "
            "use larger steps, fewer choices or another sampler"
        )
    configurations = list(_configurations(space))
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER,))).permutation(len(configurations))
    return [configurations[index] for index in order]


class _EndlessError(Exception):
    """A float range without step, by the name of its parameter."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class _Steps:
    """The values low, low + step, … of a float range, computed as Optuna computes them."""

    low: float
    high: float
    step: float
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> float:
        return min(index * self.step + self.low, self.high)


_Choices = range | _Steps | tuple[ParameterValue, ...]
_Draw = tuple[str, _Choices]


class _Walk(FixedTrial):
    """A trial that answers each suggestion with the choice that an odometer's digit shows, or the first."""

    def __init__(self, digits: tuple[int, ...]) -> None:
        super().__init__({})
        self.digits = list(digits)
        self.draws: list[_Draw] = []

    def _suggest(self, name: str, distribution: BaseDistribution) -> ParameterValue:
        choices = _choices(name, distribution)
        if len(self.draws) == len(self.digits):
            self.digits.append(0)
        value = choices[self.digits[len(self.draws)]]
        self.draws.append((name, choices))
        self._suggested_params[name] = value
        return value


def _choices(name: str, distribution: BaseDistribution) -> _Choices:
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"{name}: unsupported distribution {distribution}")
    if distribution.step is None:
        if distribution.single():
            return (distribution.low,)
        raise _EndlessError(name)
    size = round((distribution.high - distribution.low) / distribution.step) + 1
    return _Steps(distribution.low, distribution.high, distribution.step, size)


def _walk(space: SpaceSpec, digits: tuple[int, ...]) -> _Walk:
    walk = _Walk(digits)
    suggest(walk, space)
    return walk


def _configurations(space: SpaceSpec) -> Iterator[dict[str, ParameterValue]]:
    """Yield each configuration, as drawn; the last draw changes fastest."""
    digits: tuple[int, ...] | None = ()
    while digits is not None:
        walk = _walk(space, digits)
        yield dict(walk.params)
        digits = _next(walk)


def _next(walk: _Walk) -> tuple[int, ...] | None:
    """Return the digits after those of a walk, or None after the last."""
    for position in range(len(walk.digits) - 1, -1, -1):
        if walk.digits[position] + 1 < len(walk.draws[position][1]):
            return (*walk.digits[:position], walk.digits[position] + 1)
    return None


def _count(space: SpaceSpec, digits: tuple[int, ...], known: dict[tuple[_Draw, ...], int]) -> int:
    """Return the number of configurations that begin with `digits`, without listing them.

    Choices after which the same draws follow lead to equally many configurations, so one of them is counted for all;
    `known` keeps what was counted, by the draws that follow.
    """
    following = _following(space, digits)
    if not following:
        return 1
    if following not in known:
        choices = following[0][1]
        groups: dict[tuple[_Draw, ...], list[int]] = {}
        for index in _to_look_at(space, digits, choices):
            groups.setdefault(_following(space, (*digits, index)), []).append(index)
        if len(groups) == 1:  # the value does not matter to what follows
            known[following] = len(choices) * _count(space, (*digits, 0), known)
        else:
            known[following] = sum(
                len(indices) * _count(space, (*digits, indices[0]), known) for indices in groups.values()
            )
    return known[following]


def _following(space: SpaceSpec, digits: tuple[int, ...]) -> tuple[_Draw, ...]:
    return tuple(_walk(space, digits).draws[len(digits) :])


def _to_look_at(space: SpaceSpec, digits: tuple[int, ...], choices: _Choices) -> range | list[int]:
    """Return the choices to compare: of a range the ends and the middle suffice, where they lead to the same draws.

    It holds for conditions that a number switches on or off once, as depth does with the units of a layer.
    """
    everything = range(len(choices))
    if isinstance(choices, tuple) or len(choices) <= 3:
        return everything
    probes = [0, len(choices) // 2, len(choices) - 1]
    return probes if len({_following(space, (*digits, index)) for index in probes}) == 1 else everything
