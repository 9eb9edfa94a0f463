"""What a worker process on this machine sets up. It imports the engine and no more, so that it is there at once."""

import contextlib
import os
import threading
import time
from pathlib import Path

from engine.training_chunk import ignore_interrupts

TICK = 1.0  # seconds


def begin(coordinator: int, memory_limit: int | None) -> None:
    """Make this process a worker.

    Args:
        coordinator: the process that gives it tasks, with which it ends.
        memory_limit: bytes that it may take for itself (Linux).
    """
    ignore_interrupts()
    if memory_limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    # Where the machine runs out of memory, the kernel should kill a worker and not the coordinator.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    threading.Thread(target=_end_with, args=(coordinator,), daemon=True).start()


def _end_with(coordinator: int) -> None:
    """End this process where the coordinator was killed: nothing else tells a worker, and it would wait forever."""
    while os.getppid() == coordinator:
        time.sleep(TICK)
    os._exit(1)
