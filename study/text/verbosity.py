"""What a command says beside its answer: records of the logger "study", shown by -v and -q as much as is wanted.

Progress and hints are INFO, what should worry a person is WARNING, what happens within is DEBUG. A command's answer is
printed and no record; as a library `study` prints nothing of this, and who uses it sets the logger up.
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
PRINTER = "print_with"  # a record's attribute: what prints it, such as the console that shows a bar
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print more detail.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only results, warnings and errors.")]


class TerminalHandler(logging.Handler):
    """Shows records in a terminal: warnings on standard error, each once, and others where the answer is."""

    def __init__(self) -> None:
        super().__init__()
        self._warned: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as a line."""
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
    """Return whether progress is shown."""
    return log.isEnabledFor(logging.INFO)


@contextmanager
def telling(level: int) -> Iterator[None]:
    """Show records from a level on while the block runs."""
    handler, before = TerminalHandler(), log.level
    log.addHandler(handler)
    log.setLevel(level)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def with_verbosity(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has -v and -q, too."""

    @wraps(command)
    def run(*given: object, verbose: bool = False, quiet: bool = False, **named: object) -> None:
        if verbose and quiet:
            raise UserError("--verbose --quiet: one of them says more and one less; take one")
        with telling(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO):
            log.debug("Python %s, process %d", platform.python_version(), os.getpid())
            command(*given, **named)
            log.debug("took %.2f s of a processor", time.process_time())

    added = {"verbose": VerboseOption, "quiet": QuietOption}
    signature = inspect.signature(command)
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in added.items()
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *parameters])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, **added}
    return run
