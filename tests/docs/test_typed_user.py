"""The public names have types that a script can be checked with, as strictly as mypy does."""

import sys
from pathlib import Path

import pytest
from mypy import api
from support.shell import ROOT

WITHOUT_TYPES = "[mypy]\nstrict = true\n[mypy-pandas.*,sklearn.*]\nignore_missing_imports = true\n"


@pytest.mark.slow
@pytest.mark.long
def test_a_script_of_a_user_passes_mypy_strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    (tmp_path / "mypy.ini").write_text(WITHOUT_TYPES)
    options = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    how = ["--follow-imports", "silent", "--python-executable", sys.executable]
    printed, problems, status = api.run([*options, *how, str(ROOT / "tests/docs/typed_user.py")])
    assert (status, problems) == (0, ""), printed
