"""Ends of the ranges of a search space at which a trial lies, and wider ranges to search next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial
from pydantic import ValidationError

from study.spec import SpaceSpec

EDGE = 0.02  # of the width of a range, on its scale; a value that close to an end is at that end
GROWTH = 0.5  # of the width of a range, on its scale, by which it is widened
ATTEMPTS = 10  # each with half the growth, to find a wider range that is valid

End = Literal["low", "high"]


@dataclass(frozen=True)
class AtBound:
    """An end of a range in `[space]` at which a trial lies.

    Attributes:
        key: the key of `[space]`.
        end: which end of its range.
        value: the value of the trial.
        bound: the end of the range.
        wider: an end for a wider range.
    """

    key: str
    end: End
    value: float
    bound: float
    wider: float


def find_bounds(trial: FrozenTrial) -> tuple[AtBound, ...]:
    """Return the ends of ranges at which a trial lies, except those that cannot be moved, such as 0 hidden layers."""
    found: dict[tuple[str, End], AtBound] = {}
    for name, drawn in trial.distributions.items():
        if not isinstance(drawn, FloatDistribution | IntDistribution) or drawn.low == drawn.high:
            continue
        key = "units" if name.startswith("units_") else name
        value = trial.params[name]
        place = (_scaled(drawn, value) - _scaled(drawn, drawn.low)) / _width(drawn)
        ends: Sequence[tuple[End, bool]] = (("low", place <= EDGE), ("high", place >= 1 - EDGE))
        for end, is_there in ends:
            wider = _wider(key, drawn, end) if is_there and (key, end) not in found else None
            if wider is not None:
                found[key, end] = AtBound(key, end, value, getattr(drawn, end), wider)
    return tuple(found.values())


def _scaled(drawn: FloatDistribution | IntDistribution, value: float) -> float:
    return math.log(value) if drawn.log else value


def _width(drawn: FloatDistribution | IntDistribution) -> float:
    return _scaled(drawn, drawn.high) - _scaled(drawn, drawn.low)


def _wider(key: str, drawn: FloatDistribution | IntDistribution, end: End) -> float | None:
    """Return an end for a wider range; None if a range with another end would not be valid."""
    bound, sign, growth = getattr(drawn, end), -1 if end == "low" else 1, GROWTH * _width(drawn)
    for _ in range(ATTEMPTS):
        moved = _rounded(drawn, _scaled(drawn, bound) + sign * growth, bound)
        if sign * (moved - bound) > 0 and _is_valid(key, drawn, {end: moved}):
            return moved
        growth /= 2
    return None


def _rounded(drawn: FloatDistribution | IntDistribution, scaled: float, bound: float) -> float:
    """Return a value on the scale of a range as a number: whole, in steps from the bound, or with two digits."""
    value = math.exp(scaled) if drawn.log else scaled
    if drawn.step is not None and not drawn.log:
        away = math.copysign(math.ceil(round(abs(value - bound) / drawn.step, 6)), value - bound)
        value = round(bound + away * drawn.step, 12)
    if isinstance(drawn, IntDistribution):
        return round(value)
    return value if drawn.step is not None else float(f"{value:.2g}")


def _is_valid(key: str, drawn: BaseDistribution, moved: dict[str, float]) -> bool:
    """Return whether `[space]` accepts a range with a moved end."""
    ends = {"low": getattr(drawn, "low"), "high": getattr(drawn, "high")} | moved  # noqa: B009 - numeric ones have them
    required = {"learning_rate": 1.0, "iterations": 1, "depth": 1}
    try:
        SpaceSpec.model_validate(required | {key: ends | {"log": getattr(drawn, "log", False)}})
    except ValidationError:
        return False
    return True
