"""The public names have types that a script can be checked with, as strictly as mypy does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.shell import ROOT

CHECKER = shutil.which("pyright") or shutil.which("basedpyright")
# pandas has no types without its stubs, and those of matplotlib are incomplete.
STRICT = {"typeCheckingMode": "strict", "reportMissingTypeStubs": False, "reportUnknownMemberType": False}
WITHOUT_TYPES = "[mypy]\nstrict = true\n[mypy-pandas.*,sklearn.*]\nignore_missing_imports = true\n"


@pytest.mark.exhaustive  # it takes minutes and gigabytes, as it begins without a cache
@pytest.mark.slow
def test_a_script_of_a_user_passes_mypy_strict(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(WITHOUT_TYPES)
    options = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    how = ["--follow-imports", "silent", "--python-executable", sys.executable]
    command = [sys.executable, "-m", "mypy", *options, *how, str(ROOT / "tests/docs/typed_user.py")]
    known = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command, env=known, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(CHECKER is None, reason="neither pyright nor basedpyright is installed")
def test_a_script_of_a_user_passes_pyright_strict(tmp_path: Path) -> None:
    config = STRICT | {"include": [str(ROOT / "tests/docs/typed_user.py")], "extraPaths": [str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    command = [str(CHECKER), "--project", str(tmp_path), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
