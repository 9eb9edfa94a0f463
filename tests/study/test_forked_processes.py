"""Processes that the tests fork in place of new ones (support/forking.py) are those that the program begins."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.forking import MODULES

import study

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
SCRIPT = "import sys; print('optuna' in sys.modules, sys.argv[1]); input()"


def test_every_module_that_the_program_runs_is_forked() -> None:
    """One that is not imports for seconds in each of the tests that begin it, and nothing else shows it."""
    folder = Path(study.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    begun = {name for text in texts for name in re.findall(r'"-m",\s*"([\w.]+)"', text)}
    assert begun >= {"study", "mlflow"}
    assert begun <= set(MODULES)


@pytest.mark.slow
def test_forked_process_prints_unbuffered_where_that_is_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    variables = environment() | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, script, "word"], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True word\n"  # before it ends
        process.communicate("\n")
    assert process.returncode == 0
