"""Start the process that writes to MLflow, notify it of finished trials, and wait for it.

It is a process and not a thread, because in the same interpreter MLflow's work would delay the search. The process
has a lower priority, so it mostly uses CPU time that no worker needs.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO, cast

from study.ledger.home import Home
from study.text.redaction import redact_address
from study.tracking.store import tracking_uri

PATIENCE = 1.0  # seconds that an interrupted run gives the process to end
SOON = 2.0  # seconds of waiting after which a message explains the delay
SILENCE = 30.0  # seconds without a heartbeat after which the process is abandoned
BEATS = 15  # heartbeats that the process sends during this time
STALLED = 300.0  # seconds without progress after which the process is abandoned although it is alive
TICK = 0.1  # seconds


class Exporter:
    """Export a running study to MLflow in a separate process.

    Args:
        home: home of the study and of the default store.
        name: name of the study.
        silence: seconds without a heartbeat after which the process is abandoned.
        command: command that starts the process; None means `study.tracking.exporter_process`.

    Attributes:
        said: called with each message for the user, from another thread.
        error: reason why runs are missing from MLflow; None if there was no error.
    """

    def __init__(self, home: Home, name: str, silence: float = SILENCE, command: Sequence[str] | None = None) -> None:
        self.home, self.silence = home, silence
        self.command = command or [
            *(sys.executable, "-m", "study.tracking.exporter_process", str(home.path), name, str(silence / BEATS))
        ]
        self.said: Callable[[str], None] = print
        self.error: str | None = None
        self._alive, self._answered = threading.Event(), threading.Event()
        self._troubled = self._started = False

    def start(self) -> None:
        """Start the process if it is not running. The ledger must already contain the study's attributes."""
        if self._started:
            return
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # The address of the database may contain a password, and command-line arguments are visible to every user.
            env=os.environ
            | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "STUDY_STORAGE": self.home.storage or ""},
            start_new_session=True,
        )
        self._words, self._answers = cast("TextIO", self._process.stdin), cast("TextIO", self._process.stdout)
        os.set_blocking(self._words.fileno(), False)
        self._listener = threading.Thread(target=self._listen, name="exporter", daemon=True)
        self._started = True
        self._listener.start()

    def look(self) -> None:
        """Notify the process that trials have finished. A process that starts later finds them anyway."""
        if self._started:
            self._tell("look")

    def finish(self) -> None:
        """Notify the process that the ledger is complete; wait until all runs are written or the process fails."""
        self.start()  # starts it if there was no round
        self._tell("close")
        self._listener.join(SOON)
        if self._listener.is_alive():
            self.said("writing the last runs to MLflow …")
        self.error = self._hear_out() or self.error
        if self._listener.is_alive():
            return
        code = self._process.wait()
        if code and self.error is None:
            self.error = f"the export process ended with exit code {code}"

    def _hear_out(self) -> str | None:
        """Wait until the process has ended; return the reason if it is abandoned instead, else None."""
        quiet = idle = 0.0
        while self._listener.is_alive():
            # Count ticks instead of reading the clock, since this process may itself be suspended for a while.
            quiet = 0.0 if self._alive.wait(TICK) else quiet + TICK
            idle = 0.0 if self._answered.is_set() else idle + TICK
            self._alive.clear()
            self._answered.clear()
            if quiet >= self.silence:
                return f"the export process did not respond for {self.silence:g} s and was stopped"
            if idle >= STALLED:
                return f"the export process wrote nothing for {STALLED:g} s"
            if quiet <= self.silence / 3 < quiet + TICK:
                self.said(
                    f"the process that exports to MLflow ({self._process.pid}) does not respond; "
                    f"waiting another {self.silence - quiet:.0f} s"
                )
        return None

    def end(self) -> None:
        """Stop the process, if it was started, after a short wait at most."""
        if not self._started:
            return
        self._tell("stop")
        self._listener.join(PATIENCE)
        if self._listener.is_alive():
            self._process.terminate()
            self._listener.join(PATIENCE)
        if self._listener.is_alive():
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._words.close()
        self._process.wait()
        self._listener.join()
        self._answers.close()

    def _tell(self, word: str) -> None:
        # The process may have ended or be stuck. The search does not wait; `RunResult.untracked` counts missing runs.
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._words.fileno(), f"{word}\n".encode())

    def _listen(self) -> None:
        for line in self._answers:
            message = json.loads(line)
            if "alive" not in message:
                self._hear(message)
                self._answered.set()
            self._alive.set()
        self._alive.set()

    def _hear(self, message: dict[str, str]) -> None:
        if "trouble" in message and not self._troubled:
            self._troubled = True
            problem = f"MLflow at {redact_address(tracking_uri(self.home))} does not respond ({message['trouble']})"
            self.said(f"{problem}; the search continues, and runs will be exported once MLflow responds")
        elif "well" in message:
            self._troubled = False
            self.said("MLflow is responding again; exporting runs")
        elif "note" in message:
            self.said(message["note"])
        elif "error" in message:
            self.error = message["error"]


@contextmanager
def make_exporter(home: Home, name: str, silence: float = SILENCE) -> Iterator[Exporter]:
    """Return a context manager that yields an exporter, not yet started, and stops its process at the end."""
    exporter = Exporter(home, name, silence)
    try:
        yield exporter
    finally:
        exporter.end()
