"""Functions for all benchmarks: the machine, the environment of measured commands, and the files of results."""

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment() -> dict[str, str]:
    """Return the environment for a measured command, without MLflow or `study` variables and with one BLAS thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STUDY_"))}
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def keep(path: Path, versions: Mapping[str, str], results: Mapping[str, Any]) -> None:
    """Write results as JSON, with the machine, the versions and the date."""
    import psutil  # in the bench extra; not every benchmark stores results

    head = {
        "processor": processor(),
        "cores": psutil.cpu_count(logical=False),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**head, **results}, indent=1) + "\n")
