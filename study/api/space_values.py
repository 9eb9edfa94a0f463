"""Values of the argument `space` that other libraries have for ranges, and how they are written here."""

import os
from collections.abc import Mapping

import numpy as np

from study.api.ranges import Float, Int, range_keys
from study.errors import ArgumentError
from study.spec.other_names import find_name

_PLAIN = (str, int, float, np.generic, np.ndarray, list, tuple, range, Mapping, Float, Int, os.PathLike)
_REMEDY = "use Float(low, high), Int(low, high), or a list of choices"
_LOG = ("learning_rate", "l2")


def check_space(space: object) -> None:
    """Check that each value is a range, a list of choices, or a fixed value.

    Raises:
        ArgumentError: one is a range as another library writes it; the message has the right spelling.
    """
    if callable(space):
        raise ArgumentError('space: must be a dict, such as {"depth": Int(0, 3)}, got a function')
    if not isinstance(space, Mapping):
        return
    for name, value in space.items():
        remedy = _find_remedy(str(name), value)
        if remedy:
            raise ArgumentError(f'space["{name}"]: {remedy}')


def check_names(**given: object) -> None:
    """Check that arguments that take a name, or several, are not given an Optuna object or a function.

    Raises:
        ArgumentError: one is; the message has the name, where there is one.
    """
    for argument, value in given.items():
        if value is None or isinstance(value, str | list | tuple):
            continue
        kind = value.__name__ if isinstance(value, type) else type(value).__name__
        remedy = find_name(argument, kind)
        if argument == "metric" and callable(value):
            remedy = "register it with engine.register_metric and pass its name"
        raise ArgumentError(f"{argument}: must be a name, got {kind}" + (f"; {remedy}" if remedy else ""))


def _find_remedy(name: str, value: object) -> str:
    """Return how a value should be written; "" if it is already right."""
    if isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value)):
        return (
            f"a tuple may be a range or two choices, got {value!r}; use {_range_of(name, *value)}, or {list(value)!r}"
        )
    if value is None or isinstance(value, _PLAIN):
        return ""
    kind = type(value).__name__
    if callable(value):
        return f"must be a range, a list or a fixed value, got a function; {_REMEDY}"
    if type(value).__module__.startswith("optuna."):
        spelled = _of_distribution(value)
        return f"got Optuna's {kind}; use {spelled}" if spelled else f"got Optuna's {kind}; {_REMEDY}"
    return f"must be a range, a list or a fixed value, got {kind}; {_REMEDY}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _range_of(name: str, low: float, high: float) -> str:
    whole = isinstance(low, int | np.integer) and isinstance(high, int | np.integer)
    log = ", log=True" if name in _LOG and low > 0 else ""
    return f"{'Int' if whole else 'Float'}({low}, {high}{log})"


def _of_distribution(value: object) -> str:
    """Return an Optuna distribution as it is written here; "" for any other value."""
    choices = getattr(value, "choices", None)
    if choices is not None:
        return repr(list(choices))
    keys = {key: getattr(value, key, None) for key in ("low", "high", "log", "step")}
    if keys["low"] is None or keys["high"] is None:
        return ""
    make = Int if isinstance(keys["low"], int) else Float
    step = None if keys["log"] or (make is Int and keys["step"] == 1) else keys["step"]
    given = range_keys(make(keys["low"], keys["high"], bool(keys["log"]), step))
    ends = f"{given.pop('low')}, {given.pop('high')}"
    return f"{make.__name__}({', '.join([ends, *(f'{key}={each}' for key, each in given.items())])})"
