"""How far the best trials are trained again: told while it lasts, in the terminal and to the service."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console
from support.confirmed_study import confirmed
from support.in_process import run_local, spec_with

from study.cli.progress import RunView
from study.cli.terminal import ConfirmBar
from study.evaluation.confirm_progress import ProgressFile, read_progress
from study.ledger import holding
from study.ledger.home import Home
from study.service.reading import StudyReader

TEXT = spec_with("trials = 4")


def test_shares_of_the_work_grow_to_the_whole_and_the_file_has_them_meanwhile(tmp_path: Path) -> None:
    folder = Home(tmp_path).folder("small")
    told: list[tuple[float, float | None]] = []
    confirmed(TEXT, tmp_path, top=3, seeds=3, progress=lambda share: told.append((share, read_progress(folder))))
    shares = [share for share, _ in told]
    assert len(shares) >= 3
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(kept is not None and share - kept < 0.011 for share, kept in told)
    assert read_progress(folder) is None


def test_the_service_tells_it_while_somebody_works_on_the_study(tmp_path: Path) -> None:
    run_local(TEXT, tmp_path)
    place = Home(tmp_path)
    queue: Any = None
    reader = StudyReader(place, queue)

    def confirming() -> float | None:
        line = reader.line("small", None)
        assert line is not None
        return line.confirming

    assert confirming() is None
    with holding.hold(place.folder("small"), "small"), ProgressFile(place.folder("small")) as file:
        assert confirming() == 0.0
        file.update(0.42)
        assert confirming() == 0.42
    file.update(0.5)  # as of a process that was killed
    assert confirming() is None


def test_a_terminal_has_a_bar_of_its_own_for_it(tmp_path: Path) -> None:
    view = RunView(Home(tmp_path))
    view.console = Console(file=io.StringIO(), force_terminal=True, width=80)
    view._confirm_bar = ConfirmBar(view.console)
    with view:
        view.progress.confirming(0.25)
        view.progress.confirming(0.5)
    shown = view.console.file.getvalue()  # type: ignore[attr-defined]
    assert "confirming" in shown
    assert "50%" in shown


def test_no_bar_is_shown_where_there_is_no_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=False)
    with ConfirmBar(console) as bar:
        bar.update(0.5)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
