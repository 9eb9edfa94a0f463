"""The errors that a user sees: what is wrong, where, and what would be right.

Raised anywhere in `study`, printed by the command line as one or two lines: a mistake of the user's with exit code 2,
what the machine refuses with 1.
"""

import difflib
import errno
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from study.exit_status import Cause, ExitCode

_REMEDIES = {
    "make room there": (errno.ENOSPC, errno.EDQUOT),
    "raise the limit on the size of files (ulimit -f)": (errno.EFBIG,),
    "make it writable": (errno.EACCES, errno.EPERM, errno.EROFS),
    "raise the limit on open files (ulimit -n)": (errno.EMFILE, errno.ENFILE),
    "free some memory": (errno.ENOMEM,),
}


class UserError(Exception):
    """A mistake in what the user gave (spec, data, arguments); the message names place, value and remedy."""

    cause: ClassVar[Cause] = Cause.USER
    exit_code: ClassVar[ExitCode] = ExitCode.USER


class StudyHeldError(UserError):
    """Another process runs the study; the message names it."""

    cause = Cause.HELD


class DatabaseRefusedError(UserError):
    """The database of --storage refuses, or does not answer; the message names its address, reason and remedy."""

    cause = Cause.DATABASE


class DataWarning(UserWarning):
    """Cells that change what a model answers, such as text in a column of numbers, which counts as missing."""


class MachineError(Exception):
    """The machine refused what a run needs, such as room for a file; the message names place, reason and remedy."""

    cause: ClassVar[Cause] = Cause.MACHINE
    exit_code: ClassVar[ExitCode] = ExitCode.FAULT


class DatabaseLostError(MachineError):
    """The database of --storage was lost on the way; what is finished is kept."""

    cause = Cause.DATABASE


def explain_os_error(error: OSError, place: Path) -> str:
    """Return what the machine refused: place (that of the error, where it names one), reason and remedy."""
    remedy = next((words for words, numbers in _REMEDIES.items() if error.errno in numbers), "mend that")
    return f"{error.filename or place}: {error.strerror or error}; {remedy}"


@contextmanager
def kept_in(place: Path) -> Iterator[None]:
    """Run a block that writes to a study's home.

    Raises:
        MachineError: in place of an OSError, which says neither where nor what to do.
    """
    try:
        yield
    except OSError as error:
        said = explain_os_error(error, place)
        raise MachineError(f"{said}, then the same command goes on from here.\nNothing finished is lost.") from error


def needs_package(what: str, package: str, or_else: str = "") -> UserError:
    """Return the error that something needs a package that is not installed.

    Args:
        what: needs it.
        package: as pip takes it.
        or_else: another way, said after the command.
    """
    remedy = f"`pip install {shlex.quote(package)}`{f', {or_else}' if or_else else ''}"
    return UserError(f"{what} needs {package.partition('[')[0]}; run {remedy}")


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return a remedy that names the nearest valid name, or all of them where none is near."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "one of " + ", ".join(names)
