"""The commands in the documents that a test can run, and the reasons for skipping the others."""

import re
from pathlib import Path

from support.shell import sections

USAGE = {"commands.md"}  # generated from the command line: usage, not commands
INDEX = "it installs from a package index; .ci/run begins with `make check` in a clean clone, which does the same"
POSTGRES = "tests/study/test_operations.py runs it on a PostgreSQL of its own"
SERVER = "tests/study/test_operations.py runs it with a server of its own"
CLUSTER = "it needs machines of the reader's; tests/study/test_clusters.py runs the same on clusters of its own"
NOT_RUN = {
    ("README.md", "make test"): "it is what runs this test",
    ("tutorial.md", "make setup"): INDEX,
    ("tutorial.md", "source .venv/bin/activate"): "the tests' shell is as it is after that",
    ("home.md", "git pull"): "it needs the repository that the reader cloned",
    ("home.md", "make setup"): INDEX,
    ("tracking.md", "study ui tumors --optuna"): "tests/study/test_dashboard.py serves a study so, and looks at it",
    ("operations.md", "pip install"): INDEX,
    ("operations.md", "createdb"): POSTGRES,
    ("operations.md", "pg_dump"): POSTGRES,
    ("operations.md", "pg_restore"): POSTGRES,
    ("operations.md", "export STUDY_STORAGE="): POSTGRES,
    ("operations.md", "study run experiments/digits.toml --backend"): CLUSTER,
    ("operations.md", "mlflow db upgrade"): SERVER,
    ("operations.md", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server"): SERVER,
    ("operations.md", "export MLFLOW_TRACKING_URI="): SERVER,
    ("operations.md", "dask"): CLUSTER,
    ("operations.md", "ray start"): CLUSTER,
    ("service.md", "STUDY_STORAGE="): "tests/study/test_service_shared.py runs it on a PostgreSQL of its own",
    ("service-deployment.md", "podman run"): "it needs podman, and an image that was built",
    (
        "service-deployment.md",
        "study serve",
    ): "its token is in /etc; tests/study/test_service_server.py has one in a folder",
}


def runnable(page: Path) -> dict[str, list[str]]:
    """Return the commands of each section of a page that a test can run."""
    found = {}
    for heading, wanted in sections(page).items():
        kept = [command for command in wanted if not _why_not(page, command)]
        if kept:
            found[heading] = kept
    return found


def python_blocks(page: Path) -> list[str]:
    """Return the Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def _why_not(page: Path, command: str) -> list[str]:
    return [reason for (name, start), reason in NOT_RUN.items() if page.name == name and command.startswith(start)]


def with_fewer_iterations(commands: list[str]) -> list[str]:
    """Return the commands, with a spec of `study init` changed before it is run: a tenth of the iterations.

    The number of trials and the lines of output stay the same, but this saves most of the time.
    """
    found = []
    for command in commands:
        match = re.match(r"study run (\S+\.toml)", command)
        if match and not any("FEWER" in each and match[1] in each for each in found):
            change = "s/low = 200, high = 2000, step = 200/low = 20, high = 200, step = 20/"
            found.append(f"sed --in-place '{change}' {match[1]}; grep --quiet 'high = 200,' {match[1]}  # FEWER")
        found.append(command)
    return found
