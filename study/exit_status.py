"""How a command reports its result: an exit code and, if the parent process asks for one, a status file.

A parent process sets the environment variable STUDY_STATUS_FILE to a path and reads from that file why its child ended.
It never has to parse the output of the child.
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
    FAULT = 1  # a fault of the program or the machine
    USER = 2  # a mistake that the user can correct
    INTERRUPTED = 130  # SIGINT or SIGTERM


class Cause(StrEnum):
    """Why a command ended, in more detail than the exit code."""

    DONE = "done"
    USER = "user"  # a mistake in a spec, data or arguments
    HELD = "held"  # the study is running in another process
    DATABASE = "database"  # the --storage database did not respond, or the connection was lost
    MACHINE = "machine"  # not enough disk space or memory, or no permission
    INTERRUPTED = "interrupted"
    FAULT = "fault"  # a bug in the program
    KILLED = "killed"  # killed by a signal; only a parent process can detect this


RETRYABLE = frozenset({Cause.HELD, Cause.DATABASE, Cause.INTERRUPTED, Cause.KILLED})
_CAUSES = {ExitCode.DONE: Cause.DONE, ExitCode.USER: Cause.USER, ExitCode.INTERRUPTED: Cause.INTERRUPTED}


@dataclass(frozen=True)
class ExitStatus:
    """How a command ended.

    Attributes:
        code: The exit code, or the negative number of the signal that killed the process.
        cause: Why the command ended.
        message: The reason and the remedy as the command printed them, without secrets.
    """

    code: int
    cause: Cause
    message: str = ""

    @property
    def retryable(self) -> bool:
        """Whether the same command may succeed later without any correction."""
        return self.cause in RETRYABLE

    @property
    def reason(self) -> str:
        """The message in one line, or how the process ended if there is no message."""
        if self.message:
            return " ".join(self.message.split("\n"))
        return f"killed by signal {-self.code}" if self.code < 0 else f"exited with code {self.code}"

    @classmethod
    def of_code(cls, code: int) -> "ExitStatus":
        """Return the status that can be inferred from an exit code only."""
        return cls(code, Cause.KILLED if code < 0 else _CAUSES.get(code, Cause.FAULT))  # type: ignore[call-overload]

    def plain(self) -> dict[str, str | int | bool]:
        """Return the status as a dictionary for JSON."""
        return asdict(self) | {"retryable": self.retryable}


def report(status: ExitStatus) -> None:
    """Write the status file atomically if a parent process asked for one."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):  # the parent process still gets the exit code
        temporary.write_text(json.dumps(status.plain()), encoding="utf-8")
        temporary.replace(path)


def is_reported() -> bool:
    """Return whether a parent process asked for a status file and it has been written."""
    return Path(os.environ.get(VARIABLE, "")).is_file()


def read_status(path: Path, code: int) -> ExitStatus:
    """Return how a child process ended.

    Args:
        path: The status file that the child was asked to write. The parent deletes it before it starts the child.
        code: The exit code of the child. If the file has another code, the child did not end as it reported, and the
            file is ignored.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        status = ExitStatus(int(found["code"]), Cause(found["cause"]), str(found["message"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ExitStatus.of_code(code)
    return status if status.code == code else ExitStatus.of_code(code)
