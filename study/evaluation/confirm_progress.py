"""The progress of a running `study confirm`, in a small file next to its networks, which the service shows."""

import contextlib
import json
from pathlib import Path

from study.ledger.home import StudyFolder

STEP = 0.01  # share of the work between writes


class ProgressFile:
    """The progress file of one study; as a context manager, it removes the file at the end."""

    def __init__(self, folder: StudyFolder) -> None:
        self._path, self._written = _path(folder), -1.0

    def __enter__(self) -> "ProgressFile":
        self.update(0.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)

    def update(self, share: float) -> None:
        """Write the share of the work that is done, from 0 to 1, if it has increased by at least STEP."""
        if share < self._written + STEP:
            return
        self._written = share
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"done": round(share, 4)}), encoding="utf-8")
        new.replace(self._path)


def read_progress(folder: StudyFolder) -> float | None:
    """Return the share of the work that is done; None if the study is not being confirmed on this machine."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return float(json.loads(_path(folder).read_text(encoding="utf-8"))["done"])
    return None


def _path(folder: StudyFolder) -> Path:
    return folder.confirm / "progress.json"
