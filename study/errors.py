"""The one error that a user sees: what is wrong, where, and what would be right.

Raised anywhere in `study`, printed by the command line as one or two lines with exit code 2.
"""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user gave (spec, data, arguments); the message names place, value and remedy."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return a remedy that names the nearest valid name, or all of them where none is near."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "one of " + ", ".join(names)
