"""The joblib backends that need no connection: loky, and any backend that the user has configured."""

import os
import warnings
from pathlib import Path

import joblib
from joblib.parallel import LokyBackend, ParallelBackendBase, get_active_backend

from engine.worker_data import PackedData, pack_data
from study.errors import MachineError
from study.execution.worker_process import begin

IDLE = 24 * 60 * 60  # seconds until an idle worker exits; loky starts another when one is needed


class Loky:
    """Worker processes on this machine.

    joblib starts no process for a single job. If one process is needed for its memory limit, two are started and one
    of them works.

    Args:
        jobs: number of worker processes.
        memory_limit: bytes that a worker may allocate (Linux).
    """

    lost_errors: tuple[type[BaseException], ...] = ()

    def __init__(self, jobs: int, memory_limit: int | None = None) -> None:
        self.processes, self.at_once = max(2, jobs), 1 if jobs == 1 else None
        self.memory_limit = memory_limit

    def configure(self) -> tuple[joblib.Parallel, ParallelBackendBase]:
        """Return joblib's loky backend, with the initializer of `study.execution.worker_process`."""
        if not _has_loky():
            raise MachineError("this machine has no semaphores for worker processes; use --jobs 1, which needs none")
        return configured(
            self.processes,
            backend="loky",
            inner_max_num_threads=1,
            initializer=begin,
            initargs=(os.getpid(), self.memory_limit),
            idle_worker_timeout=IDLE,
        )

    def data(self, folder: str) -> None:
        """Return None: workers read the folder themselves."""

    def check(self) -> None:
        """Do nothing: the future of a task reports the death of a local process."""


class ConfiguredBackend:
    """A backend that the user has configured with `joblib.parallel_config(backend=…)` around the study.

    The data is sent with every task, since its workers may be anywhere. Workers that share the memory of this process
    do not copy it.
    """

    at_once = None
    lost_errors: tuple[type[BaseException], ...] = ()

    def __init__(self, backend: ParallelBackendBase, jobs: int) -> None:
        self.backend, self.jobs = backend, jobs
        self._data: dict[str, PackedData] = {}

    def configure(self) -> tuple[joblib.Parallel, ParallelBackendBase]:
        """Return the backend."""
        return configured(self.jobs, backend=self.backend)

    def data(self, folder: str) -> PackedData:
        """Return the folder's data: the same object each time, so that a backend can send it only once."""
        if folder not in self._data:
            self._data[folder] = pack_data(Path(folder))
        return self._data[folder]

    def check(self) -> None:
        """Do nothing: the future of a task reports the death of a worker."""


def configured(n_jobs: int, **config: object) -> tuple[joblib.Parallel, ParallelBackendBase]:
    """Return a `Parallel` that memory-maps no arrays, and its backend, configured by `joblib.parallel_config`."""
    with joblib.parallel_config(**config):
        backend, _ = get_active_backend()
    return joblib.Parallel(n_jobs=n_jobs, backend=backend, max_nbytes=None), backend


def find_configured(jobs: int | None) -> tuple[ConfiguredBackend | None, int]:
    """Return the backend that the user has configured, and how many tasks run at the same time.

    The backend is None for loky, and for a single job, which runs in this process.

    Args:
        jobs: number of jobs; None uses joblib's configuration, and for loky one job per core.
    """
    backend, n_jobs = get_active_backend()
    if isinstance(backend, LokyBackend) or not _has_loky():
        return None, jobs or (backend.effective_n_jobs(n_jobs) if n_jobs is not None else default_jobs())
    if n_jobs is None:
        n_jobs = -1 if backend.default_n_jobs == 1 else backend.default_n_jobs
    count = backend.effective_n_jobs(jobs or n_jobs)
    return (ConfiguredBackend(backend, count) if count > 1 else None), count


def _has_loky() -> bool:
    """Return whether joblib can start processes, which it cannot do in a container without /dev/shm."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="joblib backend 'loky' is not available")
        with joblib.parallel_config(backend="loky"):
            return isinstance(get_active_backend()[0], LokyBackend)


def default_jobs() -> int:
    """Return the number of cores that this process may use."""
    return int(joblib.cpu_count())
