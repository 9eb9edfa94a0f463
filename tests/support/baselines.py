"""Small studies with baselines, and how to read what they left."""

from pathlib import Path
from typing import Any

from support.small_study import SMALL, show

WITH_BASELINES = SMALL.replace("baselines.enabled = false\n", "").replace("trials = 12", "trials = 6")


def baselines_of(home: Path, name: str = "small") -> dict[str, dict[str, Any]]:
    """Return the baselines that `study show --json` prints by name, without what differs from run to run."""
    found = {each["name"]: each for each in show(home, name)["baselines"]}
    return {name: {key: each[key] for key in each if key not in ("seconds", "run_id")} for name, each in found.items()}
