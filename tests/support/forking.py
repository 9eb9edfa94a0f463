"""Python processes that start in milliseconds, forked from a process that has imported what they need.

Many tests start `python -m study …`, whose imports take two to seven seconds. `install` therefore replaces
`subprocess.Popen` in the test processes. If a command is one of MODULES or a script, a server (fork_server.py), which
has imported the modules that these need, forks the process instead. It is a process like any other: a child of the
process that started it, with the requested arguments, environment, folder, descriptors, session and signal mask. /proc
shows it as the requested command, and it ends with the same code or signal as a new process. The processes that it
starts are forked too, by a server of its own. All other commands start as usual: those with a prefix or `preexec_fn`,
and those whose environment differs in variables that Python, a linker or BLAS read at startup (FIXED).

In a bash script, there is no Popen to replace. `programs/study`, first in its PATH, requests the process from the
server that VARIABLE names, forwards signals, and ends with the same status.
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

# Modules to run as `python -m`, and whether they start processes. Scripts (`python PATH`) do.
MODULES = {"study": True, "study.tracking.exporter_process": False, "mlflow": True, "uvicorn": False}
FIXED = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "LD_", "LC_", "LANG", "COVERAGE_")  # prefixes of names
UNBUFFERED, ENCODING = "PYTHONUNBUFFERED", "PYTHONIOENCODING"  # exceptions, since a forked process reopens its output
PADDING = "-" * 4000  # an argument that forked processes overwrite with their own, for /proc
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}  # read at import
BECOME_SUBREAPER = 36  # of prctl
PROGRAM = str(Path(__file__).with_name("fork_server.py"))
PROGRAMS = Path(__file__).with_name("programs")  # goes into the PATH of scripts
VARIABLE = "FORK_SERVER"  # in their environment
FIRST = (
    "FORKED_RUNS_FIRST"  # a variable with a script that forked processes run before their programs, like sitecustomize
)

PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
NEEDED = {"args", "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env", "shell", "start_new_session"}

_server: "Server | None" = None


class Server:
    """The server from which this process requests processes.

    Args:
        fixed: the server's variables that cannot be changed after it has started.
        control: socket of a running server; by default, a server is started when it is first needed.
    """

    def __init__(self, fixed: dict[str, str], control: socket.socket | None = None) -> None:
        self.fixed, self._control = fixed, control
        self.name = f"fork-server-{os.getpid()}-{id(self)}"
        self._asking = threading.Lock()

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Return the process that the server forks, a child of this process."""
        with self._asking:
            control = self.start()
            body = json.dumps(request).encode(errors="surrogateescape")
            socket.send_fds(control, [struct.pack("!I", len(body))], list(descriptors))
            control.sendall(body)
            reply = control.recv(4)
        assert reply, "the fork server has ended"
        return int(struct.unpack("!i", reply)[0])

    def start(self) -> socket.socket:
        """Start the server if it is not running; it ends with this process."""
        if self._control is None:
            self._control, theirs = socket.socketpair()
            programs = socket.socket(socket.AF_UNIX)
            programs.bind(f"\0{self.name}")  # not a file, so the name disappears with the server
            programs.listen()
            handed = [theirs.fileno(), programs.fileno()]
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STUDY_"))}
            # Arrow's allocator starts a thread otherwise, and a process with threads must not be forked.
            environment = kept | self.fixed | {"JE_ARROW_MALLOC_CONF": "background_thread:false", **QUIET}
            program = [sys.executable, "-W", "ignore", PROGRAM, *map(str, handed), PADDING]
            self._process = subprocess.Popen(program, pass_fds=handed, env=environment, stdin=subprocess.DEVNULL)
            theirs.close()
            programs.close()
            become_subreaper()
            atexit.register(self.end)
        return self._control

    def end(self) -> None:
        """End the server; the processes that it forked continue."""
        atexit.unregister(self.end)
        assert self._control is not None
        self._control.close()
        self._process.wait()


class Popen(subprocess.Popen[Any]):
    """A process that is forked if possible.

    Only the step that starts a process differs, and it has no public name; everything else, such as pipes and waiting,
    stays the same. If a version of Python names or calls it differently, processes start as usual.
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
    """Return the variables that a process reads only at startup."""
    anew = (UNBUFFERED, ENCODING)
    return {name: value for name, value in environment.items() if name.startswith(FIXED) and name not in anew}


def install() -> None:
    """Fork processes from now on if possible, that is, on Linux."""
    if sys.platform == "linux":
        use(Server(fixed_in(os.environ)))


def is_forked_in(environment: Mapping[str, str]) -> bool:
    """Return whether a process of MODULES with this environment is forked."""
    return _server is not None and fixed_in(environment) == _server.fixed


def use(server: Server) -> None:
    """Make this server fork the processes that this process starts."""
    global _server
    _server = server
    subprocess.Popen = Popen  # type: ignore[misc]


def become_subreaper() -> None:
    """Make orphaned descendants of this process its children."""
    ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1, 0, 0, 0)


def variables_for_scripts() -> dict[str, str]:
    """Return the variables with which `programs/study` finds the server of this process, if there is one."""
    if _server is None:
        return {}
    _server.start()
    return {VARIABLE: _server.name}


@contextmanager
def serving_scripts(variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield these variables for a script with the given environment.

    If Python reads some of the environment at startup, the script gets its own server, which ends with the block.
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
