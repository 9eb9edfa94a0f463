"""The examples of CONTRIBUTING.md run as they stand, one after another, and its links and targets exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.documents import python_blocks
from support.shell import ROOT
from support.stores import give_store
from support.waiting import LIMIT

PAGE = ROOT / "CONTRIBUTING.md"
KINDS = {
    "activation": "activation",
    "optimizer": "optimizer",
    "metric": "metric",
    "sampler": "sampler",
    "data source": "source",
    "executor backend": "parallel_backend",
}


@pytest.mark.slow
def test_the_examples_run_as_one_program(tmp_path: Path, empty_store: Path) -> None:
    give_store(empty_store, tmp_path / "home")
    script = tmp_path / "additions.py"
    script.write_text("\n".join(python_blocks(PAGE)), encoding="utf-8")
    command = [sys.executable, script.name]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "4/4 trials, best dev msle" in done.stdout
    assert "not in MLflow" not in done.stdout  # another process writes there, in which nothing is registered
    assert 0 <= float(done.stdout.splitlines()[-1]) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_addition_has_an_example_that_registers_it(kind: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^### An? {kind}\n(.*?)(?=^##)", page, re.DOTALL | re.MULTILINE)
    assert f"register_{KINDS[kind]}(" in section.partition("```python")[2]


def test_links_and_targets_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [link for link in re.findall(r"\]\(([^)#]+)", page) if not (ROOT / link).exists()] == []
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"`make ([a-z-]+)", page))
    assert len(named) > 8
    assert named <= set(targets)
