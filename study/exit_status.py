"""What a command ends with: an exit code for everybody, and a status file for a parent process that asks for one.

A parent names the file in the variable STUDY_STATUS_FILE. It reads what ended its child from there, and takes no
decision on what the child printed.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from pathlib import Path

VARIABLE = "STUDY_STATUS_FILE"


class ExitCode(IntEnum):
    """The exit codes of `study`."""

    DONE = 0
    FAULT = 1  # of the program or the machine
    USER = 2  # the user's to correct
    INTERRUPTED = 130  # by SIGINT or SIGTERM


class Cause(StrEnum):
    """What ended a command, where the exit code does not say enough."""

    DONE = "done"
    USER = "user"  # a mistake in a spec, data or arguments
    HELD = "held"  # another process runs the study
    DATABASE = "database"  # the database of --storage does not answer, or was lost
    MACHINE = "machine"  # no room, no memory, no permission
    INTERRUPTED = "interrupted"
    FAULT = "fault"  # of the program
    KILLED = "killed"  # by a signal; only a parent can know


RETRYABLE = frozenset({Cause.HELD, Cause.DATABASE, Cause.INTERRUPTED, Cause.KILLED})
_CAUSES = {ExitCode.DONE: Cause.DONE, ExitCode.USER: Cause.USER, ExitCode.INTERRUPTED: Cause.INTERRUPTED}


@dataclass(frozen=True)
class ExitStatus:
    """How a command ended.

    Attributes:
        code: the exit code; negative for the signal that killed the process.
        cause: what ended it.
        message: the reason and the remedy, as the command printed them; without secrets.
    """

    code: int
    cause: Cause
    message: str = ""

    @property
    def retryable(self) -> bool:
        """Whether the same command may succeed later, with nothing corrected."""
        return self.cause in RETRYABLE

    @property
    def reason(self) -> str:
        """The message in one line; where there is none, how the process ended."""
        if self.message:
            return " ".join(self.message.split("\n"))
        return f"was ended by signal {-self.code}" if self.code < 0 else f"ended with exit code {self.code}"

    @classmethod
    def of_code(cls, code: int) -> "ExitStatus":
        """Return what an exit code alone says."""
        return cls(code, Cause.KILLED if code < 0 else _CAUSES.get(code, Cause.FAULT))  # type: ignore[call-overload]

    def plain(self) -> dict[str, str | int | bool]:
        """Return it for JSON."""
        return asdict(self) | {"retryable": self.retryable}


def report(status: ExitStatus) -> None:
    """Write the status file, whole or not at all, where a parent process asked for one."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):  # the exit code is left
        temporary.write_text(json.dumps(status.plain()), encoding="utf-8")
        temporary.replace(path)


def is_reported() -> bool:
    """Return whether a parent process asked for a status file and has one."""
    return Path(os.environ.get(VARIABLE, "")).is_file()


def read_status(path: Path, code: int) -> ExitStatus:
    """Return how a child process ended.

    Args:
        path: the status file that it was asked for, deleted before it began.
        code: its exit code; one that the file does not have means that the file was not the child's last word.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        status = ExitStatus(int(found["code"]), Cause(found["cause"]), str(found["message"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ExitStatus.of_code(code)
    return status if status.code == code else ExitStatus.of_code(code)
