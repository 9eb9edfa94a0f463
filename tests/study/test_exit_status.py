"""What a command ends with: exit codes, and the status file that a parent process decides by."""

import ast
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support.command import environment, run_process, run_study
from support.waiting import wait_for

import study
from study import exit_status
from study.errors import DatabaseLostError, DatabaseRefusedError, MachineError, StudyHeldError, UserError
from study.exit_status import Cause, ExitCode, ExitStatus, read_status
from study.ledger import lock as lease
from study.ledger.home import Home
from study.service import children
from study.service.queue import Queue
from study.service.runner import Runner, StudyFiles

SPEC = """
name = "mine"
baselines.enabled = false
[data]
source = "synthetic:planar_flower"
examples = 60
[space]
learning_rate = 0.5
iterations = 5
depth = 0
[search]
trials = 1
"""


def asking(path: Path) -> dict[str, str]:
    return environment() | {exit_status.VARIABLE: str(path)}


def test_exit_codes_are_those_that_scripts_know() -> None:
    assert {code.name: int(code) for code in ExitCode} == {"DONE": 0, "FAULT": 1, "USER": 2, "INTERRUPTED": 130}


@pytest.mark.parametrize(
    ("kind", "code", "cause", "retryable"),
    [
        (UserError, 2, "user", False),
        (StudyHeldError, 2, "held", True),
        (DatabaseRefusedError, 2, "database", True),
        (MachineError, 1, "machine", False),
        (DatabaseLostError, 1, "database", True),
    ],
)
def test_a_kind_of_error_says_how_the_command_ends(
    tmp_path: Path, kind: type[UserError | MachineError], code: int, cause: str, retryable: bool
) -> None:
    """Whatever its message is: here always the same one."""
    path = tmp_path / "status.json"
    with mock.patch("study.ledger.home.Home.at", side_effect=kind("anything at all")):
        done = run_study("list", env=asking(path))
    assert (done.returncode, done.stderr) == (code, "study: anything at all\n")
    told = json.loads(path.read_text())
    assert told == {"code": code, "cause": cause, "message": "anything at all", "retryable": retryable}
    assert read_status(path, code) == ExitStatus(code, Cause(cause), "anything at all")


def test_a_study_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.0)
    (tmp_path / "mine.toml").write_text(SPEC)
    home = Home(tmp_path / "home")
    with lease.hold(home.folder("mine").lease, "mine"):
        done = run_study(
            "run", tmp_path / "mine.toml", "--home", home.path, "--jobs", 1, "--no-tracking", env=asking(tmp_path / "s")
        )
    status = read_status(tmp_path / "s", done.returncode)
    assert (done.returncode, status.cause, status.retryable) == (2, Cause.HELD, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], ExitStatus(0, Cause.DONE)),
        (["show"], ExitStatus(2, Cause.USER)),  # typer's own answer
        (
            ["plan", "none.toml"],
            ExitStatus(2, Cause.USER, "none.toml: no such file; create one with `study init data.csv`"),
        ),
    ],
)
def test_a_process_reports_its_end(tmp_path: Path, arguments: Sequence[str], status: ExitStatus) -> None:
    path = tmp_path / "status.json"
    done = run_process(*arguments, env=asking(path), cwd=tmp_path)
    assert read_status(path, done.returncode) == status
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    ("content", "code", "expected"),
    [
        (None, 0, ExitStatus(0, Cause.DONE)),
        (None, -9, ExitStatus(-9, Cause.KILLED)),
        (None, 3, ExitStatus(3, Cause.FAULT)),
        ("{", 2, ExitStatus(2, Cause.USER)),
        ('{"code": 2}', 2, ExitStatus(2, Cause.USER)),
        ('{"code": 2, "cause": "news", "message": ""}', 2, ExitStatus(2, Cause.USER)),
        ('{"code": 2, "cause": "held", "message": "m"}', -15, ExitStatus(-15, Cause.KILLED)),  # not its last word
        ('{"code": 2, "cause": "held", "message": "m\\nn"}', 2, ExitStatus(2, Cause.HELD, "m\nn")),
    ],
)
def test_a_status_file_that_is_missing_or_torn_leaves_the_exit_code(
    tmp_path: Path, content: str | None, code: int, expected: ExitStatus
) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_text(content)
    assert read_status(path, code) == expected


def test_reasons_are_one_line() -> None:
    assert ExitStatus(1, Cause.MACHINE, "no room;\nmake some").reason == "no room; make some"
    assert ExitStatus(-9, Cause.KILLED).reason == "killed by signal 9"
    assert ExitStatus(3, Cause.FAULT).reason == "exited with code 3"


def test_a_status_file_that_cannot_be_written_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(exit_status.VARIABLE, str(tmp_path / "none" / "status.json"))
    exit_status.report(ExitStatus(2, Cause.USER))
    assert not exit_status.is_reported()


def _run_queued(tmp_path: Path, script: str, until: str) -> str:
    """Have a runner start a study whose process runs a script; return the message of its submission."""
    home = Home(tmp_path / "home")
    home.make()
    queue = Queue(home)
    queue.submit("mine", SPEC, {})
    start = children.start
    begun: list[int] = []

    def start_script(_command: Sequence[str], *others: Any) -> children.Process:
        begun.append(1)
        return start([sys.executable, "-c", script if len(begun) == 1 else ""], *others)

    runner = Runner(queue, home, jobs=1, tracking=False)
    with mock.patch.object(children, "start", start_script):
        runner.start()
        try:
            wait_for(lambda: queue.find("mine").state == until, f"the study to be {until}")
        finally:
            runner.stop()
    assert StudyFiles(home, "mine").log.exists()
    return f"{queue.find('mine').message}|{len(begun)}"


_REPORT = (
    "import os, sys; open(os.environ['STUDY_STATUS_FILE'], 'w').write({status!r}); print({words!r}); sys.exit({code})"
)


@pytest.mark.parametrize(
    "words", ["", "study: study 'mine' is being run by process 1 on here", "study: the database at x"]
)
def test_what_a_study_prints_decides_nothing(tmp_path: Path, words: str) -> None:
    """Lines that once had the study wait or run again."""
    status = json.dumps({"code": 2, "cause": "user", "message": "bad.csv: is bad;\nmend it"})
    script = _REPORT.format(status=status, words=words, code=2)
    assert _run_queued(tmp_path, script, "failed") == "bad.csv: is bad; mend it|1"


@pytest.mark.parametrize("cause", ["held", "database"])
def test_the_cause_alone_has_a_study_run_again(tmp_path: Path, cause: str) -> None:
    status = json.dumps({"code": 2, "cause": cause, "message": "in other words"})
    script = _REPORT.format(status=status, words="study: nothing known", code=2)
    assert _run_queued(tmp_path, script, "complete") == "|2"


def _decisions_on_sentences(tree: ast.AST) -> list[int]:
    """Return the lines that look for words of a sentence, or into the text of an exception."""
    asked = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "find", "index"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(each, ast.In | ast.NotIn | ast.Eq) for each in node.ops):
            sides = [node.left, *node.comparators]
            if any(_is_sentence(side) or _is_text_of_error(side) for side in sides):
                found.append(node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts = [part for argument in node.args for part in ast.walk(argument)]
            if node.func.attr in asked and (_is_text_of_error(node.func.value) or any(map(_is_sentence, texts))):
                found.append(node.lineno)
            if node.func.attr in ("search", "match", "fullmatch") and any(map(_is_text_of_error, node.args)):
                found.append(node.lineno)
    return found


def _is_sentence(node: ast.AST) -> bool:
    """Return whether a node is a text of more than one word."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip(" ")


def _is_text_of_error(node: ast.AST) -> bool:
    """Return whether a node is `str(error)`, or a part of it."""
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Name)
        and each.func.id == "str"
        and any("error" in ast.unparse(argument) for argument in each.args)
        for each in ast.walk(node)
    )


def test_no_decision_is_taken_on_a_sentence() -> None:
    folder = Path(study.__file__).parent
    found = {
        f"{path.relative_to(folder)}:{line}"
        for path in sorted(folder.rglob("*.py"))
        for line in _decisions_on_sentences(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "'spec: is not TOML' in str(error)",
        "'MemoryError' in str(error.__cause__)",
        "reason.startswith('the database at ')",
        "line.removeprefix('Value error, ')",
        "re.search('SIG', str(error))",
        "str(error).partition(':')[0]",
    ],
)
def test_the_check_sees_such_decisions(code: str) -> None:
    assert _decisions_on_sentences(ast.parse(code))
