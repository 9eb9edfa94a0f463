"""A small study that runs in seconds."""

import json
from pathlib import Path
from typing import Any

from support.command import run_study

SMALL = """
name = "small"
baselines.enabled = false
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

# Enough trials that a test finds the study still running; the first ones are those of SMALL.
ENDLESS = SMALL.replace("trials = 12", "trials = 400")


def show(home: Path, name: str = "small") -> dict[str, Any]:
    """Return what `study show --json` prints."""
    done = run_study("show", name, "--json", "--home", home)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def fingerprints(home: Path, name: str = "small") -> list[tuple[int, str, str]]:
    """Return the number, state and fingerprint of each trial."""
    return [(t["number"], t["state"], t["fingerprint"]) for t in show(home, name)["trials"]]
