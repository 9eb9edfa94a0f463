"""`mlflow models serve`: a registered model behind a real scoring server."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.command import environment
from support.ports import answers, free_port
from support.waiting import wait_for

Ask = Callable[[str, bytes], list[Any]]


@contextmanager
def serving(home: Path, name: str) -> Iterator[Ask]:
    """Serve the champion of a study until the block ends; yield a function from a body to predictions."""
    # MLflow looks for the server's command on the path, as in an activated environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = environment() | {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db", "PATH": path}
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{name}@champion"]
    command += ["--env-manager", "local", "--port", str(port)]
    server = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )

    def is_up() -> bool:
        assert server.poll() is None, "the server ended before it responded"
        return answers(f"http://127.0.0.1:{port}/ping")

    def ask(media_type: str, body: bytes) -> list[Any]:
        address = f"http://127.0.0.1:{port}/invocations"
        request = urllib.request.Request(address, body, {"Content-Type": media_type})
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - http, on this machine
            return list(json.load(reply)["predictions"])

    try:
        wait_for(is_up, "the model's server to answer")
        yield ask
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
