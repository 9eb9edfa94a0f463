"""A real notebook kernel, and the output of its cells."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.command import environment
from support.waiting import LIMIT

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Output:
    """The output of a cell: text of its streams, and displays by id in the state of their last update."""

    stdout: str = ""
    stderr: str = ""
    displays: dict[str, dict[str, str]] = field(default_factory=dict)
    updates: int = 0
    error: dict[str, Any] | None = None


class Kernel:
    """A kernel that runs cells one after another."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def run(
        self,
        code: str,
        interrupt_once: Callable[[Output], bool] = lambda _: False,
        leave_once: Callable[[Output], bool] = lambda _: False,
    ) -> Output:
        """Run a cell to its end, or interrupt it or leave it running as soon as its output satisfies a condition."""
        request, output, interrupted = self.client.execute(code), Output(), False
        while True:
            message = self.client.get_iopub_msg(timeout=LIMIT)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return output
            self._take(output, kind, content)
            if leave_once(output):
                return output
            if not interrupted and interrupt_once(output):
                interrupted = True
                self.manager.interrupt_kernel()

    @staticmethod
    def _take(output: Output, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            setattr(output, content["name"], getattr(output, content["name"]) + content["text"])
        elif kind in ("display_data", "update_display_data"):
            output.displays[content.get("transient", {}).get("display_id", "")] = content["data"]
            output.updates += kind == "update_display_data"
        elif kind == "error":
            output.error = content


@contextmanager
def start_kernel(folder: Path, packages: Path = ROOT) -> Iterator[Kernel]:
    """Start a kernel in a folder, which imports the packages of another, and end it with the block."""
    from jupyter_client.manager import start_new_kernel

    variables = environment() | {"PYTHONPATH": str(packages), "IPYTHONDIR": str(folder / "ipython")}
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=variables, startup_timeout=LIMIT)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
