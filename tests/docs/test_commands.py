"""Every command in the README and in docs/ is run as it stands, a section at a time, where what it names is there.

What is there is small, so that the commands take seconds: `digits` is a study of four trials, `penguins.csv` has sixty
rows, `.venv` stands in for that of `make setup`, and a spec of `study init` is given a tenth of its iterations before
it is run. The tutorial, and docs/tracking.md, which is about the tutorial's study, are run by test_documents.py; the
lessons by tests/lessons. support/documents.py has what no test can run, and why.
"""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.documents import NOT_RUN, USAGE, runnable, with_fewer_iterations
from support.forking import PROGRAMS
from support.sharing import made_once
from support.shell import DOCUMENTS, ROOT, commands, run_script

ELSEWHERE = {"tutorial.md", "tracking.md", "lessons.md"}
DIGITS = """
name = "digits"
[data]
source = "sklearn:digits"
[space]
learning_rate = { low = 0.1, high = 1.0 }
iterations = 20
depth = 1
units = 4
[search]
trials = 4
"""


README = ROOT / "README.md"
FIRST = (README, "study")  # which the workshop is made by
SECTIONS = [
    pytest.param(page, heading, id=f"{page.name}: {heading}")
    for page in DOCUMENTS
    if page.name not in ELSEWHERE | USAGE
    for heading in runnable(page)
    if (page, heading) != FIRST
]


@pytest.mark.documents
@pytest.mark.parametrize(("page", "heading"), SECTIONS)
def test_the_commands_of_a_section_run_as_they_stand(page: Path, heading: str, workshop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workshop"
    shutil.copytree(workshop, folder, symlinks=True)
    given = runnable(page)[heading]
    if any(command.startswith("study init ") for command in given):
        given = with_fewer_iterations(given)
    done = run_script("\n".join(given), folder, HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    for promised in PROMISED.get(f"{page.name}: {heading}", ()):
        assert promised in done.stdout


# What the page says that comes of the commands.
PROMISED = {
    "README.md: What it does": ["wrote penguins.toml", "penguins: "],
    "home.md: Moving a home": ["digits: 4 trials have a run each", "4 were written now"],
    "home.md: Starting again": ["trial 3 complete"],
    "report.md: The report of a study": ["mlruns/studies/digits/report.html", "digits.html", "report.md", '"trials"'],
}


def test_the_first_command_of_the_readme_runs_a_study_and_says_what_next(workshop: Path) -> None:
    said = (workshop / "said.txt").read_text()
    assert "digits: 4 complete" in said
    for next_one in ("study show digits", "study report digits", "make ui"):
        assert next_one in said
        assert next_one in README.read_text(encoding="utf-8")


def test_what_is_not_run_stands_in_the_documents() -> None:
    for page, start in NOT_RUN:
        (path,) = (path for path in DOCUMENTS if path.name == page)
        assert any(command.startswith(start) for command in commands(path)), f"{page}: {start}"


def test_what_is_promised_is_promised_by_a_section() -> None:
    assert set(PROMISED) <= {case.id for case in SECTIONS}


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the documents name, where the README's first command has been given; tests change copies."""

    def make(folder: Path) -> None:
        (folder / "experiments").mkdir()
        for name in ("digits.toml", "experiments/digits.toml"):
            (folder / name).write_text(DIGITS)
        write_penguins(folder / "penguins.csv")
        write_stand_in(folder)
        done = run_script("\n".join(runnable(FIRST[0])[FIRST[1]]), folder)
        assert done.returncode == 0, done.stderr
        (folder / "said.txt").write_text(done.stdout)

    return made_once(tmp_path_factory, "workshop", make)


def write_penguins(path: Path) -> None:
    """Write a table of two species that differ in the length of their bills."""
    rng = np.random.default_rng(0)
    gentoo = np.arange(60) % 2 == 1
    bills, masses = rng.normal(39 + 8 * gentoo, 2), rng.normal(4000, 300, 60)
    table = {
        "bill_length_mm": bills.round(1),
        "body_mass_g": masses.round(),
        "species": np.where(gentoo, "Gentoo", "Adelie"),
    }
    pd.DataFrame(table).to_csv(path, index=False)


def write_stand_in(folder: Path) -> None:
    """Copy the Makefile, with a `.venv` that it takes for prepared."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("python", "study"):
        places = [str(PROGRAMS), str(Path(sys.executable).parent), os.environ["PATH"]]
        program = shutil.which(name, path=os.pathsep.join(places))
        assert program is not None
        (programs / name).symlink_to(program)
    (folder / ".venv/.ready").touch()
