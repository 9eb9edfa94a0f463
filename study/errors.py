"""Errors that a user sees. Each message says what is wrong, where, and how to fix it.

Any part of `study` may raise them. The command line prints them in one or two lines and exits with code 2 for a user's
mistake or 1 for a failure of the machine.
"""

import difflib
import errno
import shlex
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import currentframe
from pathlib import Path
from typing import ClassVar

from study.exit_status import Cause, ExitCode

_REMEDIES = {
    "free some space there": (errno.ENOSPC, errno.EDQUOT),
    "raise the file size limit (ulimit -f)": (errno.EFBIG,),
    "make it writable": (errno.EACCES, errno.EPERM, errno.EROFS),
    "raise the open file limit (ulimit -n)": (errno.EMFILE, errno.ENFILE),
    "free some memory": (errno.ENOMEM,),
}


class UserError(Exception):
    """A mistake in the user's spec, data or arguments. The message names the place, the value and the remedy."""

    cause: ClassVar[Cause] = Cause.USER
    exit_code: ClassVar[ExitCode] = ExitCode.USER


class ArgumentError(UserError, ValueError):
    """An argument of a Python function has a value that breaks a rule. The message names the argument."""


class StudyHeldError(UserError):
    """The study is already running in another process, which the message names."""

    cause = Cause.HELD


class DatabaseRefusedError(UserError):
    """The --storage database refused the connection or did not respond; the message names the address and a remedy."""

    cause = Cause.DATABASE


class OpenedTestSetError(UserError):
    """The test set has already been opened; the message says how to open it again.

    Args:
        what: the first half of the message: whose test set, when, and its score.
        again: the command or argument that opens it again.
    """

    def __init__(self, what: str, again: str) -> None:
        super().__init__(
            f"{what};\n{again} opens the test set once more, but the score is then no longer that of an "
            "untouched test set"
        )
        self.what = what


class DataWarning(UserWarning):
    """A warning about rows, cells or columns of a table that are not used, or that make results misleading."""


class MachineError(Exception):
    """The machine could not provide what a run needs, such as disk space. The message names the place and remedy."""

    cause: ClassVar[Cause] = Cause.MACHINE
    exit_code: ClassVar[ExitCode] = ExitCode.FAULT


class DatabaseLostError(MachineError):
    """The connection to the --storage database was lost during a run. Finished work is kept."""

    cause = Cause.DATABASE


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that is not empty, or the name of its class if there is none."""
    lines = (line.strip() for line in f"{error}".splitlines())
    return next((line for line in lines if line), type(error).__name__)


def explain_os_error(error: OSError, place: Path) -> str:
    """Return a message with the place, the reason and the remedy; `place` is used if the error names no file."""
    remedy = next((remedy for remedy, numbers in _REMEDIES.items() if error.errno in numbers), "fix this")
    return f"{error.filename or place}: {error.strerror or error}; {remedy}"


@contextmanager
def kept_in(place: Path) -> Iterator[None]:
    """Run a block that writes to a study's home, and turn an OSError into an error with a place and a remedy.

    Raises:
        MachineError: If the block raises an OSError.
    """
    try:
        yield
    except OSError as error:
        reason = explain_os_error(error, place)
        raise MachineError(f"{reason}, then rerun the command to resume.\nNo finished work is lost.") from error


def needs_package(what: str, package: str, or_else: str = "") -> UserError:
    """Return the error for a required package that is not installed.

    Args:
        what: What requires the package.
        package: The requirement to pass to pip.
        or_else: An alternative to the installation, added to the end of the message.
    """
    remedy = f"`pip install {shlex.quote(package)}`{f', {or_else}' if or_else else ''}"
    return UserError(f"{what} requires {package.partition('[')[0]}, which is not installed; install it with {remedy}")


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return a remedy that suggests the closest valid name, or lists all of them if none is close."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "available: " + ", ".join(names)


def warn_user(messages: Iterable[str]) -> None:
    """Issue data warnings at the line outside this package that is being run."""
    frame, level = currentframe(), 1
    while frame is not None and frame.f_code.co_filename.startswith(f"{Path(__file__).parent}/"):
        frame, level = frame.f_back, level + 1
    for message in messages:
        warnings.warn(message, DataWarning, stacklevel=level)
