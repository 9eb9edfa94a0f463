"""What all tests share: how hypothesis draws, the small study and its home, servers and a browser of the session."""

import gc
import os

# Matrices are small and tests run side by side: threads of BLAS would stand in each other's way, here and in what is
# started from here. It is read when NumPy is imported.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from support import forking
from support.browser import start_browser
from support.command import run_study
from support.ordering import long_ones_first
from support.postgres import Server, start_server
from support.sharing import made_once
from support.small_study import ENDLESS, SMALL
from support.stores import give_store
from support.studies import TABLE, write_table

# The same cases each time, and no clock that a busy machine could fail.
settings.register_profile("study", deadline=None, derandomize=True)
settings.load_profile("study")

forking.install()


@pytest.fixture(scope="module", autouse=True)
def _same_environment() -> Iterator[None]:
    """Fail a module that leaves a variable changed which processes read when they start."""
    before = forking.fixed_in(os.environ)
    yield
    assert forking.fixed_in(os.environ) == before


def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are processors: some tests wait for servers, or for what they killed."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)  # of those that are left
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each process begin with tests that are marked `long`."""
    work = getattr(config, "workerinput", None)  # of a process of pytest-xdist
    if work is not None:
        items[:] = long_ones_first(items, work["workercount"])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Have Python's collector of garbage pass over what is imported and collected, now and later: it takes seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """The spec of the small study."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """The spec of the same study with more trials than there is time for."""
    path = tmp_path / "endless.toml"
    path.write_text(ENDLESS)
    return path


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's schema, made once: two seconds that most tests need not spend again."""

    def make(folder: Path) -> None:
        from study.ledger.home import Home
        from study.tracking.store import make_store

        make_store(Home(folder))

    return made_once(tmp_path_factory, "store", make) / "mlflow.db"


@pytest.fixture
def home(tmp_path: Path, empty_store: Path) -> Path:
    """A home without studies."""
    folder = tmp_path / "home"
    give_store(empty_store, folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """The home of the small study, run once with two workers and in MLflow; tests do not change it."""

    def make(folder: Path) -> None:
        (folder / "small.toml").write_text(SMALL)
        give_store(empty_store, folder / "home")
        done = run_study("run", folder / "small.toml", "--home", folder / "home", "--jobs", 2)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "finished", make) / "home"


@pytest.fixture(scope="session")
def finalized(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A folder with a table, its spec, and `home`, in which the study has been run and finalized, in MLflow too."""

    def make(folder: Path) -> None:
        write_table(folder / "table.csv")
        (folder / "table.toml").write_text(TABLE)
        give_store(empty_store, folder / "home")
        for command in (("run", folder / "table.toml", "--jobs", 1), ("finalize", "table")):
            done = run_study(*command, "--home", folder / "home")
            assert (done.returncode, done.stderr) == (0, ""), done.stdout

    return made_once(tmp_path_factory, "finalized", make)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL, which no test stops."""
    with start_server() as running:
        yield running


@pytest.fixture
def storage(postgres: Server) -> str:
    """The address of an empty database."""
    return postgres.make_database()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real browser."""
    with start_browser() as driver:
        yield driver


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """The browser, which shows nothing and whose console is empty."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get("about:blank")
