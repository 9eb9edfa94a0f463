"""Importing what is large, in a block: it ends well, or in a line that says why, and never hangs.

Where OpenBLAS, which NumPy and SciPy carry within, gets no memory it asks again for ever, in C and while the module is
being loaded: no signal is looked at. So room is looked for before.
"""

import faulthandler
import mmap
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from study import signals
from study.errors import MachineError

LIBRARIES = {"numpy": 120, "pandas": 250, "scipy": 140}  # MB of address space, with what is imported beside them
WITH_BLAS = ("numpy", "scipy")  # each carries an OpenBLAS of its own
THREAD = 40  # MB that each of its threads takes: buffer and stack
MOST_THREADS = 64  # that NumPy's and SciPy's OpenBLAS begin
LIMIT = 120.0  # seconds
REMEDY = "free some memory, or raise the memory limit (ulimit -v)"


@contextmanager
def importing(*libraries: str) -> Iterator[None]:
    """Import in this block; an interrupt waits for its end.

    Where memory is limited, a command that is not through after LIMIT seconds is ended from outside of Python, with a
    traceback of where it is.

    Args:
        libraries: those of LIBRARIES that are imported in the block, or soon after it.

    Raises:
        MachineError: there is no room for them, or the system cannot load one.
    """
    _check_room([name for name in libraries if name not in sys.modules])
    with signals.deferred(), _watched():
        try:
            yield
        except OSError as error:  # of a library that is loaded by ctypes
            raise MachineError(f"a library could not be loaded ({error}); {REMEDY}") from error


def explain_import(error: ImportError | MemoryError) -> str:
    """Return in a line why something could not be imported, or what else had no memory."""
    if isinstance(error, MemoryError):
        return f"out of memory{f' ({error})' if str(error) else ''}; {REMEDY}"
    first: BaseException = error  # NumPy says the same in thirty lines of advice
    while isinstance(first.__cause__ or first.__context__, (ImportError, OSError)):
        first = first.__cause__ or first.__context__ or first
    reason = str(first).partition("\n")[0]
    remedy = "install it" if isinstance(first, ModuleNotFoundError) else f"{REMEDY}, or reinstall it"
    return f"{error.name or 'a library'} could not be imported ({reason}); {remedy}"


def _check_room(libraries: Sequence[str]) -> None:
    if not libraries:
        return
    threads = _blas_threads()
    needed = sum(LIBRARIES[name] + THREAD * threads * (name in WITH_BLAS) for name in libraries)
    try:
        mmap.mmap(-1, needed << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()  # nothing of it is touched
    except OSError:
        raise MachineError(
            f"importing {', '.join(libraries)} with {threads} threads needs {needed} MB of memory, more than is left;\n"
            f"{REMEDY}; OPENBLAS_NUM_THREADS=1 needs less"
        ) from None


def _blas_threads() -> int:
    """Return how many threads OpenBLAS is going to begin."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        given = os.environ.get(name, "")
        if given.isascii() and given.isdigit() and int(given):
            return min(int(given), MOST_THREADS)
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_THREADS)


@contextmanager
def _watched() -> Iterator[None]:
    """End this process where memory is limited and the block does not end; only in one of the command line's own."""
    is_limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    if not (is_limited and signals.are_raised()) or sys.stderr is None:
        yield
        return
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
