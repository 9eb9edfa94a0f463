"""Run the studies of the queue, each in its own `study run` process, so that a crash does not affect the server.

If the server dies, its studies keep running. The next server waits for them and runs them again. The ledger makes this
safe: a complete study ends immediately, and any other study resumes. A process holds its lock as long as it lives, so
no study runs twice at the same time. A study that lost its database is resumed when the database is available again.
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

EVERY = 0.2  # seconds between two checks of the running studies
GRACE = 20.0  # seconds that a study may take to stop
_ENVIRONMENT = {"COLUMNS": "100", "PYTHONUNBUFFERED": "1"}  # unbuffered, so that clients can follow the output
AWAY = 1.0  # seconds until the queue is read again after a failure
TIMES = 10  # number of times that a study is resumed after it has lost its database


@dataclass
class _Place:
    """One running study. `process` is None if an earlier server started it."""

    submission: Submission
    process: children.Process | None = None
    asked: float | None = None  # time at which it was asked to stop
    lost: int = 0  # number of times that it lost its database


class StudyFiles:
    """The files of the service in a study's folder."""

    def __init__(self, home: Home, name: str) -> None:
        self.folder = home.folder(name).path / "service"

    @property
    def spec(self) -> Path:
        """The submitted spec; data files are linked next to it."""
        return self.folder / "spec.toml"

    @property
    def log(self) -> Path:
        """The output of the study."""
        return self.folder / "run.log"

    @property
    def status(self) -> Path:
        """The exit status of the process that ran the study last."""
        return self.folder / "status.json"

    @property
    def lock(self) -> Path:
        """The lock that the process of the study holds."""
        return self.folder / "run.lock"

    @property
    def report(self) -> Path:
        """The latest report."""
        return self.folder / "report.html"


class Runner(threading.Thread):
    """Run the studies of a queue until `stop` is called.

    Args:
        queue: queue of submissions.
        home: home of the studies.
        jobs: number of worker processes for all studies together.
        concurrent: number of studies that run at the same time and share the jobs evenly.
        tracking: write runs to MLflow.
    """

    def __init__(self, queue: Queue, home: Home, *, jobs: int, concurrent: int = 1, tracking: bool = True) -> None:
        super().__init__(name="runner", daemon=True)
        self.queue, self.home, self.concurrent = queue, home, concurrent
        self.jobs, self.tracking = max(1, jobs // concurrent), tracking
        self._places: list[_Place] = []
        self._is_away = False
        self._wake, self._stopping = threading.Event(), threading.Event()

    def run(self) -> None:
        """Run studies, and retry after temporary failures of the machine (memory, a full disk, a database)."""
        while not self._stopping.is_set():
            try:
                self._step()
                if self._is_away:
                    log.info("the database is available again")
                self._is_away = False
            except (MachineError, UserError) as error:
                if not self._is_away:
                    log.warning("%s; trying again", error)
                self._is_away = True
                self._stopping.wait(AWAY)
            except Exception:  # noqa: BLE001 - the error is logged, and the queue keeps running
                log.exception("could not process the queue; trying again")
                self._stopping.wait(AWAY)
            self._wake.wait(EVERY)
            self._wake.clear()
        self._leave()

    @property
    def busy(self) -> bool:
        """Whether a study runs."""
        return bool(self._places)

    def wake(self) -> None:
        """Check the queue without waiting."""
        self._wake.set()

    def stop(self) -> None:
        """Interrupt the running studies and wait until they have ended. They stay in the queue to be resumed."""
        self._stopping.set()
        self.wake()
        if self.is_alive():
            self.join()

    def _step(self) -> None:
        running, known = self.queue.running(), {place.submission.id for place in self._places}
        for left in running:
            if left.id not in known:  # claimed before the server ended or lost its connection to the database
                log.info("study %s was running when the server stopped; resuming the study", left.name)
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
        """Record the end of a running study, or start one that an earlier server left; return True if it has ended."""
        if place.process is not None:
            code = place.process.poll()
            if code is None:
                return False
            status = self._status(place.submission, code)
            if status.cause == Cause.DATABASE and not cancelled and place.lost < TIMES:
                place.lost += 1
                log.info("study %s lost the connection to its database; resuming the study", place.submission.name)
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
        """Start the process of a study; return True on success."""
        submission = place.submission
        if not submission.sound:
            self._finish(submission, "failed", "the entry in the queue is damaged; submit the study again")
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
        except BlockingIOError:  # another process has just started it; the next step checks again
            return True
        except OSError as error:
            self._finish(submission, "failed", f"could not start the study: {error}")
            return False
        log.info("study %s started (submission %d)", submission.name, submission.id)
        return True

    def _is_left(self, submission: Submission) -> bool:
        """Return True to leave a study waiting: it is already running, or only another server has its data files."""
        shared = self.home.storage is not None
        if shared and not all(Path(target).exists() for target in submission.links.values()):
            return True
        return self._is_busy(submission.name)

    def _is_busy(self, name: str) -> bool:
        """Return True if a study is being run by an earlier server, in a terminal, or on another machine."""
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
            log.info("study %s is already being run by another process; waiting for it", submission.name)
        else:
            self._finish(submission, "failed", status.reason)

    def _finish(self, submission: Submission, state: str, message: str = "") -> None:
        self.queue.finish(submission.id, state, message)
        log.info("study %s is %s%s", submission.name, state, f": {message}" if message else "")

    def _interrupt(self, place: _Place) -> None:
        """Ask a study to stop, or kill it if it has not stopped in time."""
        lock = StudyFiles(self.home, place.submission.name).lock
        if place.asked is None:
            place.asked = time.monotonic()
            children.interrupt(lock)
        elif time.monotonic() - place.asked > GRACE:
            children.kill(lock)

    def _leave(self) -> None:
        """Stop the running studies. Finished trials are kept."""
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
                except (MachineError, UserError) as error:  # the next server records its end
                    log.warning("%s", error)
            time.sleep(0.05)


def write_spec(files: StudyFiles, submission: Submission) -> None:
    """Write the submitted spec of a study, and link the data files that it names next to it."""
    files.folder.mkdir(parents=True, exist_ok=True)
    for name, target in submission.links.items():
        link = files.folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    files.spec.write_text(submission.spec, encoding="utf-8")
