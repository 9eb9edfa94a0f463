"""How far `study confirm` has come, in a small file beside its networks: the service shows it while that lasts."""

import contextlib
import json
from pathlib import Path

from study.ledger.home import StudyFolder

STEP = 0.01  # of all work, between two writings


class ProgressFile:
    """The file of one study; use as a context manager, which removes it in the end."""

    def __init__(self, folder: StudyFolder) -> None:
        self._path, self._written = _path(folder), -1.0

    def __enter__(self) -> "ProgressFile":
        self.update(0.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)

    def update(self, share: float) -> None:
        """Write which share of the work is done, 0 to 1, where that has grown by a step."""
        if share < self._written + STEP:
            return
        self._written = share
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"done": round(share, 4)}), encoding="utf-8")
        new.replace(self._path)


def read_progress(folder: StudyFolder) -> float | None:
    """Return which share of the work is done; None where nothing is being confirmed on this machine."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return float(json.loads(_path(folder).read_text(encoding="utf-8"))["done"])
    return None


def _path(folder: StudyFolder) -> Path:
    return folder.confirm / "progress.json"
