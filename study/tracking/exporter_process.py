"""The low-priority process that exports a running study to MLflow.

It reads one word per line from its standard input: "look" when trials have finished, "close" when the ledger is
complete, and "stop" when the run was interrupted. The end of the input also means "stop". It writes messages for the
user as JSON lines to its standard output, and heartbeats from a separate thread, however long a write takes.
"""

import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from queue import Empty, Queue
from typing import TextIO

from optuna.trial import FrozenTrial

from study.errors import MachineError, UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger, quiet_optuna
from study.tracking.projection import Projection, catch_up
from study.tracking.projection_lock import hold_projection
from study.tracking.store import describe_error, quiet_mlflow, store_errors

NICENESS = 5  # training has priority, but the export still makes progress on a busy machine
TOGETHER = 1.0  # seconds; trials that finish within this time are written together
GROW_AFTER = GROW_EVERY = 10.0  # seconds; a trial that takes less time is written only once
WAITS = (0.5, 1.0, 2.0, 5.0)  # seconds between attempts while the store does not respond
GRACE = 10.0  # seconds for which a store that does not respond is retried after the search
END = ("close", "stop")


class Follower:
    """Export one study until the coordinator ends it.

    Args:
        home: home of the default store.
        ledger: ledger of the study.
        queue: words from the coordinator.
        answers: messages to the coordinator.
    """

    def __init__(self, home: Home, ledger: Ledger, queue: "Queue[str]", answers: "Answers") -> None:
        self.home, self.ledger, self.queue, self.answers = home, ledger, queue, answers
        self._projection: Projection | None = None
        self._last = ""
        self._attempt = 0
        self._give_up: float | None = None
        self._grown = time.monotonic()

    def follow(self) -> None:
        """Export until the coordinator ends the study and all runs are written, or until the store is given up."""
        while not self._step(self._last):
            self._last = self._next()

    def _next(self) -> str:
        """Return the latest word from the coordinator, or "" after a timeout."""
        try:
            word = self.queue.get(timeout=WAITS[min(self._attempt, len(WAITS)) - 1] if self._attempt else GROW_EVERY)
            until = time.monotonic() + TOGETHER
            while word not in END:
                word = self.queue.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return self._last if self._last in END else ""
        return word

    def _step(self, word: str) -> bool:
        """Write the missing runs; return True at the end of the export."""
        try:
            self._write(word)
        except store_errors() as error:
            return self._trouble(error, word)
        if self._attempt:
            self.answers.say(well=True)
        self._attempt = 0
        return word in END

    def _write(self, word: str) -> None:
        if self._projection is None:
            self._projection = Projection(self.home, self.home.folder(self.ledger.name), self.ledger)
            self._projection.say_running()
        if word == "stop":
            self._projection.stop()
            return
        catch_up(self._projection, self._written, self._is_stopped)
        if word == "close":
            self._projection.close()
            return
        if time.monotonic() - self._grown >= GROW_EVERY:
            self._grow(self._projection)
            self._grown = time.monotonic()

    def _grow(self, projection: Projection) -> None:
        for trial in self.ledger.trials():
            begun = trial.datetime_start.timestamp() if trial.datetime_start else time.time()
            if not trial.state.is_finished() and time.time() - begun >= GROW_AFTER:
                projection.grow(trial)

    def _trouble(self, error: Exception, word: str) -> bool:
        """Report once that the store does not respond; return True if it has been given up."""
        self._projection = None  # create a new one, since the store may be a different one when it responds again
        if not self._attempt:
            self.answers.say(trouble=describe_error(error))
        self._attempt += 1
        if word not in END:
            return False
        if self._give_up is None:
            self._give_up = time.monotonic() + GRACE
        if word == "close" and time.monotonic() < self._give_up:
            return False
        self.answers.say(error=describe_error(error))
        return True

    def _written(self, trial: FrozenTrial) -> None:
        self.answers.say(trial=trial.number)

    def _is_stopped(self) -> bool:
        with self.queue.mutex:
            return "stop" in self.queue.queue


def follow(home: Home, name: str, words: TextIO, answers: "Answers") -> None:
    """Export a study until its coordinator ends it.

    Args:
        home: home of the study.
        name: name of the study.
        words: words from the coordinator, one per line.
        answers: messages to the coordinator.
    """
    queue: Queue[str] = Queue()
    threading.Thread(target=_listen, args=(words, queue), name="words", daemon=True).start()
    folder = home.folder(name)
    with quiet_mlflow(), quiet_optuna(), hold_projection(folder):
        Follower(home, Ledger(folder, name), queue, answers).follow()


def _listen(words: TextIO, queue: "Queue[str]") -> None:
    word = ""
    for line in words:
        word = line.strip()
        queue.put(word)
    if word not in END:
        queue.put("stop")


class Answers(logging.Handler):
    """Write messages, log records and heartbeats to the coordinator as JSON lines.

    Args:
        out: stream from which the coordinator reads.
    """

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self.out = out
        self._writing = threading.Lock()

    def say(self, **what: object) -> None:
        """Write one line atomically."""
        with self._writing, contextlib.suppress(BrokenPipeError):
            self.out.write(json.dumps(what) + "\n")
            self.out.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a log record on as a note, which the coordinator prints."""
        self.say(note=record.getMessage())

    def beat(self, every: float) -> None:
        """Send heartbeats at this interval, in seconds, from a thread that runs until the process ends."""

        def send() -> None:
            while True:
                self.say(alive=True)
                time.sleep(every)

        threading.Thread(target=send, name="beat", daemon=True).start()


def main() -> None:
    """Export the study given by the arguments: home, name, and seconds between heartbeats."""
    home, name, every = sys.argv[1:]
    os.nice(NICENESS)
    gc.set_threshold(100_000, 20, 20)  # garbage collection would take a fifth of the time to import MLflow
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator handles it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # removes temporary folders
    answers = Answers(sys.stdout)
    sys.stdout = sys.stderr  # output from libraries must not be mixed with the answers
    answers.beat(float(every))
    logging.getLogger("study").addHandler(answers)
    try:
        follow(Home.at(home), name, sys.stdin, answers)
    except (UserError, MachineError) as error:
        answers.say(error=str(error))
    os._exit(0)  # everything is written; a regular exit with MLflow's modules would take another half second


if __name__ == "__main__":
    main()
