"""Ranges of hyperparameters, for the argument `space` of a study."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Float:
    """A range of numbers, including both ends.

    Attributes:
        low: the smallest value.
        high: the largest value.
        log: whether values are drawn on a logarithmic scale; requires low above 0.
        step: draw low, low + step, low + 2 step, …; None draws any number in the range. Cannot be combined with log.

    >>> Float(1e-4, 1e-1, log=True)
    Float(low=0.0001, high=0.1, log=True, step=None)
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Int:
    """A range of whole numbers, including both ends.

    Attributes:
        low: the smallest value.
        high: the largest value.
        log: whether values are drawn on a logarithmic scale; requires low above 0.
        step: draw low, low + step, low + 2 step, …; None draws any whole number in the range. Cannot be combined with
            log.

    >>> Int(0, 3)
    Int(low=0, high=3, log=False, step=None)
    """

    low: int
    high: int
    log: bool = False
    step: int | None = None


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
