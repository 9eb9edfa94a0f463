"""Deprecated names of arguments and attributes, which work for one more version with a DeprecationWarning."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def warn_of_name(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a name is deprecated."""
    warnings.warn(f"{old} is deprecated; use {new}", DeprecationWarning, stacklevel=stacklevel)


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that still accepts the old names of keyword arguments, as in `renamed(old="new")`.

    If a Boolean now means the opposite, the new name is prefixed with "not ".
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(kwargs)
            for old in [name for name in names if name in given]:
                opposite, new = names[old].startswith("not "), names[old].removeprefix("not ")
                warn_of_name(f"{old}=", f"{new}=")
                given[new] = not given.pop(old) if opposite else given.pop(old)
            return function(*args, **given)

        return call

    return decorate
