"""Dask and Ray clusters, through the backends that both provide for joblib.

Data is sent once to each node and stays there. If a node is lost, the cluster restarts its tasks on another node, from
the states that the chunks carry.
"""

import logging
import os
import re
import signal
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import joblib
from joblib.parallel import ParallelBackendBase
from joblib.pool import PicklingPool

from engine.worker_data import PackedData, pack_data
from study.errors import MachineError, UserError, needs_package
from study.execution.backends import configured
from study.execution.executor import WorkerLostError
from study.execution.joblib_backend import Backend

if TYPE_CHECKING:
    from distributed import Future as DaskFuture

BACKENDS = ("loky", "dask", "ray")
ANSWERS_WITHIN = 10.0  # seconds
TICK = 0.1  # seconds between two checks of a connection
RETRIES = 2  # retries of a task whose Ray worker is lost; Dask has its own limit
LEAST_RAY = 2  # minimum number of workers; with fewer, joblib runs the tasks in this process
_DASK_LOGGERS = ("distributed", "tornado", "asyncio")  # the last two log results that are no longer awaited


class Cluster(Backend, Protocol):
    """Workers on other machines.

    Attributes:
        jobs: number of tasks that run at the same time.
    """

    jobs: int

    def close(self) -> None:
        """Disconnect from the cluster."""


@contextmanager
def connect(
    backend: str, *, scheduler: str | None = None, address: str | None = None, jobs: int | None = None
) -> Iterator[Cluster | None]:
    """Connect to a cluster for the duration of the block; yield None for loky, which needs no cluster.

    Args:
        backend: one of BACKENDS.
        scheduler: address of the Dask scheduler.
        address: address of the Ray cluster; None starts one on this machine.
        jobs: number of worker processes, for loky or for a Ray cluster started here.

    Raises:
        UserError: the options conflict, a package is not installed, or the cluster does not respond.
    """
    if backend not in BACKENDS:
        raise UserError(f"--backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    for option, value, owner in (("--scheduler", scheduler, "dask"), ("--address", address, "ray")):
        if value is not None and backend != owner:
            raise UserError(f"{option} {value}: requires --backend {owner}, got --backend {backend}")
    if backend == "dask" and scheduler is None:
        raise UserError("--backend dask requires --scheduler ADDRESS, such as tcp://host:8786")
    if jobs is not None and (scheduler or address):
        raise UserError(f"--jobs {jobs}: the cluster determines the number of workers; omit --jobs")
    if backend == "loky":
        yield None
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")  # the state of a large network has to be sent
        cluster: Cluster = Dask(scheduler) if scheduler is not None else Ray(address, jobs)
        try:
            yield cluster
        finally:
            cluster.close()


class Dask:
    """The workers of a Dask scheduler.

    Raises:
        UserError: distributed is not installed, the scheduler does not respond, or it has no workers.
    """

    at_once = None

    def __init__(self, scheduler: str) -> None:
        try:
            from distributed import Client, KilledWorker
            from distributed.comm import CommClosedError
        except ImportError:
            raise needs_package("--backend dask", "distributed") from None
        for name in [name for name in logging.root.manager.loggerDict if name.startswith(_DASK_LOGGERS)]:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # this class reports the errors that matter
        self._place = f"the Dask scheduler at {scheduler}"
        try:
            self._client = Client(scheduler, timeout=ANSWERS_WITHIN, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--scheduler {scheduler}: no Dask scheduler is responding at this address ({_first_line(error)}); "
                "start one, or correct the address"
            ) from None
        self.jobs = sum(self._client.nthreads().values())
        if not self.jobs:
            self._client.close()
            raise UserError(
                f"--scheduler {scheduler}: the scheduler has no workers; start some with `dask worker {scheduler}`"
            )
        self.lost_errors: tuple[type[BaseException], ...] = (KilledWorker, CommClosedError, TimeoutError)
        self._data: dict[str, DaskFuture] = {}

    def configure(self) -> tuple[AbstractContextManager[object], ParallelBackendBase]:
        """Return joblib's Dask backend."""
        self._ask()
        return configured(self.jobs, backend="dask", client=self._client)

    def data(self, folder: str) -> "DaskFuture":
        """Return Dask's future of the data, which is first sent to all workers if they lack it or have lost it.

        Dask drops the other copies when no two workers use the data at the same time, and loses the data with the last
        worker that has it. joblib's Dask backend would not send it again.
        """
        try:
            if folder not in self._data or self._data[folder].status != "finished":
                (self._data[folder],) = self._client.scatter([pack_data(Path(folder))], broadcast=True, hash=False)
            return self._data[folder]
        except FileNotFoundError:
            raise
        except Exception as error:  # a worker or the scheduler has just ended; Dask documents no exceptions
            self._ask()
            raise WorkerLostError from error

    def check(self) -> None:
        """Check the connection to the scheduler; wait for up to ANSWERS_WITHIN while the client reconnects."""
        while self._client.status == "connecting":
            time.sleep(TICK)
        if self._client.status != "running":
            raise _gone(self._place)

    def _ask(self) -> None:
        """Wait until the scheduler responds to a query.

        Raises:
            MachineError: it does not respond within ANSWERS_WITHIN seconds.
        """
        deadline = time.monotonic() + ANSWERS_WITHIN
        while True:
            self.check()
            try:
                self._client.nthreads()
            except Exception as error:
                if time.monotonic() > deadline:
                    raise _gone(self._place) from error
                time.sleep(TICK)
            else:
                return

    def close(self) -> None:
        """Disconnect from the cluster, which keeps running."""
        self._client.close(timeout=1)


class Ray:
    """The workers of a Ray cluster.

    Args:
        address: address of the cluster; None starts one on this machine.
        jobs: number of worker processes if a cluster is started; None is one per core.

    Raises:
        UserError: ray is not installed, the cluster does not respond, has only one CPU, or requires a token.
    """

    def __init__(self, address: str | None, jobs: int | None) -> None:
        try:
            import ray
            from ray.util.joblib import register_ray
        except ImportError:
            raise needs_package("--backend ray", "ray") from None
        if address is not None:
            _knock(address)
        self._place = f"the Ray cluster {f'at {address}' if address else 'on this machine'}"
        self.at_once = 1 if address is None and jobs == 1 else None
        cores = None if jobs is None else max(LEAST_RAY, jobs)
        options = (
            {"address": address} if address else {"address": "local", "num_cpus": cores, "include_dashboard": False}
        )
        with tempfile.TemporaryFile() as captured:
            try:
                with _same_signals(), _stderr_to(captured):
                    ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
            except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
                captured.seek(0)
                if b"AuthToken" in captured.read() or "Authentication" in type(error).__name__:
                    raise UserError(
                        f"--address {address}: the Ray cluster requires a token; set RAY_AUTH_MODE=token and "
                        "RAY_AUTH_TOKEN=<the token>"
                    ) from None
                raise UserError(
                    f"--address {address}: no Ray cluster is responding at this address ({_first_line(error)}); "
                    "start one, or correct the address"
                ) from None
        self._ray = ray
        self.lost_errors: tuple[type[BaseException], ...] = (ray.exceptions.RayError,)
        self._workers = int(ray.cluster_resources().get("CPU", 1))
        if self._workers < LEAST_RAY:
            ray.shutdown()
            raise UserError(f"{self._place} has one CPU, but joblib's Ray backend needs two; use --backend loky")
        self.jobs = self.at_once or self._workers
        register_ray()
        self._data: dict[str, Callable[[], PackedData]] = {}

    def configure(self) -> tuple[AbstractContextManager[object], ParallelBackendBase]:
        """Return joblib's Ray backend, which restarts lost workers."""
        again = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": RETRIES}
        parallel, backend = configured(self._workers, backend="ray", ray_remote_args=again)
        return _restoring_pools(parallel), backend

    def data(self, folder: str) -> Callable[[], PackedData]:
        """Return a function that fetches the data from Ray, which copies it to each node once."""
        if folder not in self._data:
            self._data[folder] = partial(self._ray.get, self._ray.put(pack_data(Path(folder))))
        return self._data[folder]

    def check(self) -> None:
        """Check the connection to the cluster."""
        if not self._ray.is_initialized():
            raise _gone(self._place)

    def close(self) -> None:
        """Disconnect from the cluster, or shut down the one that was started here."""
        with _same_signals():
            self._ray.shutdown()


@contextmanager
def _restoring_pools(parallel: joblib.Parallel) -> Iterator[None]:
    """Enter and leave joblib's Ray backend, and restore joblib's pools at the end.

    Ray replaces them for the whole process, after which joblib's "multiprocessing" backend would start Ray workers.
    """
    bases = PicklingPool.__bases__
    try:
        with parallel:
            yield
    finally:
        PicklingPool.__bases__ = bases


def _gone(place: str) -> MachineError:
    return MachineError(
        f"lost the connection to {place}; once it is back, rerun the command to resume.\nFinished work is kept."
    )


def _knock(address: str) -> None:
    """Check that something listens at host:port; Ray itself would retry for minutes."""
    found = re.fullmatch(r"(?:ray://)?\[?([^\[\]/]+)\]?:(\d+)", address)
    if address == "auto":
        return
    if found is None:
        raise UserError(f"--address {address}: not a Ray address; expected host:6379, ray://host:10001 or auto")
    try:
        socket.create_connection((found[1], int(found[2])), ANSWERS_WITHIN).close()
    except OSError as error:
        raise UserError(
            f"--address {address}: no Ray cluster is responding at this address ({error.strerror or error}); "
            "start one, or correct the address"
        ) from None


@contextmanager
def _same_signals() -> Iterator[None]:
    """Restore the handlers of SIGTERM and SIGINT, which Ray replaces, after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _stderr_to(file: IO[bytes]) -> Iterator[None]:
    """Redirect stderr to a file for the duration of the block; Ray's native library is verbose."""
    usual = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(usual, 2)
        os.close(usual)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
