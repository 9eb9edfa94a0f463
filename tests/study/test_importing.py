"""Imports that the machine refuses end a command with a line and exit code 1, and never hang it."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment, run_process, run_study

from study.errors import MachineError
from study.runtime import importing

HANGS = """
import ctypes
from study.runtime import importing
from study import signals
signals.raise_once()
importing.LIMIT = 0.5
with importing.importing():
    ctypes.PyDLL(None).sleep(1000)  # as a library does that loops in C: it does not give Python's lock back
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce ulimit -v")
@pytest.mark.parametrize("kilobytes", [200_000, 500_000])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_limit_on_memory_that_is_too_low_ends_a_command_with_a_line(
    command: str, kilobytes: int, spec: Path, tmp_path: Path
) -> None:
    """SciPy's OpenBLAS would ask for memory again and again, for ever, and no signal would end it."""
    home = ["--home", tmp_path / "home", "--jobs", 2] if command == "run" else []
    low = ("sh", "-c", f'ulimit -v {kilobytes}; exec "$@"', "sh")
    done = run_process(command, spec, *home, prefix=low, env=environment() | {"OPENBLAS_NUM_THREADS": "2"})
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("study: importing ")
    assert "raise the memory limit (ulimit -v)" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_import_that_hangs_in_c_is_ended_where_memory_is_limited() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Timeout (0:00:00")


def test_module_that_cannot_be_imported_is_named_in_a_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "study.cli.views.trial", None)
    done = run_study("show", "small", "--home", home)
    assert done.returncode == 1
    assert done.stderr.startswith("study: study.cli.views.trial could not be imported (")
    assert len(done.stderr.splitlines()) == 1


def test_lack_of_memory_is_a_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def summarize(*_: object) -> None:
        raise MemoryError("Unable to allocate 4 TiB")

    monkeypatch.setattr("study.ledger.results.summarize", summarize)
    done = run_study("show", "small", "--home", home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"study: out of memory (Unable to allocate 4 TiB); {importing.REMEDY}\n"


def test_no_room_is_looked_for_where_a_library_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing.mmap, "mmap", None)
    with importing.importing("numpy"):
        import numpy  # noqa: F401 - is there


def test_library_that_cannot_be_mapped_is_named() -> None:
    expected = pytest.raises(MachineError, match=r"^a library could not be loaded \(libx\.so: failed to map segment")
    with expected, importing.importing():
        raise OSError("libx.so: failed to map segment from shared object")


def test_first_reason_of_a_failed_import_is_given_without_advice() -> None:
    error = ImportError("IMPORTANT: PLEASE READ THIS\nfor advice", name="numpy")
    error.__cause__ = ImportError("libblas.so: failed to map segment\nmore")
    said = importing.explain_import(error)
    assert said.startswith("numpy could not be imported (libblas.so: failed to map segment); free some memory")


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"OPENBLAS_NUM_THREADS": "", "OMP_NUM_THREADS": "5"}, 5),
        ({"OPENBLAS_NUM_THREADS": "1000000", "OMP_NUM_THREADS": ""}, importing.MOST_THREADS),
    ],
)
def test_memory_that_is_looked_for_grows_with_the_threads(
    variables: dict[str, str], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    looked_for: list[int] = []

    def refuse(_: int, size: int, **__: object) -> None:
        looked_for.append(size >> 20)
        raise OSError

    monkeypatch.setattr(importing.mmap, "mmap", refuse)
    for name in importing.LIBRARIES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(MachineError, match=f"with {threads} threads"), importing.importing("pandas", "scipy"):
        pass
    libraries = importing.LIBRARIES
    assert looked_for == [libraries["pandas"] + libraries["scipy"] + importing.THREAD * threads]
