"""Ranges of hyperparameters, for the argument `space` of a study."""

from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from study.errors import ArgumentError
from study.spec import Range, first_reason
from study.spec.space import check_whole


@dataclass(frozen=True)
class Float:
    """A range of numbers, including both ends.

    Attributes:
        low: the smallest value.
        high: the largest value.
        log: whether values are drawn on a logarithmic scale; requires low above 0.
        step: draw low, low + step, low + 2 step, …; None draws any number in the range. Cannot be combined with log.

    Raises:
        ArgumentError: low is above high, an end is not a finite number, or log and step are given together.

    >>> Float(1e-4, 1e-1, log=True)
    Float(low=0.0001, high=0.1, log=True, step=None)
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class Int:
    """A range of whole numbers, including both ends.

    Attributes:
        low: the smallest value.
        high: the largest value.
        log: whether values are drawn on a logarithmic scale; requires low above 0.
        step: draw low, low + step, low + 2 step, …; None draws any whole number in the range. Cannot be combined with
            log.

    Raises:
        ArgumentError: as for `Float`, or a number is not whole.

    >>> Int(0, 3)
    Int(low=0, high=3, log=False, step=None)
    """

    low: int
    high: int
    log: bool = False
    step: int | None = None

    def __post_init__(self) -> None:
        _check(self)


def range_keys(spread: Float | Int) -> dict[str, object]:
    """Return a range as the keys that a spec uses for it.

    >>> range_keys(Int(0, 3))
    {'low': 0, 'high': 3}
    """
    keys: dict[str, object] = {"low": spread.low, "high": spread.high}
    if spread.log:
        keys["log"] = True
    if spread.step is not None:
        keys["step"] = spread.step
    return keys


def _check(spread: Float | Int) -> None:
    """Check a range by the rules that a spec has for one.

    Raises:
        ArgumentError: it breaks one of them.
    """
    name = type(spread).__name__
    if not isinstance(spread.log, bool | np.bool_):
        raise ArgumentError(f"{name}: log must be True or False, got {spread.log!r}; to set a step, use step=")
    keys = {key: value.item() if isinstance(value, np.generic) else value for key, value in range_keys(spread).items()}
    try:
        found = Range.model_validate(keys)
        if isinstance(spread, Int):
            check_whole(name, found)
    except ValueError as error:
        reason = first_reason(error) if isinstance(error, ValidationError) else str(error)
        raise ArgumentError(f"{name}: {reason.removeprefix(f'{name} ')}") from None
