"""The distinct configurations of a finite space: their number, and the order in which a grid tries them.

They are enumerated by calling `search_space.suggest` with every choice, so the conditions of a space are defined in one
place.
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

LIMIT = 10_000  # maximum number of configurations to list; larger spaces are only counted
_ORDER = 3  # spawn key of the order's seed; the seeds of samplers and networks use 1 and 2


def space_size(space: SpaceSpec) -> int | None:
    """Return the number of distinct configurations; None if a float range has no step."""
    try:
        return _count(space, (), {})
    except _EndlessError:
        return None


def enumerate_configurations(space: SpaceSpec, limit: int = LIMIT) -> list[dict[str, ParameterValue]] | None:
    """Return the parameters of all distinct configurations in a fixed order; None if more than `limit` or infinite."""
    size = space_size(space)
    return None if size is None or size > limit else list(_configurations(space))


def grid_order(space: SpaceSpec, seed: int, limit: int = LIMIT) -> list[dict[str, ParameterValue]]:
    """Return the parameters of all distinct configurations in the order of a grid: shuffled by the study's seed.

    Shuffling lets a study that ends early cover the whole space.

    Raises:
        UserError: a range has no step, or there are more than `limit` configurations.
    """
    try:
        size = _count(space, (), {})
    except _EndlessError as endless:
        raise UserError(f"[space] {endless.name}: the grid sampler requires choices or a step") from None
    if size > limit:
        raise UserError(
            f"[space] has {counted(size, 'configuration')}, but the grid sampler supports at most {limit:,}; "
            "use larger steps, fewer choices or another sampler"
        )
    configurations = list(_configurations(space))
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER,))).permutation(len(configurations))
    return [configurations[index] for index in order]


class _EndlessError(Exception):
    """Raised for a float range without a step; `name` is its parameter."""

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
    """A trial that returns for each suggestion the choice that its digit selects, or else the first one."""

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
    """Yield the parameters of each configuration; the last parameter varies fastest."""
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
    """Return the number of configurations that start with `digits`, without listing them.

    Choices that are followed by the same draws lead to the same number of configurations, so only one of them is
    counted. `known` caches the counts by the draws that follow.
    """
    following = _following(space, digits)
    if not following:
        return 1
    if following not in known:
        choices = following[0][1]
        groups: dict[tuple[_Draw, ...], list[int]] = {}
        for index in _to_compare(space, digits, choices):
            groups.setdefault(_following(space, (*digits, index)), []).append(index)
        if len(groups) == 1:  # what follows does not depend on the value
            known[following] = len(choices) * _count(space, (*digits, 0), known)
        else:
            known[following] = sum(
                len(indices) * _count(space, (*digits, indices[0]), known) for indices in groups.values()
            )
    return known[following]


def _following(space: SpaceSpec, digits: tuple[int, ...]) -> tuple[_Draw, ...]:
    return tuple(_walk(space, digits).draws[len(digits) :])


def _to_compare(space: SpaceSpec, digits: tuple[int, ...], choices: _Choices) -> range | list[int]:
    """Return the choices to compare: only the ends and the middle of a range if they lead to the same draws.

    This is valid if a number switches a condition on or off only once, as depth does for the units of a layer.
    """
    everything = range(len(choices))
    if isinstance(choices, tuple) or len(choices) <= 3:
        return everything
    probes = [0, len(choices) // 2, len(choices) - 1]
    return probes if len({_following(space, (*digits, index)) for index in probes}) == 1 else everything
