"""Import large libraries in a block that either succeeds or fails with a one-line message, and never hangs.

If OpenBLAS, which NumPy and SciPy bundle, cannot allocate memory, it retries forever in C while the module is loading,
and Python handles no signal meanwhile. The available memory is therefore checked before the import.
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

LIBRARIES = {"numpy": 120, "pandas": 250, "scipy": 140}  # MB of address space, including their dependencies
WITH_BLAS = ("numpy", "scipy")  # each bundles its own OpenBLAS
THREAD = 40  # MB per OpenBLAS thread, for its buffer and stack
MOST_THREADS = 64  # maximum that the OpenBLAS of NumPy and SciPy starts
LIMIT = 120.0  # seconds
REMEDY = "free some memory, or raise the memory limit (ulimit -v)"


@contextmanager
def importing(*libraries: str) -> Iterator[None]:
    """Import libraries in this block, and delay interrupts until its end.

    If memory is limited and the block has not ended after LIMIT seconds, the process is terminated from outside Python,
    with a traceback.

    Args:
        libraries: names in LIBRARIES that are imported in the block or soon after it.

    Raises:
        MachineError: if there is not enough memory for the libraries, or the system could not load one of them.
    """
    _check_room([name for name in libraries if name not in sys.modules])
    with signals.deferred(), _watched():
        try:
            yield
        except OSError as error:  # raised by ctypes
            raise MachineError(f"a library could not be loaded ({error}); {REMEDY}") from error


def explain_import(error: ImportError | MemoryError) -> str:
    """Return one line that explains why an import failed or memory ran out."""
    if isinstance(error, MemoryError):
        return f"out of memory{f' ({error})' if str(error) else ''}; {REMEDY}"
    first: BaseException = error  # NumPy wraps the cause in thirty lines of advice
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
        mmap.mmap(-1, needed << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()  # reserves address space only
    except OSError:
        raise MachineError(
            f"importing {', '.join(libraries)} with {threads} threads needs {needed} MB of memory, more than is left;\n"
            f"{REMEDY}, or set OPENBLAS_NUM_THREADS=1 to use less"
        ) from None


def _blas_threads() -> int:
    """Return the number of threads that OpenBLAS will start."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        given = os.environ.get(name, "")
        if given.isascii() and given.isdigit() and int(given):
            return min(int(given), MOST_THREADS)
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_THREADS)


@contextmanager
def _watched() -> Iterator[None]:
    """Terminate this process if memory is limited and the block does not end; only for the command line."""
    is_limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    if not (is_limited and signals.are_raised()) or sys.stderr is None:
        yield
        return
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
