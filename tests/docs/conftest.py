"""The package as readers of the documents have it."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.sharing import made_once
from support.shell import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as its wheel has it, unpacked where nothing of the repository is near; built once."""
    return made_once(tmp_path_factory, "wheel", _build) / "site"


def _build(folder: Path) -> None:
    source = folder / "source"
    for name in ("engine", "study"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # With the setuptools that is installed, where there is one; it is downloaded otherwise.
    isolation = ["--no-build-isolation"] if find_spec("setuptools") else []
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=200)
    (built,) = folder.glob("*.whl")
    with ZipFile(built) as archive:
        archive.extractall(folder / "site")
    shutil.rmtree(source)
