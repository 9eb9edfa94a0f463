"""The coordinator's end of tracking: the process that writes to MLflow is started, told when to look, and waited for.

A process and not a thread: in one interpreter MLflow's work would hold up asking and telling. At lower priority it
takes most of its time where no worker has anything to do.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from study.home import Home
from study.redaction import redact_address
from study.tracking.store import tracking_uri

PATIENCE = 1.0  # seconds that an interrupted run gives the process to end
SOON = 2.0  # seconds after which whoever waits is told what for
SILENCE = 300.0  # seconds without a word after which the process counts as stuck


class Exporter:
    """Has a study written to MLflow while it runs; made by `start_exporter`.

    Args:
        process: the follower, with pipes to it and from it.
        home: where the default store lives.

    Attributes:
        said: called with a line for a person, from another thread.
        error: what kept runs out of MLflow, None where nothing did.
    """

    def __init__(self, process: "subprocess.Popen[str]", home: Home) -> None:
        self.home = home
        self.said: Callable[[str], None] = print
        self.error: str | None = None
        self._process = process
        self._words, self._answers = cast("TextIO", process.stdin), cast("TextIO", process.stdout)
        self._heard = threading.Event()
        self._troubled = self._opened = False
        self._listener = threading.Thread(target=self._listen, name="exporter", daemon=True)
        self._listener.start()

    def open(self) -> None:
        """Say that the ledger is there, with the study's attributes in it, and that the search begins."""
        self._opened = True
        self._tell("open")

    def look(self) -> None:
        """Say that trials have finished."""
        self._tell("look")

    def searched(self) -> None:
        """Say that the search is over: the processor is free."""
        self._tell("searched")

    def finish(self) -> None:
        """Say that all is in the ledger; wait until everything is written, or cannot be."""
        self._tell("close")
        self._listener.join(SOON)
        if self._listener.is_alive():
            self.said("writing the last runs to MLflow …")
        while self._listener.is_alive():
            self._heard.clear()
            if not self._heard.wait(SILENCE):
                self.error = f"nothing heard for {SILENCE:.0f} s"
                return
        code = self._process.wait()
        if code and self.error is None:
            self.error = f"the process that writes there ended with exit code {code}"

    def end(self) -> None:
        """End the process: at once where it has nothing to do; whoever interrupts does not wait long."""
        if self._opened:
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
        with contextlib.suppress(BrokenPipeError):  # it has ended; `RunResult.untracked` counts what is missing
            print(word, file=self._words, flush=True)

    def _listen(self) -> None:
        for line in self._answers:
            self._hear(json.loads(line))
            self._heard.set()
        self._heard.set()

    def _hear(self, said: dict[str, Any]) -> None:
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
def start_exporter(home: Home, name: str) -> Iterator[Exporter]:
    """Start the process that writes a study to MLflow; it ends with the block.

    Begin it before data are read: it imports MLflow meanwhile.

    Args:
        home: where the study and the default store live.
        name: of the study.
    """
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "study.tracking.follower", str(home.path), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # The address of the database, which has a password perhaps, is no argument: those are for all to see.
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "STUDY_STORAGE": home.storage or ""},
        start_new_session=True,
    )
    exporter = Exporter(process, home)
    try:
        yield exporter
    finally:
        exporter.end()
