"""The server of forking.py, which imports modules and forks processes: `python fork_server.py SOCKET SOCKET`."""

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from forking import ENCODING, FIRST, MODULES, UNBUFFERED, Server, become_subreaper, fixed_in, use

PRELOADED = (
    *(
        "study.cli.main",
        "study.run",
        "study.model.finalize",
        "study.evaluation.recheck",
        "study.model.predict",
        "study.evaluation.confirm",
    ),
    *("study.evaluation.compare", "study.report", "study.service.app", "study.service.serving", "study.service.runner"),
    *(
        "study.tracking.exporter_process",
        "study.tracking.sync",
        "study.tracking.pictures",
        "skops.io",
        "pyarrow.parquet",
    ),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.sklearn", "mlflow.server.fastapi_app", "mlflow.cli", "uvicorn"),
)
HIGH = 500  # descriptors from here on are unused


def serve(control: socket.socket, programs: socket.socket | None = None) -> dict[str, Any]:
    """Fork a process for each request, until no more requests can come; return the request in each forked process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the server ends with the process that started it
    while True:
        ready, _, _ = select.select([control, *filter(None, [programs])], [], [])
        asking = control if control in ready else programs.accept()[0]  # type: ignore[union-attr]
        request = _receive(asking)
        if request is None and asking is control:
            os._exit(0)
        if request is None:
            asking.close()
            continue
        assert len(os.listdir("/proc/self/task")) == 1, "a library has started a thread"  # noqa: PTH208
        if asking is control and _forked_twice(control):
            break
        if asking is not control and os.fork() == 0:
            if os.fork() == 0:
                _watch(asking)
                break
            os._exit(0)
        for descriptor in request["descriptors"]:
            os.close(descriptor)
        if asking is not control:
            asking.close()
            os.wait()
    for each in filter(None, (control, programs, asking)):
        each.close()
    return request


def _receive(asking: socket.socket) -> dict[str, Any] | None:
    head, descriptors, _, _ = socket.recv_fds(asking, 4, 64)
    if not head:
        return None
    (length,) = struct.unpack("!I", head)
    body = b""
    while len(body) < length:
        body += asking.recv(length - len(body))
    return dict(json.loads(body.decode(errors="surrogateescape"))) | {"descriptors": descriptors}


def _forked_twice(control: socket.socket) -> bool:
    """Fork a process that becomes a child of the requester, since its parent ends; return True in this child."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.close(writing)
            return True
        os.write(writing, struct.pack("!i", child))
        os._exit(0)
    os.waitpid(between, 0)
    control.sendall(os.read(reading, 4))  # only now is it a child of the requester
    os.close(reading)
    os.close(writing)
    return False


def _watch(asking: socket.socket) -> None:
    """Fork the process that a program requested, and return in it.

    The original process forwards the program's signals, kills the process if the program is killed, and reports how the
    process ended.
    """
    child = os.fork()
    if child == 0:
        return
    ended = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([asking, ended], [], [])
        if ended in ready:
            break
        said = asking.recv(1)
        os.kill(child, said[0] if said else signal.SIGKILL)
        if not said:
            break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        asking.sendall(struct.pack("!i", code))
    os._exit(0)


# The forked process.


def begin(request: dict[str, Any]) -> Callable[[], object]:
    """Become the requested process; return a function that runs its program."""
    words, environment = request["words"], request["environment"]
    if request["session"]:
        os.setsid()
    is_module = words[1] == "-m"
    if not is_module or MODULES[words[2]]:
        own = _begin_own_server(request)
        if own is not None:
            return begin(own)
    _put(request["descriptors"], request["numbers"])
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(request["folder"])
    sys.argv[:] = words[1 + is_module :]
    sys.path[0] = str(Path.cwd() if is_module else Path(words[1]).absolute().parent)
    sys.orig_argv[:] = words
    _show(words)
    _open_streams(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, request["mask"])
    if FIRST in environment:
        runpy.run_path(environment[FIRST])
    return partial(run_module if is_module else partial(runpy.run_path, run_name="__main__"), sys.argv[0])


def _begin_own_server(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Fork the server of this process; return None in this process, and the request in each process that it forks."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        for descriptor in request["descriptors"]:
            os.close(descriptor)
        return serve(theirs)
    theirs.close()
    high = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, HIGH)
    ours.close()
    become_subreaper()
    use(Server(fixed_in(request["environment"]), socket.socket(fileno=high)))
    return None


def _put(descriptors: Sequence[int], numbers: Sequence[int]) -> None:
    """Give descriptors their required numbers."""
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(high, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _open_streams(environment: Mapping[str, str]) -> None:
    """Open standard input, output and error as Python does at startup."""
    encoding, _, errors = environment.get(ENCODING, "").partition(":")
    encoding, unbuffered = encoding or "utf-8", UNBUFFERED in environment
    output: Any = open(1, "wb", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115 - until the end
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout = io.TextIOWrapper(output, encoding, errors or "strict", write_through=unbuffered)
    sys.stderr = open(2, "w", 1, encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _show(words: Sequence[str]) -> None:
    """Make /proc show this command instead of the server's arguments."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    shown = b"".join(os.fsencode(word) + b"\0" for word in words)[: end - start - 1]
    ctypes.memmove(start, shown.ljust(end - start, b"\0"), end - start)


def run_module(name: str) -> None:
    """Run a module as `python -m` does."""
    if not hasattr(sys.modules[name], "__path__"):
        del sys.modules[name]  # it is run again, as the main module
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def run(program: Callable[[], object]) -> NoReturn:
    """Run a program, and exit like Python, but without unloading the imported modules."""
    code: Any = 0
    try:
        program()
    except SystemExit as ended:
        code = ended.code
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined] - like multiprocessing in a forked process
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def main() -> None:
    """Import modules, serve, and run the requested program in each forked process."""
    control, programs = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    for each in (control, programs):
        each.set_inheritable(False)
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    run(begin(serve(control, programs)))


if __name__ == "__main__":
    main()
