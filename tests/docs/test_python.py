"""Python in the documents runs unchanged: as a script, in an empty folder, from the wheel, as a reader would run it.

By default, the study of the README trains each network for 100 iterations; `make test-all` also runs it unchanged.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import environment
from support.documents import python_blocks
from support.service_server import answering, settings_for
from support.shell import DOCUMENTS, ROOT
from support.stores import give_store
from support.waiting import LIMIT

RunPage = Callable[..., str]
OF_WHEEL = "import sys; print(next(sys.modules[name].__file__ for name in ('engine', 'study') if name in sys.modules))"
ELSEWHERE = {"tracking.md"}  # of the tutorial's study; test_documents.py runs it after the tutorial


@pytest.fixture
def run_page(wheel: Path, tmp_path: Path) -> RunPage:
    """Run a block of a page in the test's folder, then another line; return its output."""

    def run(page: str, also: str = "", number: int = 0, changed: tuple[str, str] = ("", ""), **variables: str) -> str:
        block = python_blocks(ROOT / page)[number]
        assert changed[0] in block
        script = tmp_path / "snippet.py"
        script.write_text(f"{block.replace(*changed)}{also}\n{OF_WHEEL}\n", encoding="utf-8")
        command, known = [sys.executable, script.name], environment() | {"PYTHONPATH": str(wheel)} | variables
        done = subprocess.run(
            command, cwd=tmp_path, env=known, capture_output=True, text=True, timeout=2 * LIMIT, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        *lines, place = done.stdout.splitlines(keepends=True)
        assert place.startswith(str(wheel))
        return "".join(lines)

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("page", "number"), [("README.md", 1), ("docs/engine.md", 0)])
def test_the_network_learns_what_it_is_shown(page: str, number: int, run_page: RunPage) -> None:
    assert float(run_page(page, "print(accuracy)", number)) > 0.9


@pytest.mark.documents
@pytest.mark.parametrize(
    "shorter", [True, pytest.param(False, marks=pytest.mark.exhaustive)], ids=["100 iterations", "unchanged"]
)
def test_the_five_lines_of_the_readme_find_a_configuration(
    shorter: bool, run_page: RunPage, tmp_path: Path, empty_store: Path
) -> None:
    give_store(empty_store, tmp_path / "mlruns")
    # Nearly all of its time is training, most of it in the confirmation.
    changed = ("n_trials=20)", 'n_trials=20, space={"iterations": 100})') if shorter else ("", "")
    said = run_page("README.md", "print(len(study.trials), study.best_value > 0.9)", changed=changed)
    assert said.splitlines()[-1] == "20 True"


@pytest.mark.documents
@pytest.mark.long
def test_a_study_is_run_confirmed_and_finalized(run_page: RunPage, tmp_path: Path, empty_store: Path) -> None:
    give_store(empty_store, tmp_path / "mlruns")
    said = run_page("docs/python.md", "print(type(model).__name__, final.opening.value > 0.8)")
    assert said.splitlines()[-1] == "Pipeline True"


@pytest.mark.documents
@pytest.mark.parametrize(
    ("number", "also"),
    [
        (1, "print(len(scores) == 3 and scores.mean() > 0.8)"),
        (2, "print(model.best_score_ > 0.5)"),
        (3, "print(final.opening.value > 0.8)"),
    ],
)
def test_estimators_are_fitted_and_keep_no_file(number: int, also: str, run_page: RunPage, tmp_path: Path) -> None:
    assert run_page("docs/python.md", also, number).splitlines()[-1] == "True"
    assert [path.name for path in tmp_path.iterdir()] == ["snippet.py"]


@pytest.mark.slow
def test_a_study_is_submitted_to_a_service(run_page: RunPage, tmp_path: Path) -> None:
    with answering(settings_for(tmp_path)) as port:
        said = run_page("docs/service.md", STUDY_SERVER=f"http://127.0.0.1:{port}")
    assert said == "queued\n"


def test_no_page_has_python_that_is_not_run() -> None:
    pages = {page.name: python_blocks(page) for page in DOCUMENTS}
    counts = {name: len(blocks) for name, blocks in pages.items() if blocks and name not in ELSEWHERE}
    assert counts == {"README.md": 2, "engine.md": 1, "python.md": 4, "service.md": 1}
    for page in DOCUMENTS:
        lines = page.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith(("    import ", "    from "))], page.name
