"""What runs the queue: each study as a process of its own, `study run`, so that nothing it does takes the server along.

A server that dies leaves its studies running. The next one waits for them and runs them once more, which the ledger
makes exact: a study that is complete ends at once, one that is not goes on. Nothing runs twice at a time, since a
process holds its lock for as long as it lives. A study that lost its database goes on when that answers again.
"""

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from study import exit_status
from study.errors import MachineError, UserError
from study.exit_status import Cause, ExitCode, ExitStatus
from study.ledger import holding
from study.ledger.home import Home
from study.service import children
from study.service.problems import log
from study.service.queue import Queue, Submission

EVERY = 0.2  # seconds between two looks at what runs
GRACE = 20.0  # seconds that a study may take to stop
_ENVIRONMENT = {"COLUMNS": "100", "PYTHONUNBUFFERED": "1"}  # what it prints is followed
AWAY = 1.0  # seconds until the queue is looked at again where that failed
TIMES = 10  # that a study goes on after it has lost its database


@dataclass
class _Place:
    """One study that runs. process: None of one that an earlier server left."""

    submission: Submission
    process: children.Process | None = None
    asked: float | None = None  # when it was told to stop
    lost: int = 0  # times that it lost its database


class StudyFiles:
    """What the service keeps in a study's folder."""

    def __init__(self, home: Home, name: str) -> None:
        self.folder = home.folder(name).path / "service"

    @property
    def spec(self) -> Path:
        """The spec as it was handed in; data files are linked beside it."""
        return self.folder / "spec.toml"

    @property
    def log(self) -> Path:
        """What the study printed."""
        return self.folder / "run.log"

    @property
    def status(self) -> Path:
        """How the process that ran it last ended."""
        return self.folder / "status.json"

    @property
    def lock(self) -> Path:
        """Held by the process that runs it."""
        return self.folder / "run.lock"

    @property
    def report(self) -> Path:
        """The report that was made last."""
        return self.folder / "report.html"


class Runner(threading.Thread):
    """Runs what is in the queue until told to stop.

    Args:
        queue: of submissions.
        home: where the studies live.
        jobs: worker processes of all studies together.
        concurrent: studies at a time, which share the jobs evenly.
        tracking: whether runs are written to MLflow.
    """

    def __init__(self, queue: Queue, home: Home, *, jobs: int, concurrent: int = 1, tracking: bool = True) -> None:
        super().__init__(name="runner", daemon=True)
        self.queue, self.home, self.concurrent = queue, home, concurrent
        self.jobs, self.tracking = max(1, jobs // concurrent), tracking
        self._places: list[_Place] = []
        self._is_away = False
        self._wake, self._stopping = threading.Event(), threading.Event()

    def run(self) -> None:
        """Run studies; what the machine refuses for a moment (memory, a full disk, a database) is tried again."""
        while not self._stopping.is_set():
            try:
                self._step()
                if self._is_away:
                    log.info("the database answers again")
                self._is_away = False
            except (MachineError, UserError) as error:
                if not self._is_away:
                    log.warning("%s; trying again", error)
                self._is_away = True
                self._stopping.wait(AWAY)
            except Exception:  # noqa: BLE001 - the queue outlives it, and the log has it
                log.exception("the queue could not be worked on; trying again")
                self._stopping.wait(AWAY)
            self._wake.wait(EVERY)
            self._wake.clear()
        self._leave()

    @property
    def busy(self) -> bool:
        """Whether a study runs."""
        return bool(self._places)

    def wake(self) -> None:
        """Look at the queue at once."""
        self._wake.set()

    def stop(self) -> None:
        """Interrupt what runs and wait until it has ended; it stays in the queue as running, and goes on later."""
        self._stopping.set()
        self.wake()
        if self.is_alive():
            self.join()

    def _step(self) -> None:
        running, known = self.queue.running(), {place.submission.id for place in self._places}
        for left in running:
            if left.id not in known:  # the server, or its line to the database, ended after it was claimed
                log.info("study %s ran when the server ended; it goes on", left.name)
                self._places.append(_Place(left))
        wanted = {submission.id for submission in running if not submission.stopping}
        for place in list(self._places):
            cancelled = place.submission.id not in wanted
            if self._has_ended(place, cancelled=cancelled):
                self._places.remove(place)
            elif cancelled:
                self._interrupt(place)
        while len(self._places) < self.concurrent and (submission := self.queue.claim(self._is_left)) is not None:
            place = _Place(submission)
            if self._begin(place):
                self._places.append(place)

    def _has_ended(self, place: _Place, *, cancelled: bool) -> bool:
        """Write down the end of one that runs, or begin it where an earlier server left it; return whether it ended."""
        if place.process is not None:
            code = place.process.poll()
            if code is None:
                return False
            status = self._status(place.submission, code)
            if status.cause == Cause.DATABASE and not cancelled and place.lost < TIMES:
                place.lost += 1
                log.info("study %s lost its database; it goes on", place.submission.name)
                return not self._begin(place)
            self._settle(place.submission, status, cancelled=cancelled)
            return True
        if cancelled and not children.is_alive(StudyFiles(self.home, place.submission.name).lock):
            self._finish(place.submission, "cancelled")
            return True
        if self._is_busy(place.submission.name):
            return False
        return not self._begin(place)

    def _begin(self, place: _Place) -> bool:
        """Start a study's process; return whether it could be."""
        submission = place.submission
        if not submission.sound:
            self._finish(submission, "failed", "its entry in the queue is damaged; hand it in again")
            return False
        files = StudyFiles(self.home, submission.name)
        command = [sys.executable, "-m", "study", "run", str(files.spec)]
        command += ["--home", str(self.home.path), "--jobs", str(self.jobs)]
        environment = _ENVIRONMENT | self.home.environment | {exit_status.VARIABLE: str(files.status)}
        try:
            write_spec(files, submission)
            files.status.unlink(missing_ok=True)
            place.process = children.start(
                command if self.tracking else [*command, "--no-tracking"], files.lock, files.log, environment
            )
        except BlockingIOError:  # somebody else has just begun it; it is looked at again
            return True
        except OSError as error:
            self._finish(submission, "failed", f"could not be started: {error}")
            return False
        log.info("study %s runs (submission %d)", submission.name, submission.id)
        return True

    def _is_left(self, submission: Submission) -> bool:
        """Return whether one that waits is left for now: it runs, or only another server has its data files."""
        shared = self.home.storage is not None
        if shared and not all(Path(target).exists() for target in submission.links.values()):
            return True
        return self._is_busy(submission.name)

    def _is_busy(self, name: str) -> bool:
        """Return whether a process of an earlier server, a person in a terminal or another machine runs a study."""
        return children.is_alive(StudyFiles(self.home, name).lock) or holding.is_held(self.home.folder(name), name)

    def _status(self, submission: Submission, code: int) -> ExitStatus:
        return exit_status.read_status(StudyFiles(self.home, submission.name).status, code)

    def _settle(self, submission: Submission, status: ExitStatus, *, cancelled: bool) -> None:
        if status.code == ExitCode.DONE:
            self._finish(submission, "complete")
        elif cancelled:
            self._finish(submission, "cancelled")
        elif self._stopping.is_set() and status.cause in (Cause.INTERRUPTED, Cause.DATABASE):
            return
        elif status.cause == Cause.HELD:
            self.queue.put_back(submission.id)
            log.info("study %s is run by somebody else; it waits", submission.name)
        else:
            self._finish(submission, "failed", status.reason)

    def _finish(self, submission: Submission, state: str, message: str = "") -> None:
        self.queue.finish(submission.id, state, message)
        log.info("study %s is %s%s", submission.name, state, f": {message}" if message else "")

    def _interrupt(self, place: _Place) -> None:
        """Ask a study to stop, once; kill it where it does not."""
        lock = StudyFiles(self.home, place.submission.name).lock
        if place.asked is None:
            place.asked = time.monotonic()
            children.interrupt(lock)
        elif time.monotonic() - place.asked > GRACE:
            children.kill(lock)

    def _leave(self) -> None:
        """End what runs; it keeps what is finished."""
        running = [(place, place.process) for place in self._places if place.process is not None]
        while running:
            for place, process in list(running):
                code = process.poll()
                if code is None:
                    self._interrupt(place)
                    continue
                running.remove((place, process))
                try:
                    self._settle(place.submission, self._status(place.submission, code), cancelled=False)
                except (MachineError, UserError) as error:  # its end is seen at the next start
                    log.warning("%s", error)
            time.sleep(0.05)


def write_spec(files: StudyFiles, submission: Submission) -> None:
    """Write a study's spec as it was handed in, with the data files that it names linked beside it."""
    files.folder.mkdir(parents=True, exist_ok=True)
    for name, target in submission.links.items():
        link = files.folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    files.spec.write_text(submission.spec, encoding="utf-8")
