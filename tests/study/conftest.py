"""The small study: its spec, and a home where it has been run; and a database."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Server, start_server
from small_study import ENDLESS, SMALL, run_study

from study.home import Home
from study.tracking.store import make_store


@pytest.fixture
def spec(tmp_path: Path) -> Path:
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
    folder = tmp_path_factory.mktemp("store")
    make_store(Home(folder))
    return folder / "mlflow.db"


@pytest.fixture
def home(tmp_path: Path, empty_store: Path) -> Path:
    """A home without studies."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(empty_store, folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the small study, run once with two workers; tests do not change it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(SMALL)
    done = run_study("run", folder / "small.toml", "--home", folder / "home", "--jobs", 2)
    assert done.returncode == 0, done.stderr
    return folder / "home"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A real PostgreSQL."""
    with start_server() as running:
        yield running


@pytest.fixture
def storage(server: Server) -> str:
    """The address of an empty database."""
    return server.make_database()
