"""Commands as they are printed: a shell takes each word as it was, whatever is in it."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from study.text.redaction import redact_address

_PLACES = ("home", "storage", "server", "token_file")  # options that say where studies are
_given: ContextVar[tuple[str, ...]] = ContextVar("given", default=())


def command(*words: object) -> str:
    """Return a command line of `study` for a text that is kept: a report, MLflow, an answer of the service.

    words: what follows `study`.
    """
    return shlex.join(["study", *map(str, words)])


def next_command(*words: object) -> str:
    """Return a command line of `study` for who reads what the running command prints.

    The options with which that command was told where studies are come after the words; a password is left out.
    """
    return command(*words, *_given.get())


def is_place_given() -> bool:
    """Whether the running command was told where studies are."""
    return bool(_given.get())


@contextmanager
def running_with(options: Mapping[str, object]) -> Iterator[None]:
    """Have next commands name the place that is among the options (by parameter's name) of the running command."""
    words: list[str] = []
    for name in _PLACES:
        value = options.get(name)
        if value is not None:
            shown = redact_address(str(value)) if name == "storage" else str(value)
            words += [f"--{name.replace('_', '-')}", shown]
    token = _given.set(tuple(words))
    try:
        yield
    finally:
        _given.reset(token)
