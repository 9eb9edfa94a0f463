"""The coordinator's end of tracking: starts the process that writes to MLflow, tells it when to look, waits for it.

A process and not a thread: in one interpreter MLflow's work would hold up asking and telling. At lower priority it
takes most of its time where no worker has anything to do.
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
SOON = 2.0  # seconds after which whoever waits is told what for
SILENCE = 30.0  # seconds without a sign of life after which the process is given up
BEATS = 15  # signs of life that it gives in this time, whatever it is busy with
STALLED = 300.0  # seconds without anything written after which it is given up though it lives
TICK = 0.1  # seconds


class Exporter:
    """Has a study written to MLflow while it runs, by a process of its own.

    Args:
        home: where the study and the default store live.
        name: of the study.
        silence: seconds without a sign of life after which the process is given up.
        command: starts that process; None is `study.tracking.exporter_process`.

    Attributes:
        said: called with a line for a person, from another thread.
        error: what kept runs out of MLflow, None where nothing did.
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
        """Start the process, unless it is there; the ledger must be there, with the study's attributes in it."""
        if self._started:
            return
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # The address of the database, which has a password perhaps, is no argument: those are for all to see.
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
        """Say that trials have finished; a process that is not started yet will look by itself."""
        if self._started:
            self._tell("look")

    def finish(self) -> None:
        """Say that all is in the ledger; wait until everything is written, or cannot be."""
        self.start()  # where there was no round
        self._tell("close")
        self._listener.join(SOON)
        if self._listener.is_alive():
            self.said("writing the last runs to MLflow …")
        self.error = self._hear_out() or self.error
        if self._listener.is_alive():
            return
        code = self._process.wait()
        if code and self.error is None:
            self.error = f"the process that writes there ended with exit code {code}"

    def _hear_out(self) -> str | None:
        """Listen until the process has nothing more to say; return why it is given up, where it is."""
        quiet = idle = 0.0
        while self._listener.is_alive():
            # Ticks are counted, not the clock: while this process is suspended nothing is heard.
            quiet = 0.0 if self._alive.wait(TICK) else quiet + TICK
            idle = 0.0 if self._answered.is_set() else idle + TICK
            self._alive.clear()
            self._answered.clear()
            if quiet >= self.silence:
                return f"the process that writes there gave no sign of life for {self.silence:g} s and was ended"
            if idle >= STALLED:
                return f"nothing was written for {STALLED:g} s"
            if quiet <= self.silence / 3 < quiet + TICK:
                self.said(
                    f"the process that writes to MLflow ({self._process.pid}) does not respond; "
                    f"waiting {self.silence - quiet:.0f} s more for it"
                )
        return None

    def end(self) -> None:
        """End the process, if it was started; whoever interrupts does not wait long."""
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
        # It has ended, or reads no more: a search does not wait for it. `RunResult.untracked` counts what is missing.
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._words.fileno(), f"{word}\n".encode())

    def _listen(self) -> None:
        for line in self._answers:
            said = json.loads(line)
            if "alive" not in said:
                self._hear(said)
                self._answered.set()
            self._alive.set()
        self._alive.set()

    def _hear(self, said: dict[str, str]) -> None:
        if "trouble" in said and not self._troubled:
            self._troubled = True
            address = redact_address(tracking_uri(self.home))
            self.said(f"MLflow at {address} does not answer ({said['trouble']}); the search goes on, runs follow")
        elif "well" in said:
            self._troubled = False
            self.said("MLflow answers again; runs are written")
        elif "note" in said:
            self.said(said["note"])
        elif "error" in said:
            self.error = said["error"]


@contextmanager
def make_exporter(home: Home, name: str, silence: float = SILENCE) -> Iterator[Exporter]:
    """Return an exporter that is not started yet; its process ends with the block at the latest."""
    exporter = Exporter(home, name, silence)
    try:
        yield exporter
    finally:
        exporter.end()
