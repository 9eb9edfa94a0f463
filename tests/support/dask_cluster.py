"""A real dask cluster of separate processes, whose workers can import only the engine and not `study`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.waiting import LIMIT, wait_for

import engine

# Makes imports of other packages than the engine fail in a worker.
ENGINE_ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("study", "optuna", "mlflow", "sklearn", "pandas"):
            raise ImportError(f"a worker wants {name}")
sys.meta_path.insert(0, Refuse())
"""
WORKER = "from distributed.cli.dask_worker import main; main()"
SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"


WAIT = """
import sys
from distributed import Client
Client(sys.argv[1]).wait_for_workers(int(sys.argv[2]), float(sys.argv[3]))
"""


@dataclass(frozen=True)
class Host:
    """A place where processes run: its address, and the prefix of commands there."""

    address: str = "127.0.0.1"
    prefix: Sequence[str] = ()


class DaskCluster:
    """A scheduler and its workers, on two hosts or on one."""

    def __init__(self, place: Path, here: Host, there: Host) -> None:
        self.place, self.here, self.there = place, here, there
        self.workers: list[subprocess.Popen[bytes]] = []
        self._scheduler: subprocess.Popen[bytes] | None = None
        (place / "alone").mkdir()
        (place / "alone" / "sitecustomize.py").write_text(ENGINE_ALONE)

    def start_scheduler(self, port: int) -> None:
        file = self.place / "scheduler.json"
        file.unlink(missing_ok=True)
        options = ["--host", self.here.address, "--port", str(port), "--no-dashboard", "--scheduler-file", str(file)]
        self._scheduler = self._begin(self.here, SCHEDULER, *options)
        scheduler = self._scheduler

        def address() -> str:
            assert scheduler.poll() is None, (self.place / "log").read_text()
            with contextlib.suppress(
                FileNotFoundError, json.JSONDecodeError
            ):  # the file exists, but is not yet written
                return str(json.loads(file.read_text())["address"])
            return ""

        self.address = wait_for(address, "the dask scheduler to listen")

    def start_worker(self) -> None:
        options = ["--host", self.there.address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        options += ["--local-directory", str(self.place)]
        self.workers.append(self._begin(self.there, WORKER, self.address, *options))

    def have_workers(self, count: int) -> None:
        """Start workers until there are `count` of them."""
        self.workers = [each for each in self.workers if each.poll() is None]
        while len(self.workers) < count:
            self.start_worker()
        self.wait_for_workers(count)

    def wait_for_workers(self, count: int) -> None:
        if self.here.prefix:  # on a network that this process is not part of
            waiting = self._begin(self.here, WAIT, self.address, str(count), str(LIMIT))
            assert waiting.wait() == 0, (self.place / "log").read_text()
            return
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, LIMIT)

    def kill_worker(self, pid: int | None = None) -> None:
        """Kill a worker, by default the last one."""
        worker = next(each for each in reversed(self.workers) if pid in (None, each.pid))
        self.workers.remove(worker)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def only_keeper_of_data(self) -> int:
        """Wait until dask has dropped all copies of the data but one; return the process of the worker that has it."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:

            def keepers() -> list[str]:
                held = {str(key): list(where) for key, where in client.who_has().items()}
                return [where for key, found in held.items() if key.startswith("PackedData") for where in found]

            (keeper,) = wait_for(lambda: len(found := keepers()) == 1 and found, "one worker alone that has the data")
            return int(client.run(os.getpid)[keeper])

    def restart(self, workers: int = 2) -> None:
        """Kill the scheduler and its workers if they are running, and restart them at the same address."""
        port = int(self.address.rpartition(":")[2])
        self.stop()
        self.start_scheduler(port)
        self.have_workers(workers)

    def stop(self) -> None:
        for process in [*self.workers, self._scheduler]:
            if process is not None:
                process.kill()
                process.wait()
        self.workers = []

    def _begin(self, host: Host, code: str, *options: str) -> "subprocess.Popen[bytes]":
        root = Path(engine.__file__).parents[1]
        path = os.pathsep.join([str(self.place / "alone"), str(root), str(root / "tests")])
        with (self.place / "log").open("ab") as log:
            command = [*host.prefix, sys.executable, "-W", "ignore", "-c", code, *options]
            environment = os.environ | {"PYTHONPATH": path}
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.place)


@contextmanager
def start_cluster(
    place: Path, workers: int = 2, here: Host | None = None, there: Host | None = None
) -> Iterator[DaskCluster]:
    """Start a cluster that ends with the block."""
    cluster = DaskCluster(place, here or Host(), there or Host())
    try:
        cluster.start_scheduler(0)
        cluster.have_workers(workers)
        yield cluster
    finally:
        cluster.stop()
