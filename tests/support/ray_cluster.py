"""A real ray cluster of one node, started as by an administrator; like new clusters, it requires a token."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from support.ports import free_port
from support.waiting import wait_for

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
WORKER = "ray::PoolActor.run_batch"  # ray's name for a process that runs chunks


class RayCluster:
    """`ray start --head`, with two workers."""

    def __init__(self, place: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        options = ["--head", "--port", port, "--num-cpus", "2", "--include-dashboard", "false", "--disable-usage-stats"]
        command = [sys.executable, "-W", "ignore", "-m", "ray.scripts.scripts", "start", *options, "--block"]
        self._log = place / "log"
        with self._log.open("wb") as log:
            environment = os.environ | TOKEN | {"RAY_TMPDIR": str(place)}
            self._head = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=place)
        wait_for(self._started, "ray to start")

    def _started(self) -> bool:
        assert self._head.poll() is None, self._log.read_text()
        return b"Ray runtime started" in self._log.read_bytes()

    def kill_worker(self) -> None:
        """Kill a process that runs a chunk."""
        wait_for(self._kill_one, "a worker that has a chunk")

    def _kill_one(self) -> bool:
        for process in psutil.Process(self._head.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.cmdline()[:1] == [WORKER]:
                    process.kill()
                    return True
        return False

    def stop(self) -> None:
        processes = [psutil.Process(self._head.pid), *psutil.Process(self._head.pid).children(recursive=True)]
        for process in processes:
            process.kill()
        self._head.wait()
        psutil.wait_procs(processes, timeout=10)


@contextmanager
def start_ray() -> Iterator[RayCluster]:
    """Start a cluster that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="ray-") as place:  # a short path, since the paths of sockets have a limit
        cluster = RayCluster(Path(place))
        try:
            yield cluster
        finally:
            cluster.stop()
