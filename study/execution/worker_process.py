"""The setup of a worker process on this machine. It imports only the engine, so a worker starts quickly."""

import contextlib
import os
import threading
import time
from pathlib import Path

from engine.training_chunk import ignore_interrupts

TICK = 1.0  # seconds


def begin(coordinator: int, memory_limit: int | None) -> None:
    """Set up this process as a worker.

    Args:
        coordinator: id of the process that submits tasks; the worker exits when it ends.
        memory_limit: bytes that the worker may allocate (Linux).
    """
    ignore_interrupts()
    if memory_limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    # If the machine runs out of memory, the kernel should kill a worker rather than the coordinator.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    threading.Thread(target=_end_with, args=(coordinator,), daemon=True).start()


def _end_with(coordinator: int) -> None:
    """Exit when the coordinator is gone. If it is killed, workers are not notified and would wait forever."""
    while os.getppid() == coordinator:
        time.sleep(TICK)
    os._exit(1)
