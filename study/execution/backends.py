"""The joblib backends that need no connection: loky, and whichever the user has configured around a study."""

import os
import warnings
from pathlib import Path

import joblib
from joblib.parallel import LokyBackend, ParallelBackendBase, get_active_backend

from engine.worker_data import PackedData, pack_data
from study.errors import MachineError
from study.execution.worker_process import begin

IDLE = 24 * 60 * 60  # seconds until a worker that has nothing to do leaves; loky begins another when it is needed


class Loky:
    """Worker processes on this machine.

    joblib begins none for one job. Where one is wanted, for its memory limit, two begin and one of them works.

    Args:
        jobs: worker processes.
        memory_limit: bytes that a worker may take for itself (Linux).
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
        """Have workers read the folder."""

    def check(self) -> None:
        """Raise nothing: that a process here died shows in its future."""


class ConfiguredBackend:
    """A backend that the user has configured, by `joblib.parallel_config(backend=…)` around the study.

    The data go with every task, since its workers may be anywhere; where they share this process's memory they are not
    copied.
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
        """Return the folder's data; the same object each time, which a backend may send once."""
        if folder not in self._data:
            self._data = {folder: pack_data(Path(folder))}
        return self._data[folder]

    def check(self) -> None:
        """Raise nothing: that a worker died shows in its future."""


def configured(n_jobs: int, **config: object) -> tuple[joblib.Parallel, ParallelBackendBase]:
    """Return a backend as `joblib.parallel_config` makes it, and a `Parallel` with it that maps no array to a file."""
    with joblib.parallel_config(**config):
        backend, _ = get_active_backend()
    return joblib.Parallel(n_jobs=n_jobs, backend=backend, max_nbytes=None), backend


def find_configured(jobs: int | None) -> tuple[ConfiguredBackend | None, int]:
    """Return the backend that the user has configured, and how many tasks are done at once.

    The backend is None for loky and for one job, which joblib does in this process, too.

    Args:
        jobs: as the user says; None takes what joblib is configured for, and for loky one a core.
    """
    backend, n_jobs = get_active_backend()
    if isinstance(backend, LokyBackend) or not _has_loky():
        return None, jobs or (backend.effective_n_jobs(n_jobs) if n_jobs is not None else default_jobs())
    if n_jobs is None:
        n_jobs = -1 if backend.default_n_jobs == 1 else backend.default_n_jobs
    count = backend.effective_n_jobs(jobs or n_jobs)
    return (ConfiguredBackend(backend, count) if count > 1 else None), count


def _has_loky() -> bool:
    """Return whether joblib can begin processes; it cannot in a container without /dev/shm."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="joblib backend 'loky' is not available")
        with joblib.parallel_config(backend="loky"):
            return isinstance(get_active_backend()[0], LokyBackend)


def default_jobs() -> int:
    """Return one job a core, cores that this process may use."""
    return int(joblib.cpu_count())
