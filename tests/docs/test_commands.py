"""Every command in the README and in docs/ is run as it stands, page by page, where the page says that it runs.

That is in a clone: a folder with nothing but files of this repository, and with `.venv` standing in for that of `make
setup`; `digits` has four short trials there, and a spec of `study init` is given a tenth of its iterations before it
is run, so that the commands take seconds. The tutorial, in an empty folder, and docs/tracking.md, which is about the
tutorial's study, are run by test_documents.py; the lessons by tests/lessons. support/documents.py has what no test can
run, and why.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from support.documents import NOT_RUN, USAGE, runnable, with_fewer_iterations
from support.forking import PROGRAMS
from support.sharing import made_once
from support.shell import DOCUMENTS, ROOT, commands, run_script

ELSEWHERE = {"tutorial.md", "tracking.md", "lessons.md"}
README = ROOT / "README.md"
FIRST = "study"  # the section of the README with its first command
PAGES = [page for page in DOCUMENTS if page.name not in ELSEWHERE | USAGE and runnable(page)]
FEWER = {
    "trials = 60": "trials = 4",
    "low = 100, high = 1000, step = 100": "low = 10, high = 20, step = 10",
    "high = 128, log = true": "high = 16, log = true",
    "top = 5": "top = 2",
    "seeds = 10": "seeds = 2",
}
# What a page says that comes of its commands.
PROMISED = {
    "README.md": ["wrote wine.toml", "wine: "],
    "home.md": ["has runs for 4 trials; 4 were newly written", "trial 3 complete"],
    "report.md": ["mlruns/studies/digits/report.html", "digits.html", "report.md", '"trials"'],
    "service.md": ["digits"],
}


@pytest.mark.documents
@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_where_it_says(page: Path, clone: Path, studied: Path, tmp_path: Path) -> None:
    sections = runnable(page)
    if page == README:
        del sections[FIRST]  # it was given in the folder already
    given = [command for section in sections.values() for command in section]
    if any(command.startswith("study init ") for command in given):
        given = with_fewer_iterations(given)
    folder = tmp_path / "clone"
    shutil.copytree(studied if page == README or begins_after(page) == "study" else clone, folder, symlinks=True)
    done = run_script("\n".join(given), folder, HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    for promised in PROMISED.get(page.name, ()):
        assert promised in done.stdout


@pytest.mark.documents
def test_the_first_command_of_the_readme_runs_a_study_and_says_what_next(studied: Path) -> None:
    said = (studied.parent / "said.txt").read_text()
    assert "digits: 4 complete" in said
    for next_one in ("study show digits", "study report digits", "make ui"):
        assert next_one in said
        assert next_one in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_where_its_commands_run(page: Path) -> None:
    assert begins_after(page) is not None


def test_what_is_not_run_stands_in_the_documents() -> None:
    for page, start in NOT_RUN:
        (path,) = (path for path in DOCUMENTS if path.name == page)
        assert any(command.startswith(start) for command in commands(path)), f"{page}: {start}"


def begins_after(page: Path) -> str | None:
    """Return the target of make after which a page's commands run in a clone, "" for none; None if it does not say."""
    said = re.search(r"[Ii]n a clone(?:, after `make (setup|study)`)?", page.read_text(encoding="utf-8"))
    return None if said is None else said[1] or ""


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after `make setup`, of what `study` and make read in one; tests change copies."""
    return made_once(tmp_path_factory, "clone", write_clone)


@pytest.fixture(scope="session")
def studied(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone where the README's first command was given; what it said is beside it."""

    def make(folder: Path) -> None:
        shutil.copytree(clone, folder / "clone", symlinks=True)
        done = run_script("\n".join(runnable(README)[FIRST]), folder / "clone")
        assert done.returncode == 0, done.stderr
        (folder / "said.txt").write_text(done.stdout)

    return made_once(tmp_path_factory, "studied", make) / "clone"


def write_clone(folder: Path) -> None:
    """Copy specs and the Makefile, with a `.venv` that it takes for prepared, and with fewer trials of digits."""
    shutil.copytree(ROOT / "experiments", folder / "experiments", ignore=shutil.ignore_patterns("*.h5", "__pycache__"))
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    digits = folder / "experiments/digits.toml"
    text = digits.read_text(encoding="utf-8")
    for given, fewer in FEWER.items():
        assert text.count(given) == 1, given
        text = text.replace(given, fewer)
    digits.write_text(text, encoding="utf-8")
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("python", "study"):
        places = [str(PROGRAMS), str(Path(sys.executable).parent), os.environ["PATH"]]
        program = shutil.which(name, path=os.pathsep.join(places))
        assert program is not None
        (programs / name).symlink_to(program)
    (folder / ".venv/.ready").touch()
