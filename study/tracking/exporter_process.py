"""The process that writes a running study to MLflow, at low priority.

It reads words from its standard input, one a line: "look" when trials have finished, "close" when all is in the ledger,
"stop" when the run was interrupted; the input's end means that too. It says on its standard output, as JSON lines, what
is to be told to a person, and from a thread of its own that it is alive, however long a write takes.
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
from study.tracking.projection import Projection, catch_up, hold_projection
from study.tracking.store import describe_error, quiet_mlflow, store_errors

NICENESS = 5  # whoever trains goes first, but on a busy machine this goes on too
TOGETHER = 1.0  # seconds; trials that finish within are written together
GROW_AFTER = GROW_EVERY = 10.0  # seconds; a trial that ends before is written in one go
WAITS = (0.5, 1.0, 2.0, 5.0)  # seconds between attempts where the store does not answer
GRACE = 10.0  # seconds that a store may take to answer again once the search is over
END = ("close", "stop")


class Follower:
    """Follows one study until told to end.

    Args:
        home: where the store lives.
        ledger: of the study.
        queue: what the coordinator says.
        answers: to the coordinator.
    """

    def __init__(self, home: Home, ledger: Ledger, queue: "Queue[str]", answers: "Answers") -> None:
        self.home, self.ledger, self.queue, self.answers = home, ledger, queue, answers
        self._projection: Projection | None = None
        self._last = ""
        self._attempt = 0
        self._give_up: float | None = None
        self._grown = time.monotonic()

    def follow(self) -> None:
        """Follow the study; return when its end was said and everything is written, or cannot be."""
        while not self._step(self._last):
            self._last = self._next()

    def _next(self) -> str:
        """Return what was said last, or "" after a while in which nothing was."""
        try:
            word = self.queue.get(timeout=WAITS[min(self._attempt, len(WAITS)) - 1] if self._attempt else GROW_EVERY)
            until = time.monotonic() + TOGETHER
            while word not in END:
                word = self.queue.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return self._last if self._last in END else ""
        return word

    def _step(self, word: str) -> bool:
        """Write what there is to write; return whether this is the end."""
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
        """Say once that the store does not answer; return whether it has been given up."""
        self._projection = None  # made anew: the store may be another one when it answers again
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
    """Follow a study until its coordinator ends, and write what is left.

    Args:
        home: where the study lives.
        name: of the study.
        words: what the coordinator says.
        answers: to the coordinator.
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
    """Writes JSON lines to the coordinator: what a thread says, what is logged, and signs of life.

    Args:
        out: where the coordinator reads.
    """

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self.out = out
        self._writing = threading.Lock()

    def say(self, **what: object) -> None:
        """Write one line, whole."""
        with self._writing, contextlib.suppress(BrokenPipeError):
            self.out.write(json.dumps(what) + "\n")
            self.out.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on what is worth knowing; the coordinator says it."""
        self.say(note=record.getMessage())

    def beat(self, every: float) -> None:
        """Give a sign of life every so many seconds, from a thread that nothing but the end of the process ends."""

        def go_on() -> None:
            while True:
                self.say(alive=True)
                time.sleep(every)

        threading.Thread(target=go_on, name="beat", daemon=True).start()


def main() -> None:
    """Follow the study that the arguments name: home, name, seconds between two signs of life."""
    home, name, every = sys.argv[1:]
    os.nice(NICENESS)
    gc.set_threshold(100_000, 20, 20)  # collecting all that MLflow imports takes a fifth of importing it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator's to answer
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # tidies temporary folders up
    answers = Answers(sys.stdout)
    sys.stdout = sys.stderr  # what a library prints is no answer
    answers.beat(float(every))
    logging.getLogger("study").addHandler(answers)
    try:
        follow(Home.at(home), name, sys.stdin, answers)
    except (UserError, MachineError) as error:
        answers.say(error=str(error))
    os._exit(0)  # all is written; to take MLflow's modules apart one by one would keep a person waiting half a second


if __name__ == "__main__":
    main()
