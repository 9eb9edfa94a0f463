"""What goes wrong on real machines, done to real processes: no finished trial is lost, and the study ends the same."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import run_local, spec_with
from small_study import SMALL, environment, run_study

from study.home import Home
from study.ledger import RESULT, Ledger, repair
from study.results import summarize

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

Process = subprocess.Popen[str]


def begin(spec: Path, home: Path) -> Process:
    """Begin a run in a process group of its own."""
    command = [sys.executable, "-m", "study.cli", "run", spec, "--home", home, "--jobs", "2"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment(), start_new_session=True)


def wait_for(process: Process, words: str) -> None:
    """Read the output up to a line that has these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"no line with {words!r}; {process.communicate()[1]}")


def wait_until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.01)


def fate(pid: int) -> tuple[str, int]:
    """Return state and parent of a process; "X" where there is none."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return state, int(parent)


def workers_of(process: Process) -> list[int]:
    children = [int(place.name) for place in Path("/proc").glob("[0-9]*") if fate(int(place.name))[1] == process.pid]
    return [pid for pid in children if b"popen_loky" in command_of(pid)]


def command_of(pid: int) -> bytes:
    """Return the command of a process; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def gone(pids: list[int]) -> bool:
    return all(fate(pid)[0] in "XZ" for pid in pids)


def trials(home: Path) -> list[tuple[int, str, str | None]]:
    return [(row.number, row.state, row.fingerprint) for row in summarize(Home(home), "small").trials]


def go_on(spec: Path, home: Path) -> list[str]:
    """Run the same command to the end; return what it says of trials."""
    done = run_study("run", spec, "--home", home, "--jobs", 2)
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if line.startswith("trial ")]


def finish(home: Path) -> int:
    """Go on to the end in this process, which is faster; return how many trials were finished before."""
    folder = Home(home).folder("small")
    repair(folder)
    before = sum(row.state != "running" for row in summarize(Home(home), "small").trials)
    run_local(SMALL, home)
    return before


def test_workers_that_are_killed_cost_no_trial(spec: Path, home: Path, finished: Path) -> None:
    process = begin(spec, home)
    for done in (1, 5, 8):
        wait_for(process, f"({done}/12)")
        for pid in workers_of(process)[: 1 if done < 8 else 2]:
            os.kill(pid, signal.SIGKILL)
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (0, ""), output
    assert trials(home) == trials(finished)


def test_a_trial_too_large_for_its_worker_fails_alone_and_says_why(tmp_path: Path) -> None:
    space = "units = [4, 4000]\nunits_pattern = 'constant'\ndepth = 2\niterations = 20"
    summary = run_local(spec_with("trials = 8\npruner = 'none'\nworker_memory = 256", space=space), tmp_path, jobs=2)
    large = [row.number for row in summary.trials if row.params["units"] == 4000]
    assert large
    assert [row.number for row in summary.trials if row.state != "complete"] == large
    for trial in Ledger(Home(tmp_path).folder("small"), "small").trials():
        reason = str(trial.user_attrs[RESULT]["reason"])
        assert (trial.number in large) == (reason.startswith("out of memory") and reason.endswith(", 3 times"))


@pytest.mark.parametrize("outlive", [False, True])
def test_a_killed_coordinator_leaves_nothing_that_hinders(
    spec: Path, endless: Path, home: Path, finished: Path, outlive: bool
) -> None:
    process = begin(endless, home)
    wait_for(process, "(3/400)")
    orphans = workers_of(process)
    assert len(orphans) == 2
    for pid in orphans if outlive else []:
        os.kill(pid, signal.SIGSTOP)  # they stay, with all that they inherited, while the next run goes
    process.kill()
    process.wait()
    told = go_on(spec, home)
    assert not gone(orphans) or not outlive
    for pid in orphans if outlive else []:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: gone(orphans))
    assert len(told) <= 9
    assert trials(home)[:12] == trials(finished)
    process.communicate()


def test_sigterm_to_the_coordinator_alone_takes_its_workers_along(endless: Path, home: Path, finished: Path) -> None:
    process = begin(endless, home)
    wait_for(process, "(3/400)")
    workers = workers_of(process)
    process.terminate()
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (130, "study: interrupted\n"), output
    assert "the same command goes on from here" in output
    assert gone(workers)
    assert 3 <= finish(home) < 400
    assert trials(home)[:12] == trials(finished)


@pytest.mark.slow
def test_ctrl_c_twice_is_as_good_as_once(endless: Path, home: Path, finished: Path) -> None:
    for gap in (0, 0.02, 0.2):
        process = begin(endless, home)
        wait_for(process, "trial ")
        workers = workers_of(process)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(gap)  # what the second one interrupts is chance; what comes out is not
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=100)
        assert (process.returncode, errors) == (130, "study: interrupted\n"), output
        assert gone(workers)
    finish(home)
    assert trials(home)[:12] == trials(finished)


def test_ctrl_c_before_the_first_line_is_answered_too(spec: Path, home: Path) -> None:
    process = begin(spec, home)
    wait_until(lambda: b"multiarray" in Path(f"/proc/{process.pid}/maps").read_bytes())  # it is importing
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=100) == ("", "study: interrupted\n")
    assert process.returncode == 130


def test_ctrl_c_while_workers_are_beginning_is_not_theirs_to_answer(endless: Path, home: Path) -> None:
    process = begin(endless, home)
    wait_until(lambda: bool(workers_of(process)))
    workers = workers_of(process)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (130, "study: interrupted\n"), output
    assert gone(workers)


@pytest.mark.parametrize("size", [2200, 40 << 10])  # the ledger's beginning does not fit, or its second half
def test_a_full_disk_ends_the_run_with_its_reason_and_loses_nothing(
    spec: Path, home: Path, finished: Path, size: int
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = run_study("run", spec, "--home", home, "--jobs", 2, preexec_fn=limit)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == (
        f"study: {home}: File too large; raise the limit on the size of files (ulimit -f), then the same command goes "
        "on from here.\nNothing finished is lost.\n"
    )
    said = sum(line.startswith("trial ") for line in done.stdout.splitlines())
    assert (said > 0) == (size > 2200)
    assert said <= finish(home) < 12
    assert trials(home) == trials(finished)


@pytest.mark.slow
def test_a_run_that_is_suspended_goes_on(endless: Path, home: Path, finished: Path) -> None:
    process = begin(endless, home)
    wait_for(process, "(3/400)")
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(2)  # that is how long it is suspended
    assert summarize(Home(home), "small").state == "running"
    os.kill(process.pid, signal.SIGCONT)
    wait_for(process, "(40/400)")
    process.terminate()
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (130, "study: interrupted\n"), output
    finish(home)
    assert trials(home)[:12] == trials(finished)


@pytest.mark.slow
def test_of_two_begun_at_once_on_an_empty_home_one_runs(spec: Path, tmp_path: Path, finished: Path) -> None:
    home = tmp_path / "home"
    spec.write_text(SMALL.replace("trials = 12", "trials = 60"))  # longer than one may begin after the other
    first, second = begin(spec, home), begin(spec, home)
    ended = {process.pid: process.communicate(timeout=100) for process in (first, second)}
    winner, refused = (first, second) if first.returncode == 0 else (second, first)
    assert (winner.returncode, refused.returncode) == (0, 2), ended
    assert f"study 'small' is being run by process {winner.pid} on " in ended[refused.pid][1]
    assert ended[winner.pid][1] == ""
    assert "MLflow could not be written" not in ended[winner.pid][0]
    assert trials(home)[:12] == trials(finished)
