"""Processes of Python that begin in milliseconds: forked from one that has imported what they need.

`python -m study …` imports for two to seven seconds, and many tests begin it. So `subprocess.Popen` is
replaced, by `install`, in the processes that run the tests: where a command is one of MODULES or a script, a server
(fork_server.py), which has imported all that these need, forks the process instead. It is a process like any other: a
child of who began it, with the arguments, environment, folder, descriptors, session and mask of signals that were
asked for, shown by /proc as that command, and it ends with the code or by the signal that a new one would. What it
begins itself is forked too, by a server of its own. Every other command begins as ever: one with a prefix or
`preexec_fn`, or whose environment differs in what Python, a linker or BLAS read when they start (FIXED).

A script of bash has no Popen to replace. `programs/study`, first in its PATH, asks the server that VARIABLE names for
the process, passes on signals, and ends as it ends.
"""

import atexit
import ctypes
import inspect
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Run as `python -m`; whether they begin others. Scripts (`python PATH`) do.
MODULES = {"study": True, "study.tracking.exporter_process": False, "mlflow": True, "uvicorn": False}
FIXED = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "LD_", "LC_", "LANG", "COVERAGE_")  # beginnings of names
UNBUFFERED, ENCODING = "PYTHONUNBUFFERED", "PYTHONIOENCODING"  # are exceptions: a forked process opens its output anew
PADDING = "-" * 4000  # an argument in whose place forked processes write their own, for /proc to show
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}  # is read at import
BECOME_SUBREAPER = 36  # of prctl
PROGRAM = str(Path(__file__).with_name("fork_server.py"))
PROGRAMS = Path(__file__).with_name("programs")  # for the PATH of scripts
VARIABLE = "FORK_SERVER"  # of their environment
FIRST = "FORKED_RUNS_FIRST"  # a variable: a script that forked processes run before their programs, as sitecustomize is

PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
NEEDED = {"args", "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env", "shell", "start_new_session"}

_server: "Server | None" = None


class Server:
    """Where this process asks for others.

    Args:
        fixed: the environment of the server, of what cannot be changed after it has started.
        control: of a server that runs; without it, one is started when it is first needed.
    """

    def __init__(self, fixed: dict[str, str], control: socket.socket | None = None) -> None:
        self.fixed, self._control = fixed, control
        self.name = f"fork-server-{os.getpid()}-{id(self)}"
        self._asking = threading.Lock()

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Return the process that the server forked, a child of this one."""
        with self._asking:
            control = self.start()
            body = json.dumps(request).encode(errors="surrogateescape")
            socket.send_fds(control, [struct.pack("!I", len(body))], list(descriptors))
            control.sendall(body)
            reply = control.recv(4)
        assert reply, "the fork server has ended"
        return int(struct.unpack("!i", reply)[0])

    def start(self) -> socket.socket:
        """Start the server, where it does not run yet; it ends with this process."""
        if self._control is None:
            self._control, theirs = socket.socketpair()
            programs = socket.socket(socket.AF_UNIX)
            programs.bind(f"\0{self.name}")  # no file: the name is gone with the server
            programs.listen()
            handed = [theirs.fileno(), programs.fileno()]
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STUDY_"))}
            # Arrow's allocator begins a thread otherwise, and a process with threads is not one to fork from.
            environment = kept | self.fixed | {"JE_ARROW_MALLOC_CONF": "background_thread:false", **QUIET}
            program = [sys.executable, "-W", "ignore", PROGRAM, *map(str, handed), PADDING]
            self._process = subprocess.Popen(program, pass_fds=handed, env=environment, stdin=subprocess.DEVNULL)
            theirs.close()
            programs.close()
            become_subreaper()
            atexit.register(self.end)
        return self._control

    def end(self) -> None:
        """End the server that was started; what it forked goes on."""
        atexit.unregister(self.end)
        assert self._control is not None
        self._control.close()
        self._process.wait()


class Popen(subprocess.Popen[Any]):
    """A process, forked where it can be.

    The step that begins a process is the one that differs, and it has no public name: all around it, pipes and waiting,
    stays. Should a version of Python name or call it otherwise, processes begin as ever.
    """

    def _execute_child(self, *given: Any) -> None:
        begin = super()._execute_child  # type: ignore[misc]
        call = inspect.signature(begin).bind(*given).arguments
        if _server is None or not call.keys() >= {*NEEDED, *PIPES} or not _can_be_forked(call):
            begin(*given)
            return
        standard = [
            own if call[name] == -1 else call[name] for own, name in enumerate(("p2cread", "c2pwrite", "errwrite"))
        ]
        request = {
            "words": [os.fsdecode(word) for word in call["args"]],
            "environment": _environment_of(call),
            "folder": os.fspath(call["cwd"] or Path.cwd()),
            "session": bool(call["start_new_session"]),
            "mask": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
            "numbers": [0, 1, 2, *call["pass_fds"]],
        }
        self.pid = _server.fork(request, [*standard, *call["pass_fds"]])
        self._child_created = True
        self._close_pipe_fds(*(call[name] for name in PIPES))  # type: ignore[attr-defined]


def _environment_of(call: Mapping[str, Any]) -> dict[str, str]:
    return dict(os.environ if call["env"] is None else call["env"])


def _can_be_forked(call: Mapping[str, Any]) -> bool:
    words = call["args"]
    if isinstance(words, (str, bytes, os.PathLike)) or words[0] != sys.executable:
        return False
    known = words[2] in MODULES if words[1] == "-m" else not str(words[1]).startswith("-")
    plain = not (call["shell"] or call["preexec_fn"]) and call["close_fds"] and call["executable"] is None
    there = Path(call["cwd"] or ".").is_dir()
    return bool(known and plain and there and is_forked_in(_environment_of(call)))


def fixed_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a process that has started does not take from its environment any more."""
    anew = (UNBUFFERED, ENCODING)
    return {name: value for name, value in environment.items() if name.startswith(FIXED) and name not in anew}


def install() -> None:
    """Have processes forked from now on, where they can be: on Linux."""
    if sys.platform == "linux":
        use(Server(fixed_in(os.environ)))


def is_forked_in(environment: Mapping[str, str]) -> bool:
    """Return whether a process of MODULES with this environment is forked."""
    return _server is not None and fixed_in(environment) == _server.fixed


def use(server: Server) -> None:
    """Have this server fork what this process begins."""
    global _server
    _server = server
    subprocess.Popen = Popen  # type: ignore[misc]


def become_subreaper() -> None:
    """Have orphans below this process become its children."""
    ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1, 0, 0, 0)


def variables_for_scripts() -> dict[str, str]:
    """Return the environment with which `programs/study` finds the server of this process, if it has one."""
    if _server is None:
        return {}
    _server.start()
    return {VARIABLE: _server.name}


@contextmanager
def serving_scripts(variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield that environment for a script with these variables.

    The server is one of its own, and ends with the block, where Python reads some of them when it starts.
    """
    fixed = fixed_in(os.environ | variables)
    if _server is None or fixed == _server.fixed:
        yield variables_for_scripts()
        return
    server = Server(fixed)
    server.start()
    try:
        yield {VARIABLE: server.name}
    finally:
        server.end()
