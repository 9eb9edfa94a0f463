"""Command lines of `study` for messages, quoted so that they can be pasted into a shell."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from study.text.redaction import redact_address

_PLACES = ("home", "storage", "server", "token_file")  # options that determine where studies are stored
_given: ContextVar[tuple[str, ...]] = ContextVar("given", default=())


def command(*words: object) -> str:
    """Return a command line of `study` for stored text, such as a report, MLflow, or a response of the service.

    Args:
        words: arguments of `study`.
    """
    return shlex.join(["study", *map(str, words)])


def next_command(*words: object) -> str:
    """Return a command line of `study` for the output of the running command.

    The running command's options that determine where studies are stored are appended, without a password.
    """
    return command(*words, *_given.get())


def is_place_given() -> bool:
    """Return True if the running command has an option that determines where studies are stored."""
    return bool(_given.get())


@contextmanager
def running_with(options: Mapping[str, object]) -> Iterator[None]:
    """While the block runs, make `next_command` append those of these options that determine the place.

    Args:
        options: values of the running command's options, by parameter name.
    """
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
