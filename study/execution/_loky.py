"""What only joblib's loky tells, by names that are not joblib's public ones. Checked with joblib 1.6.

A worker that is killed while it writes a large result leaves half of it in the pipe. The thread that reads results
then waits for the rest as long as anybody could write it, this process included. So `abort_everything`, which joins the
thread, would hang, and so would the end of Python. joblib has no public way to close the pipe.
Where a name is gone nothing is closed, and `test_workers_end_though_one_was_killed_amid_its_result` fails.
"""

import contextlib
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import Pipe

from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import LokyBackend

PATIENCE = 1.0  # seconds until a thread counts as stuck


def is_unreadable(error: BaseException | None) -> bool:
    """Return whether a worker ended since it could not read its task, or this process not its result.

    Tasks and results are plain arrays: only memory can be missing.
    """
    return isinstance(error, BrokenProcessPool) and not isinstance(error, TerminatedWorkerError)


def release_reader(backend: LokyBackend) -> None:
    """Let the thread that reads results end; all workers have been killed.

    Args:
        backend: joblib's loky backend.
    """
    executor = getattr(backend, "_workers", None)
    thread = getattr(executor, "_executor_manager_thread", None)
    results = getattr(executor, "_result_queue", None)
    if thread is None or results is None or not hasattr(results, "_writer"):
        return
    thread.join(PATIENCE)
    if thread.is_alive():
        # The thread closes the queue itself as soon as it goes on; it finds another pipe to close.
        results._writer, writer = Pipe(duplex=False)[1], results._writer
        with contextlib.suppress(OSError):
            writer.close()
