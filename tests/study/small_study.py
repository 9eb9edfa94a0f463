"""A small study that runs in seconds, and the command line in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SMALL = """
name = "small"
description = "A flower in the plane: a study of seconds."
[data]
source = "synthetic:planar_flower"
split = [0.6, 0.2, 0.2]
seed = 0
[space]
learning_rate = { low = 1e-2, high = 2.0, log = true }
iterations    = { low = 50, high = 200, step = 50 }
depth         = { low = 0, high = 2 }
units         = { low = 2, high = 8, log = true }
activation    = ["relu", "tanh"]
[search]
trials = 12
in_flight = 4
metric = "accuracy"
"""

# So many trials that it is met while it runs, however late one looks; the first of them are those of SMALL.
ENDLESS = SMALL.replace("trials = 12", "trials = 400")

Study = Callable[..., "subprocess.CompletedProcess[str]"]


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "STUDY_"))}
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "COLUMNS": "100"}


def run_study(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command as a user does; its output is text."""
    command = [sys.executable, "-m", "study.cli", *map(str, arguments)]
    options.setdefault("env", environment())
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


def show(home: Path, name: str = "small") -> dict[str, Any]:
    done = run_study("show", name, "--json", "--home", home)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def fingerprints(home: Path, name: str = "small") -> list[tuple[int, str, str]]:
    return [(t["number"], t["state"], t["fingerprint"]) for t in show(home, name)["trials"]]
