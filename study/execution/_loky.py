"""Access to private names of joblib's loky. Tested with joblib 1.6.

A worker that is killed while it writes a large result leaves half of it in the pipe. The thread that reads results
then waits for the rest for as long as any process, including this one, holds the writing end. `abort_everything`,
which joins that thread, would therefore hang, and so would the exit of Python. joblib has no public way to close the
pipe. If a name no longer exists, nothing is closed, and `test_workers_end_though_one_was_killed_amid_its_result` fails.
"""

import contextlib
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import Pipe

from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import LokyBackend

PATIENCE = 1.0  # seconds until a thread counts as stuck


def is_unreadable(error: BaseException | None) -> bool:
    """Return whether a worker failed to unpickle its task, or this process failed to unpickle a worker's result.

    Tasks and results are plain arrays, so the only possible cause is a lack of memory.
    """
    return isinstance(error, BrokenProcessPool) and not isinstance(error, TerminatedWorkerError)


def release_reader(backend: LokyBackend) -> None:
    """Unblock the thread that reads results. All workers must have been killed.

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
        # The thread closes the queue's writer once it is unblocked, so give it a different pipe to close.
        results._writer, writer = Pipe(duplex=False)[1], results._writer
        with contextlib.suppress(OSError):
            writer.close()
