"""What is said beside an answer: -v and -q on every command, the logger of the package, colors, and the version."""

import logging
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from support.command import environment, run_study

import study
from study.cli.main import app
from study.text.console import make_console
from study.text.verbosity import TerminalHandler, telling

SPEC = """
name = "tiny"
baselines.enabled = false
[data]
source = "synthetic:planar_flower"
examples = 60
[space]
learning_rate = 0.5
iterations = 5
depth = 0
[search]
trials = 2
pruner = "none"
"""
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_more_or_less(name: str) -> None:
    options = {flag for each in COMMANDS[name].params for flag in each.opts}
    assert {"--verbose", "-v", "--quiet", "-q"} <= options


def run_tiny(folder: Path, *options: str) -> tuple[str, str]:
    (folder / "tiny.toml").write_text(SPEC)
    home = folder / f"home{''.join(options)}"
    done = run_study("run", folder / "tiny.toml", "--home", home, "--jobs", 1, "--no-tracking", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_progress_and_hints_go_by_it(tmp_path: Path) -> None:
    """The answer, the table of trials, is there whatever is said beside it."""
    (said, errors), (quiet, still), (verbose, more) = (run_tiny(tmp_path, *each) for each in ((), ("-q",), ("-v",)))
    for progress in ("the test set stays sealed", "trial 0 complete", "All trials:"):
        assert progress in said
        assert progress in verbose
        assert progress not in quiet
    assert "trial  accuracy" in re.sub(" +", "  ", quiet)
    assert quiet.strip().splitlines()[0] in said
    assert (errors, still) == ("", "")
    assert f"study: study 'tiny', home {tmp_path}" in more
    assert "study: Python 3." in more


def test_more_and_less_at_once_is_refused() -> None:
    done = run_study("list", "-v", "-q")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "study: --verbose and --quiet cannot be used together\n"


def test_warnings_are_said_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("study.tracking")
    with telling(logging.WARNING):
        log.warning("a \x1b[31mwarning")
        log.info("progress")
    with telling(logging.DEBUG):
        log.info("progress")
        log.debug("details")
    assert capsys.readouterr() == ("progress\n", "study: a \\x1b[31mwarning\nstudy.tracking: details\n")


def test_the_logger_is_left_as_it_was() -> None:
    logger = logging.getLogger("study")
    before = (list(logger.handlers), logger.level)
    assert run_study("list", "--home", "/nonexistent", "-q").returncode in (0, 2)
    assert (logger.handlers, logger.level) == before
    assert not any(isinstance(each, TerminalHandler) for each in logger.handlers)


def test_who_uses_the_library_hears_of_progress_by_the_logger(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_tiny(tmp_path)
    said = [record.getMessage() for record in caplog.records if record.name == "study"]
    assert any(line.startswith("trial 0 complete") for line in said)


@pytest.mark.parametrize(("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_honored(
    variables: dict[str, str], colored: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in {"FORCE_COLOR": "1", **variables}.items():
        monkeypatch.setenv(name, value)
    make_console().print("trial 1", style="bold red")
    assert bool(re.search(r"\x1b\[[\d;]*3\d", capsys.readouterr().out)) is colored


def test_help_and_errors_have_no_color() -> None:
    for arguments in (["--help"], ["show", "--help"], ["show"]):
        done = run_study(*arguments, env=environment() | {"NO_COLOR": "1", "FORCE_COLOR": "1"})
        assert "\x1b" not in done.stdout + done.stderr


def test_version_has_one_source() -> None:
    done = run_study("--version")
    assert (done.returncode, done.stdout) == (0, f"study {study.__version__}\n")
    project = tomllib.loads((Path(study.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "study.__version__"}


@pytest.mark.slow
def test_the_package_is_run_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "study", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"study {study.__version__}\n", "")
