"""The commands in the documents, and functions to run them unchanged in a folder."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from support import forking

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PROGRAMS = (
    *("cd", "createdb", "curl", "dask", "export", "git", "head", "make", "mkdir", "mlflow", "mv", "openssl", "pg_dump"),
    *("pip", "podman", "psql", "python", "ray", "rm", "study", "sudo", "systemctl"),
)
# A command that serves until Ctrl-C is started in the background. Once it prints how to stop it, it is stopped in that
# way: `study ui` immediately, `study serve` when the script ends. Scripts with such commands therefore run to their
# end.
PRELUDE = """set -e
begin() {
  "$@" > served.txt 2>&1 &
  until grep --quiet "Ctrl-C" served.txt; do kill -0 $! || { cat served.txt >&2; return 1; }; sleep 0.1; done
  cat served.txt
}
study() {
  case "$1" in
    ui) begin env study "$@"; kill -INT $!; wait $! ;;
    serve) begin env study "$@"; trap "kill -INT $!; wait $!" EXIT ;;
    *) env study "$@" ;;
  esac
}
"""


def sections(page: Path) -> dict[str, list[str]]:
    """Return the commands of each section of a page by heading, in order; sections without commands are omitted.

    Commands are in bash blocks, after `$ ` in console blocks, or in indented blocks that start with the name of a
    program. A command that spans several lines (a backslash, a here-document) is one command.
    """
    found: dict[str, list[str]] = {}
    heading, fence, indented = "", "", False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fence = "" if fence else line.strip("`") or "text"
            indented = False
        elif fence == "bash":
            _add(found.setdefault(heading, []), line)
        elif fence == "console" and line.startswith("$ "):
            _add(found.setdefault(heading, []), line.removeprefix("$ "))
        elif not fence and line.startswith("#"):
            heading = line.strip("# ")
        elif not fence:
            indented = line.startswith("    ") and (indented or _is_command(line))
            if indented:
                _add(found.setdefault(heading, []), line[4:])
    return found


def _is_command(line: str) -> bool:
    words = [word for word in line.split() if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    return bool(words) and words[0] in PROGRAMS


def _add(commands: list[str], line: str) -> None:
    """Add a line to the commands, or to the last command if it continues."""
    last = commands[-1] if commands else ""
    opened = re.search(r"<<-?\s*'?(\w+)'?", last)
    if last.endswith("\\") or (opened and not last.endswith(f"\n{opened[1]}")):
        commands[-1] += f"\n{line}"
    elif line.strip():
        commands.append(line)


def commands(page: Path) -> list[str]:
    """Return all commands of a page in order."""
    return [command for section in sections(page).values() for command in section]


def shown(page: Path) -> list[str]:
    """Return the lines of all ```text blocks of a page."""
    blocks = re.findall(r"^```text\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def mentioned(page: Path, program: str) -> list[str]:
    """Return the words after a program wherever it is mentioned in text or a table, as in `study show NAME`."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(rf"`{program} ([a-z][^`]*)`", text)


def run_script(text: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a bash script in a folder, as after `source .venv/bin/activate`, and end what it leaves running.

    Its `study` command is a process that support/forking.py forks.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "STUDY_"))}
    path = os.pathsep.join([str(forking.PROGRAMS), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = kept | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"} | variables
    with forking.serving_scripts(variables) as server:
        process = subprocess.Popen(
            ["bash", "-c", PRELUDE + text],
            cwd=folder,
            env=environment | server,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=400)
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing is left running
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
