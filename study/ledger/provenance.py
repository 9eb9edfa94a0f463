"""The provenance of a study: command, host and git commit, stored in the ledger."""

import socket
import subprocess
import sys
from pathlib import Path

from study.text.redaction import redact_command


def describe_origin(folder: Path) -> dict[str, str]:
    """Return command, host and, if the spec's folder is in a git repository, its commit."""
    program = Path(sys.argv[0]).name
    command = ["study" if program in ("cli.py", "__main__.py") else program, *sys.argv[1:]]
    origin = {
        "command": redact_command(command),
        "host": socket.gethostname(),
    }
    commit = _find_commit(folder)
    return origin | ({"git": commit} if commit else {})


def _find_commit(folder: Path) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), "rev-parse", "HEAD"],  # noqa: S607 - uses the git on the path
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
