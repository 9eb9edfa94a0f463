"""What goes wrong on real machines, done to real processes: no finished trial is lost, and the study ends the same."""

import os
import resource
import signal
import time
from pathlib import Path

import pytest
from support.command import Process, begin_process, read_until, run_process, run_study
from support.in_process import run_local, spec_with
from support.processes import exporters_of, fate, gone, needs_proc, send, workers_of
from support.small_study import SMALL
from support.waiting import wait_for

from study.ledger.home import Home
from study.ledger.ledger import RESULT, Ledger, repair
from study.ledger.results import summarize

pytestmark = needs_proc


def begin(spec: Path, home: Path, *options: object) -> Process:
    """Begin a run in a process group of its own, without MLflow."""
    return begin_tracked(spec, home, "--no-tracking", *options)


def begin_tracked(spec: Path, home: Path, *options: object) -> Process:
    """Begin a run in a process group of its own, with the process that writes to MLflow."""
    return begin_process("run", spec, "--home", home, "--jobs", 2, *options, start_new_session=True)


def trials(home: Path) -> list[tuple[int, str, str | None]]:
    return [(row.number, row.state, row.fingerprint) for row in summarize(Home(home), "small").trials]


def finish(home: Path) -> int:
    """Go on to the end; return how many trials were finished before."""
    folder = Home(home).folder("small")
    repair(folder)
    before = sum(row.state != "running" for row in summarize(Home(home), "small").trials)
    run_local(SMALL, home)
    return before


@pytest.mark.faults
@pytest.mark.slow
def test_workers_that_are_killed_cost_no_trial(spec: Path, home: Path, finished: Path) -> None:
    process = begin(spec, home)
    for done in (1, 5, 8):
        read_until(process, f"({done}/12)")
        send(signal.SIGKILL, workers_of(process.pid)[: 1 if done < 8 else 2])
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (0, ""), output
    assert trials(home) == trials(finished)


@pytest.mark.faults
@pytest.mark.slow
def test_a_trial_too_large_for_its_worker_fails_alone_and_says_why(tmp_path: Path) -> None:
    space = "units = [4, 4000]\nunits_pattern = 'constant'\ndepth = 2\niterations = 20"
    summary = run_local(spec_with("trials = 8\npruner = 'none'\nworker_memory = 256", space=space), tmp_path, jobs=2)
    large = [row.number for row in summary.trials if row.params["units"] == 4000]
    assert large
    assert [row.number for row in summary.trials if row.state != "complete"] == large
    for trial in Ledger(Home(tmp_path).folder("small"), "small").trials():
        reason = str(trial.user_attrs[RESULT]["reason"])
        assert (trial.number in large) == (reason.startswith("out of memory") and reason.endswith(", 3 times"))


@pytest.mark.slow
@pytest.mark.parametrize("outlive", [False, True])
def test_a_killed_coordinator_leaves_nothing_that_hinders(
    spec: Path, endless: Path, home: Path, finished: Path, outlive: bool
) -> None:
    process = begin_tracked(endless, home)
    read_until(process, "(3/400)")
    orphans = workers_of(process.pid)
    assert len(orphans) == 2
    stopped = orphans if outlive else []
    send(signal.SIGSTOP, stopped)  # they stay, with all that they inherited, while the next run goes
    process.kill()
    process.wait()
    tracking = "--tracking" if outlive else "--no-tracking"
    done = run_study("run", spec, "--home", home, "--jobs", 1, tracking)
    assert (done.returncode, done.stderr) == (0, "")
    assert not gone(orphans) or not outlive
    send(signal.SIGCONT, stopped)
    wait_for(lambda: gone(orphans), "the workers to end")
    assert sum(line.startswith("trial ") for line in done.stdout.splitlines()) <= 9
    assert trials(home)[:12] == trials(finished)
    process.communicate()


@pytest.mark.faults
@pytest.mark.slow
def test_sigterm_to_the_coordinator_alone_takes_its_workers_along(endless: Path, home: Path, finished: Path) -> None:
    process = begin_tracked(endless, home)
    read_until(process, "(3/400)")
    children = workers_of(process.pid) + exporters_of(process.pid)
    assert len(children) == 3
    process.terminate()
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (130, "study: interrupted\n"), output
    assert "run the same command again to resume" in output
    assert gone(children)
    assert 3 <= finish(home) < 400
    assert trials(home)[:12] == trials(finished)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("gap", [0, pytest.param(0.02, marks=pytest.mark.exhaustive), 0.2])
def test_ctrl_c_twice_is_as_good_as_once(endless: Path, home: Path, finished: Path, gap: float) -> None:
    process = begin_tracked(endless, home) if gap else begin(endless, home)
    read_until(process, "trial ")
    workers = workers_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(gap)  # what the second one interrupts is chance; what comes out is not
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (130, "study: interrupted\n"), output
    assert gone(workers)
    finish(home)
    assert trials(home)[:12] == trials(finished)


def test_ctrl_c_before_the_first_line_is_answered_too(spec: Path, home: Path) -> None:
    # With preexec_fn it is a new process of Python, whose imports are the point.
    process = begin_process(
        "run", spec, "--home", home, "--jobs", 2, "--no-tracking", start_new_session=True, preexec_fn=lambda: None
    )
    wait_for(lambda: b"multiarray" in Path(f"/proc/{process.pid}/maps").read_bytes(), "the command to be importing")
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=100) == ("", "study: interrupted\n")
    assert process.returncode == 130


def test_ctrl_c_while_workers_are_beginning_is_not_theirs_to_answer(endless: Path, home: Path) -> None:
    process = begin(endless, home)
    workers = wait_for(lambda: workers_of(process.pid), "workers to begin")
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (130, "study: interrupted\n"), output
    assert gone(workers)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("size", [2200, 40 << 10])  # the ledger's beginning does not fit, or its second half
def test_a_full_disk_ends_the_run_with_its_reason_and_loses_nothing(
    spec: Path, home: Path, finished: Path, size: int
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    tracking = "--tracking" if size > 2200 else "--no-tracking"  # MLflow's store does not grow either
    done = run_process("run", spec, "--home", home, "--jobs", 2, tracking, preexec_fn=limit)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == (
        f"study: {home}: File too large; raise the file size limit (ulimit -f), then rerun the command "
        "to resume.\nNo finished work is lost.\n"
    )
    said = sum(line.startswith("trial ") for line in done.stdout.splitlines())
    assert (said > 0) == (size > 2200)
    assert said <= finish(home) < 12
    assert trials(home) == trials(finished)


@pytest.mark.faults
@pytest.mark.slow
def test_a_run_that_is_suspended_goes_on(endless: Path, home: Path, finished: Path) -> None:
    process = begin(endless, home)
    read_until(process, "(3/400)")
    os.kill(process.pid, signal.SIGSTOP)
    everyone = [process.pid, *workers_of(process.pid)]
    wait_for(lambda: "".join(fate(pid)[0] for pid in everyone) == "TSS", "workers to have nothing left to do")
    assert summarize(Home(home), "small").state == "running"
    os.kill(process.pid, signal.SIGCONT)
    read_until(process, "(40/400)")
    process.terminate()
    output, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (130, "study: interrupted\n"), output
    finish(home)
    assert trials(home)[:12] == trials(finished)


@pytest.mark.faults
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
