"""The progress of a run in Python: in place in a notebook, in one line of a terminal, in the log elsewhere."""

import logging
import os
import signal
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.notebook import Kernel, Output, start_kernel
from support.processes import gone, workers_of
from support.small_study import ENDLESS
from support.waiting import wait_for

from study.api.progress_line import Logged, Notebook, ProgressLine, Status, Terminal, find_output


class Shell:
    """What IPython has in a notebook."""

    kernel = object()


class Displays:
    """Stands in for IPython.display: keeps what was shown, in order."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []

    def display(self, status: Status, *, display_id: bool) -> "Displays":
        assert display_id
        self.shown.append(("new", repr(status)))
        return self

    def update(self, status: Status) -> None:
        self.shown.append(("update", repr(status)))


@pytest.fixture
def displays(monkeypatch: pytest.MonkeyPatch) -> Displays:
    """This process takes itself for a notebook's kernel; its clock stands still."""
    found = Displays()
    module, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    module.get_ipython = Shell  # type: ignore[attr-defined]
    display.display = found.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr("study.api.progress_line.time", types.SimpleNamespace(monotonic=lambda: 1000.0))
    return found


def test_a_notebook_has_one_display_that_is_updated_and_ends_as_it_is(
    displays: Displays, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ProgressLine(quiet=False)
    assert isinstance(line.output, Notebook)
    line.planned, line.metric = 5, "accuracy"
    for number in range(5):
        line.finished(number, "complete", number / 10)
    line.said("worth reading")
    line.end()
    # Updates that follow at once are left out, except for the last.
    assert displays.shown == [
        ("new", "1/5 trials, best dev accuracy 0.0000"),
        ("update", "5/5 trials, best dev accuracy 0.4000"),
    ]
    line.end()
    assert len(displays.shown) == 2
    assert capsys.readouterr().out == "worth reading\n"


def test_an_interrupt_in_a_notebook_is_one_line_in_place_of_the_traceback(
    displays: Displays, capsys: pytest.CaptureFixture[str]
) -> None:
    line, error = ProgressLine(quiet=False), KeyboardInterrupt()
    line.done, line.planned = 1, 3
    line.interrupted(error)
    said = "Interrupted: 1 of 3 trials has finished and is saved; run the cell again to resume the study."
    assert error._render_traceback_() == [said]  # type: ignore[attr-defined]
    assert capsys.readouterr().out == ""


def test_ipython_in_a_terminal_is_a_terminal(displays: Displays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shell, "kernel", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert isinstance(find_output(), Terminal)


def test_a_terminal_has_a_line_that_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    output = Terminal()
    output.show(Status(0.5, "confirming: 50%"))
    output.show(Status(1.0, "done"))
    output.say("worth \x1b reading")
    output.end()
    assert capsys.readouterr().out == "\rconfirming: 50%\rdone           \nworth \\x1b reading\n"


def test_elsewhere_lines_are_records_of_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    with caplog.at_level(logging.DEBUG, "study"):
        line = ProgressLine(quiet=False)
        assert isinstance(line.output, Logged)
        line.said("worth reading")
        line.confirming(0.5)
        line.warned("not in MLflow yet")
        line.interrupted(KeyboardInterrupt())
        line.end()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "worth reading"),
        ("DEBUG", "confirming: 50%"),
        ("WARNING", "not in MLflow yet"),
        ("INFO", "0 of 0 trials have finished and are saved; call run() again to resume."),
    ]
    assert capsys.readouterr().out == ""


def test_nothing_is_shown_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(quiet=True)
    line.said("worth reading")
    line.warned("not in MLflow yet")
    line.confirming(0.5)
    line.interrupted(KeyboardInterrupt())
    line.end()
    assert capsys.readouterr().out == ""


def test_a_status_in_html_is_a_bar_with_escaped_text() -> None:
    html = Status(0.25, "3/12 trials, best dev <b>").__class__(0.25, "<b>")._repr_html_()
    assert '<progress max="1" value="0.2500"></progress><span>&lt;b&gt;</span>' in html


UNTRACKED = """
from contextlib import nullcontext
from study import Study
import study.tracking.exporter
study.tracking.exporter.make_exporter = lambda *_: nullcontext()
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A real kernel, in a folder with the spec of a study that takes long."""
    pytest.importorskip("ipykernel")
    pytest.importorskip("jupyter_client")
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "endless.toml").write_text(ENDLESS)
    with start_kernel(folder) as running:
        assert running.run(UNTRACKED).error is None
        yield running


def some_are_done(output: Output) -> bool:
    return any(not each["text/plain"].startswith("0/") for each in output.displays.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_a_real_kernel_updates_one_display_and_resumes_after_an_interrupt(kernel: Kernel) -> None:
    run = "study = Study.from_toml('endless.toml', home='home')\nstudy.run(n_jobs=1, n_trials={})"
    stopped = kernel.run(run.format(400), some_are_done)
    assert stopped.error is not None
    assert stopped.error["ename"] == "KeyboardInterrupt"
    (line,) = stopped.error["traceback"]
    assert line.startswith("Interrupted: ")
    assert line.endswith("saved; run the cell again to resume the study.")
    kept = int(line.split()[1])
    assert 1 <= kept < 400
    # More than were in flight, since those that had begun are ended too.
    resumed = kernel.run(run.format(kept + 20) + ";")
    assert resumed.error is None
    (last,) = resumed.displays.values()
    assert last["text/plain"].startswith(f"{kept + 20}/{kept + 20} trials, best dev accuracy")
    assert resumed.updates >= 1
    assert "\r" not in resumed.stdout


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_a_second_notebook_is_told_who_runs_the_study_and_resumes_it_once_that_kernel_was_killed(
    kernel: Kernel, tmp_path: Path
) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    run = f"study = Study.from_toml({str(tmp_path / 'endless.toml')!r}, home={str(tmp_path / 'home')!r})\n"
    run += "study.run(n_jobs=2, n_trials={})"
    with start_kernel(tmp_path) as killed:
        pid = int(killed.run(UNTRACKED + "import os; print(os.getpid())").stdout)
        killed.run(run.format(400), leave_once=some_are_done)
        refused = kernel.run(run.format(400))
        assert refused.error is not None
        assert refused.error["ename"] == "StudyHeldError"
        assert str(pid) in refused.error["evalue"]
        workers = workers_of(pid)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: gone(workers), "the workers of the killed kernel to end")
    kept = int(
        kernel.run(run.partition("\n")[0] + "\nprint(sum(row.state != 'running' for row in study.trials))").stdout
    )
    assert kept >= 1
    resumed = kernel.run(run.format(kept + 20) + ";")
    assert resumed.error is None
    assert next(iter(resumed.displays.values()))["text/plain"].startswith(f"{kept + 20}/{kept + 20} trials")
