"""The examples of CONTRIBUTING.md run as they stand, one after another, and its links and targets exist."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.command import environment, run_process
from support.documents import python_blocks
from support.in_process import spec_with
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
    "transform": "transform",
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
    # Nothing is missing in MLflow, which a warning would say: another process writes there, without what is registered.
    assert 0 <= float(done.stdout) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_addition_has_an_example_that_registers_it(kind: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^### An? {kind}\n(.*?)(?=^##)", page, re.DOTALL | re.MULTILINE)
    assert f"register_{KINDS[kind]}(" in section.partition("```python")[2]


@pytest.mark.slow
def test_the_package_of_the_example_brings_its_metric(tmp_path: Path) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("### A package\n")[2].partition("\n### ")[0]
    project = tomllib.loads(re.findall(r"```toml\n(.*?)```", section, re.DOTALL)[0])["project"]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (points,) = project["entry-points"].values()
    metadata = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [f"[{group}]" for group in project["entry-points"]] + [
        f"{name} = {value}" for name, value in points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    for name, module in points.items():
        (tmp_path / f"{module}.py").write_text(code)
        (tmp_path / "small.toml").write_text(spec_with(f'metric = "{name}"'))
    done = run_process(
        "plan", tmp_path / "small.toml", env=environment() | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    )
    assert done.returncode == 0, done.stderr


def test_links_and_targets_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [link for link in re.findall(r"\]\(([^)#]+)", page) if not (ROOT / link).exists()] == []
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"`make ([a-z-]+)", page))
    assert len(named) > 8
    assert named <= set(targets)
