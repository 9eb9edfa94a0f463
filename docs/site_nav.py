"""A hook of MkDocs: pages that other commands write are in the navigation once they are there."""

from pathlib import Path
from typing import Any

OPTIONAL = {"Benchmarks": "benchmarks.md", "Databases and clusters": "operations.md"}


def on_config(config: Any) -> Any:
    """Add the pages that exist to the last section."""
    section = next(iter(config["nav"][-1].values()))
    section += [{title: page} for title, page in OPTIONAL.items() if (Path(config["docs_dir"]) / page).exists()]
    return config
