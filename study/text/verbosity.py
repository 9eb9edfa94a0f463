"""Messages of a command other than its result: records of the logger "study", whose level -v and -q select.

Progress and hints are INFO, problems are WARNING, and internals are DEBUG. The result of a command is printed instead
of logged. As a library, `study` prints none of these messages; configure the logger to see them.
"""

import inspect
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated

import typer

from study.errors import UserError
from study.text.printable import say

log = logging.getLogger("study")
PRINTER = "print_with"  # attribute of a record: the function that prints it, such as that of a console with a bar
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print more detail.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only results, warnings and errors.")]


class TerminalHandler(logging.Handler):
    """Print warnings (each only once) and debug messages to standard error, and the rest to standard output."""

    def __init__(self) -> None:
        super().__init__()
        self._warned: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record on one line."""
        text, printer = record.getMessage(), getattr(record, PRINTER, None)
        if record.levelno >= logging.WARNING:
            if text not in self._warned:
                say(f"study: {text}", error=True)
            self._warned.add(text)
        elif record.levelno < logging.INFO:
            say(f"{record.name}: {text}", error=True)
        elif printer is not None:
            printer(text)
        else:
            say(text)


def is_told() -> bool:
    """Return True if progress messages are shown."""
    return log.isEnabledFor(logging.INFO)


@contextmanager
def telling(level: int) -> Iterator[None]:
    """Print records of at least this level while the block runs."""
    handler, before = TerminalHandler(), log.level
    log.addHandler(handler)
    log.setLevel(level)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def with_verbosity(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the additional options -v and -q."""

    @wraps(command)
    def run(*given: object, verbose: bool = False, quiet: bool = False, **named: object) -> None:
        if verbose and quiet:
            raise UserError("--verbose and --quiet cannot be used together")
        with telling(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO):
            log.debug("Python %s, process %d", platform.python_version(), os.getpid())
            command(*given, **named)
            log.debug("took %.2f s of CPU time", time.process_time())

    added = {"verbose": VerboseOption, "quiet": QuietOption}
    signature = inspect.signature(command)
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in added.items()
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *parameters])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, **added}
    return run
