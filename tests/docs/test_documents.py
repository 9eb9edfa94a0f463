"""The documents are true: generated pages are current, commands exist, the tutorial runs as it stands."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from support.documents import USAGE, python_blocks, runnable, with_fewer_iterations
from support.shell import DOCUMENTS, ROOT, commands, mentioned, run_script, shown

from study import __version__
from study.cli.main import app

TUTORIAL, TRACKING = ROOT / "docs/tutorial.md", ROOT / "docs/tracking.md"
GENERATED = runpy.run_path(str(ROOT / "docs/pages.py"), run_name="pages")


@pytest.mark.parametrize("path", list(GENERATED["PAGES"]), ids=lambda path: path.name)
def test_generated_pages_are_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED["PAGES"][path](), "run python docs/pages.py"


def test_the_reference_of_the_spec_has_every_key_of_every_table() -> None:
    from study.spec import ConfirmSpec, DataSpec, Range, SearchSpec, SpaceSpec

    page = GENERATED["spec_page"]()
    for model in (DataSpec, SpaceSpec, SearchSpec, ConfirmSpec, Range):
        for key, field in model.model_fields.items():
            said = (field.description or "").replace("|", "\\|")
            (row,) = (line for line in page.splitlines() if line.startswith(f"| `{key}` |") and said in line)
            assert ("| required |" in row) == field.is_required()


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_commands_that_a_text_mentions_exist_with_these_arguments(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    given = [shlex.split(words) for words in mentioned(page, "study")]
    if page.name not in USAGE:
        given += [shlex.split(command, comments=True)[1:] for command in commands(page) if command.startswith("study ")]
    for name, *arguments in given:
        assert name in group.commands, f"{page.name}: study {name}"
        if arguments:  # a name alone means the command, whatever it needs
            numbers = ["0" if word == "N" else word for word in arguments]
            group.commands[name].make_context(name, numbers)  # raises where an option or an argument is not known
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {words.split()[0] for words in mentioned(page, "make")} <= set(targets)


def test_commands_are_found_in_the_documents() -> None:
    found = {command.split()[1] for page in DOCUMENTS for command in commands(page) if command.startswith("study ")}
    assert found >= {"init", "plan", "run", "show", "report", "confirm", "compare", "recheck", "finalize", "predict"}
    assert len(mentioned(ROOT / "README.md", "study")) > 15


def test_the_citation_and_the_changelog_name_the_version_and_its_date() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    (version,) = re.findall(r"^version: (\S+)$", citation, re.MULTILINE)
    (date,) = re.findall(r"^date-released: (\S+)$", citation, re.MULTILINE)
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert version == __version__
    assert headings[:2] == ["[Unreleased]", f"[{version}] - {date}"]


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_links_between_the_documents_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({"digits": {"study": 2.0}}, None),
        ({"digits": {"study": 2.0, "other": 6.0}, "wine": {"study": 1.0}}, "| other | 6.0 | 3.0 | 100 |"),
        (
            {"digits": {"study": 2.0, "other": 6.0}, "wine": {"study": 1.0, "other": 12.0}},
            "| other | 6.0 | 12.0 | 6.0 | 100 |",
        ),
    ],
)
def test_the_readme_compares_on_data_that_every_system_was_timed_on(measured: Any, expected: str | None) -> None:
    jobs = {
        data: {
            system: {"seconds": seconds, "memory": 1e8, "times_ours": seconds / found["study"]}
            for system, seconds in found.items()
        }
        for data, found in measured.items()
    }
    results = {"settings": 64, "date": "2026-01-01", "cores": 2, "processor": "some", "jobs": jobs}
    table = GENERATED["comparison"](results)
    assert expected in table if expected else "|" not in table


def test_the_page_of_benchmarks_says_what_a_coordinator_feeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    page = runpy.run_path(str(ROOT / "benchmarks/page.py"), run_name="page")
    costs = {
        "storage": "journal",
        "workers": 2,
        "trials": 1000,
        "ask": 0.01,
        "tell": 0.02,
        "checkpoint": 0,
        "export": 0,
    }
    feeds = [{"storage": "journal", "trials": 1000, "length": length, "fed": int(8 * length)} for length in (0.1, 1.0)]
    results = {"date": "2026-01-01", "cores": 2, "processor": "some", "versions": {}, "costs": [costs], "feeds": feeds}
    found = page["describe_scaling"](results)
    assert "| journal | 2 | 1,000 | 10.0 | 20.0 | 0.0 | 0.0 |" in found
    assert "| journal | 1,000 | 0 | 8 |" in found
    assert "compared with real runs" not in found
    check = {"workers": 2, "trials": 80, "trial": 0.5, "real": 20.0, "predicted": 19.5}
    one = {"workers": 2, "rounds": 60, "round": 0.25, "overhead": 0.04, "idle": 0.06}
    found = page["describe_scaling"](results | {"check": [check], "dask_round": one})
    assert "| 2 | 80 | 0.50 | 20.0 | 19.5 |" in found
    assert "40 ms more than the work" in found
    assert "For 60 ms of this time, no core" in found


@pytest.mark.documents
@pytest.mark.long
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
@pytest.mark.parametrize(
    "shorter", [True, pytest.param(False, marks=pytest.mark.exhaustive)], ids=["fewer iterations", "as it stands"]
)
def test_the_tutorial_runs_line_by_line_from_the_wheel_and_prints_what_it_shows(
    shorter: bool, wheel: Path, tmp_path: Path
) -> None:
    where = "python -c 'import study; print(study.__file__)'"
    tutorial = with_fewer_iterations(tutorial_commands()) if shorter else tutorial_commands()
    (model,) = python_blocks(TRACKING)
    script = "\n".join([where, *tutorial, *tracking_commands(), f"python - <<'END'\n{model}END"])
    done = run_script(script, tmp_path, PYTHONPATH=str(wheel), COLUMNS="100")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stdout.startswith(str(wheel))
    for line in shown(TUTORIAL):
        # Figures may differ in the last digit from one kind of processor to another, and then in which trial is best.
        assert _without_figures(line) in _without_figures(done.stdout), line
    folder = tmp_path / "tumors"
    predictions = (folder / "predictions.csv").read_text().splitlines()
    assert len(predictions) == 1 + 69
    assert predictions[1].split(",")[0] in ("benign", "malignant")
    assert '"predictions"' in (folder / "answer.json").read_text()
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
    assert "MLflow is serving at http://127.0.0.1:5000" in done.stdout
    assert "has runs for 60 trials" in done.stdout  # study sync, of docs/tracking.md


def tutorial_commands() -> list[str]:
    return [command for section in runnable(TUTORIAL).values() for command in section]


def tracking_commands() -> list[str]:
    """Return what docs/tracking.md has beyond the tutorial: it is about the tutorial's study."""
    known = {_bare(command) for command in tutorial_commands()}
    return [command for section in runnable(TRACKING).values() for command in section if _bare(command) not in known]


def _bare(command: str) -> str:
    return command.partition(" #")[0].strip(" &")


@pytest.mark.documents
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs-material is not installed")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train_stack" in (tmp_path / "site/engine.html").read_text(encoding="utf-8")


def _without_figures(text: str) -> str:
    return re.sub(r"[+-]?[\d.e-]*\d[\d.]*", "#", text)
