"""Clusters that people already run, by the backends that dask and ray have for joblib.

Data are sent once to each node and stay there. Work of a lost node is begun again elsewhere by the cluster itself, from
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
TICK = 0.1  # seconds between two looks at a connection
RETRIES = 2  # of a task whose ray worker is lost; dask counts for itself
LEAST_RAY = 2  # workers; with fewer joblib takes this process
_DASK_SPEAKS_BY = ("distributed", "tornado", "asyncio")  # loggers; the last two tell of a result nobody waits for


class Cluster(Backend, Protocol):
    """Workers somewhere else.

    Attributes:
        jobs: tasks that are done at once.
    """

    jobs: int

    def close(self) -> None:
        """Leave the cluster."""


@contextmanager
def connect(
    backend: str, *, scheduler: str | None = None, address: str | None = None, jobs: int | None = None
) -> Iterator[Cluster | None]:
    """Connect to a cluster while the block runs; yield None for loky, which needs none.

    Args:
        backend: one of BACKENDS.
        scheduler: of dask.
        address: of ray; None begins one on this machine.
        jobs: worker processes, of loky or of a ray begun here.

    Raises:
        UserError: options that do not belong together, a package that is not installed, or nobody answers.
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
        warnings.filterwarnings("ignore", message="Sending large graph")  # a large network's state, where it is needed
        cluster: Cluster = Dask(scheduler) if scheduler is not None else Ray(address, jobs)
        try:
            yield cluster
        finally:
            cluster.close()


class Dask:
    """The workers of a dask scheduler.

    Raises:
        UserError: distributed is not installed, nobody answers, or there are no workers.
    """

    at_once = None

    def __init__(self, scheduler: str) -> None:
        try:
            from distributed import Client, KilledWorker
            from distributed.comm import CommClosedError
        except ImportError:
            raise needs_package("--backend dask", "distributed") from None
        for name in [name for name in logging.root.manager.loggerDict if name.startswith(_DASK_SPEAKS_BY)]:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said by this class, in a line
        self._place = f"the Dask scheduler at {scheduler}"
        try:
            self._client = Client(scheduler, timeout=ANSWERS_WITHIN, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--scheduler {scheduler}: no Dask scheduler answers at this address ({_first_line(error)}); "
                "start it, or correct the address"
            ) from None
        self.jobs = sum(self._client.nthreads().values())
        if not self.jobs:
            self._client.close()
            raise UserError(f"--scheduler {scheduler}: it has no workers; start some with `dask worker {scheduler}`")
        self.lost_errors: tuple[type[BaseException], ...] = (KilledWorker, CommClosedError, TimeoutError)
        self._data: dict[str, DaskFuture] = {}

    def configure(self) -> tuple[AbstractContextManager[object], ParallelBackendBase]:
        """Return joblib's dask backend."""
        self._ask()
        return configured(self.jobs, backend="dask", client=self._client)

    def data(self, folder: str) -> "DaskFuture":
        """Return dask's future of the data; they are sent to all workers where they have not been, or have been lost.

        Dask keeps data on a single worker once no two of them use it at the same time, and loses it with that worker.
        So the data are not left to joblib's dask backend, which would not send them again.
        """
        try:
            if folder not in self._data or self._data[folder].status != "finished":
                (self._data[folder],) = self._client.scatter([pack_data(Path(folder))], broadcast=True, hash=False)
            return self._data[folder]
        except FileNotFoundError:
            raise
        except Exception as error:  # a worker ended just now, or the scheduler; what is raised then is not documented
            self._ask()
            raise WorkerLostError from error

    def check(self) -> None:
        """Look whether the scheduler is there; while the client connects again, which ANSWERS_WITHIN bounds, wait."""
        while self._client.status == "connecting":
            time.sleep(TICK)
        if self._client.status != "running":
            raise _gone(self._place)

    def _ask(self) -> None:
        """Have the scheduler answer a question; it may be away for a while.

        Raises:
            MachineError: it does not answer.
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
        """Leave the cluster, which goes on."""
        self._client.close(timeout=1)


class Ray:
    """The workers of a ray cluster.

    Args:
        address: of the cluster; None begins one here.
        jobs: worker processes where one is begun; None is one a core.

    Raises:
        UserError: ray is not installed, nobody answers, the cluster has one CPU, or it asks for a token.
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
        with tempfile.TemporaryFile() as aside:
            try:
                with _same_signals(), _errors_into(aside):
                    ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
            except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
                aside.seek(0)
                if b"AuthToken" in aside.read() or "Authentication" in type(error).__name__:
                    raise UserError(
                        f"--address {address}: the Ray cluster requires a token; set RAY_AUTH_MODE=token and "
                        "RAY_AUTH_TOKEN=<the token>"
                    ) from None
                raise UserError(
                    f"--address {address}: no Ray cluster answers at this address ({_first_line(error)}); "
                    "start it, or correct the address"
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
        """Return joblib's ray backend, whose workers are begun again where they are lost."""
        again = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": RETRIES}
        parallel, backend = configured(self._workers, backend="ray", ray_remote_args=again)
        return _pools_put_back(parallel), backend

    def data(self, folder: str) -> Callable[[], PackedData]:
        """Return what fetches the data from ray, which copies them to each node once."""
        if folder not in self._data:
            self._data[folder] = partial(self._ray.get, self._ray.put(pack_data(Path(folder))))
        return self._data[folder]

    def check(self) -> None:
        """Look whether the cluster is there."""
        if not self._ray.is_initialized():
            raise _gone(self._place)

    def close(self) -> None:
        """Leave the cluster, or end the one that was begun here."""
        with _same_signals():
            self._ray.shutdown()


@contextmanager
def _pools_put_back(parallel: joblib.Parallel) -> Iterator[None]:
    """Enter and leave joblib's ray backend.

    It makes joblib's pools ray's for the whole process, and leaves them so: "multiprocessing" then begins ray workers.
    """
    bases = PicklingPool.__bases__
    try:
        with parallel:
            yield
    finally:
        PicklingPool.__bases__ = bases


def _gone(place: str) -> MachineError:
    return MachineError(
        f"{place} was lost; once it is back, rerun the command to resume.\nNothing that has finished is lost."
    )


def _knock(address: str) -> None:
    """Look whether somebody listens at host:port; ray itself would try for minutes."""
    found = re.fullmatch(r"(?:ray://)?\[?([^\[\]/]+)\]?:(\d+)", address)
    if address == "auto":
        return
    if found is None:
        raise UserError(f"--address {address}: not a Ray address; expected host:6379, ray://host:10001 or auto")
    try:
        socket.create_connection((found[1], int(found[2])), ANSWERS_WITHIN).close()
    except OSError as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers at this address ({error.strerror or error}); "
            "start it, or correct the address"
        ) from None


@contextmanager
def _same_signals() -> Iterator[None]:
    """Keep the handlers of SIGTERM and SIGINT, which ray sets anew, while the block runs."""
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
def _errors_into(file: IO[bytes]) -> Iterator[None]:
    """Have a file take what is written to the error stream while the block runs; ray's own library says much there."""
    usual = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(usual, 2)
        os.close(usual)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
