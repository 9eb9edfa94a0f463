"""The notebooks of the documentation run from top to bottom, in an empty folder, without an error or a warning."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.notebook import Output, start_kernel
from support.shell import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
WARNING = re.compile(r"\w*Warning: ")


def read_cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == kind]


def find_problem(output: Output) -> str:
    """Return the error of a cell, or what it wrote to stderr, or the warning that it printed; "" without any."""
    if output.error is not None:
        return "\n".join(output.error["traceback"])
    return output.stderr or "\n".join(line for line in output.stdout.splitlines() if WARNING.search(line))


@pytest.mark.documents
@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_without_an_error_or_a_warning(notebook: Path, wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    pytest.importorskip("jupyter_client")
    with start_kernel(tmp_path, wheel) as kernel:
        assert kernel.run("import study; print(study.__file__)").stdout.startswith(str(wheel))
        for cell in read_cells(notebook, "code"):
            problem = find_problem(kernel.run("".join(cell["source"])))
            assert not problem, f"{notebook.name}, cell {cell['id']}: {problem}"


def test_an_error_a_warning_and_any_output_on_stderr_are_problems() -> None:
    assert find_problem(Output(stdout="12 trials\n")) == ""
    assert find_problem(Output(error={"traceback": ["NameError"]})) == "NameError"
    assert find_problem(Output(stderr="careful\n")) == "careful\n"
    assert find_problem(Output(stdout="fine\nx.py:1: FutureWarning: gone soon\n")) == "x.py:1: FutureWarning: gone soon"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_and_is_kept_without_outputs(notebook: Path) -> None:
    book = json.loads(notebook.read_text(encoding="utf-8"))
    cells = book["cells"]
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert 10 <= len(cells) <= 15
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in read_cells(notebook, "code"))
    assert notebook.read_text(encoding="utf-8") == json.dumps(book, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("page", ["docs/index.md", "docs/python.md", "mkdocs.yml"])
def test_every_notebook_is_linked(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"notebooks/{path.name}" not in text] == []
    assert len(NOTEBOOKS) == 3
