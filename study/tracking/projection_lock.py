"""The lock of a study's projection, which keeps two processes from writing the same runs to MLflow."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from study.errors import UserError
from study.ledger.home import StudyFolder

LOCK_WITHIN = 120.0  # seconds


@contextmanager
def hold_projection(folder: StudyFolder) -> Iterator[None]:
    """Hold the lock of a study's projection while the block runs.

    Raises:
        UserError: if another process still holds the lock after LOCK_WITHIN seconds.
    """
    with folder.tracking_lock.open("a") as file:
        deadline = time.monotonic() + LOCK_WITHIN
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise UserError(
                    f"{folder.tracking_lock}: another process is writing this study to MLflow; wait for it to end"
                )
            time.sleep(0.05)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
