"""A replacement of `engine.training_chunk.run_chunks` in workers, in which trial 1 has trouble.

Workers import it, so it imports only the engine, and neither `study` nor pytest.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from engine.extensions import Extensions
from engine.training_chunk import Outcome, TrainingChunk
from engine.worker_data import PackedData, read_data, unpack_data

TOO_MANY = 256 << 20  # numbers: 2 GiB


def do(trouble: str, chunks: Sequence[TrainingChunk], _: object = None) -> list[Outcome]:
    """Run chunks with a trouble, which is the name of a function below."""
    return [_do(trouble, chunk) for chunk in chunks]


def _do(trouble: str, chunk: TrainingChunk) -> Outcome:
    note(chunk)
    outcome = TROUBLES[trouble](chunk) if chunk.trial == 1 else None
    return outcome or Outcome(chunk.trial, chunk.state, seconds=os.getpid())


def note(chunk: TrainingChunk) -> None:
    """Record that a chunk was started."""
    (Path(chunk.data) / f"{chunk.trial}-{time.monotonic_ns()}-{os.getpid()}").touch()


def _notes(place: Path, trial: int) -> list[tuple[int, int]]:
    """Return the times at which a chunk was started, and the processes that started it, in order."""
    names = [path.name.split("-") for path in place.glob(f"{trial}-*")]
    return sorted((int(when), int(process)) for _, when, process in names)


def attempts(place: Path, trial: int) -> int:
    """Return how often a chunk was started."""
    return len(_notes(place, trial))


def last_process(place: Path, trial: int) -> int | None:
    """Return the last process that started a chunk."""
    return next((process for _, process in reversed(_notes(place, trial))), None)


@dataclass(frozen=True)
class Counting:
    """A chunk that trains nothing: it counts the examples of train."""

    data: str
    raises: bool = False
    units: float = 0.0
    extensions: Extensions = field(default_factory=Extensions)

    def run(self, packed: PackedData | None = None) -> str:
        """Return the number of examples, in words."""
        if self.raises:
            raise RuntimeError("not as a value")
        data = read_data(self.data) if packed is None else unpack_data(packed)
        return f"{data.X.shape[-1]} examples"

    def failed(self, reason: str) -> str:
        """Return the reason, in words."""
        return f"failed: {reason}"


# Troubles; the return value is the outcome.


def none(_: TrainingChunk) -> None: ...


def killed_once(chunk: TrainingChunk) -> None:
    if attempts(Path(chunk.data), chunk.trial) == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def killed_always(_: TrainingChunk) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_amid_its_result(chunk: TrainingChunk) -> Outcome:
    """Return a result that takes a while to write, and kill this process meanwhile."""
    main = threading.get_ident()

    def kill() -> None:
        while sys._current_frames()[main].f_code.co_name != "_send":
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill).start()
    return Outcome(chunk.trial, chunk.state, dev_predictions=(np.zeros(1 << 23),))


def leaves(_: TrainingChunk) -> None:
    os._exit(3)


def is_stuck(_: TrainingChunk) -> None:
    threading.Event().wait()


def fails(chunk: TrainingChunk) -> Outcome:
    return Outcome(chunk.trial, chunk.state, error="Traceback\nValueError: of the trial's own")


def raises(_: TrainingChunk) -> None:
    raise RuntimeError("not as a value")


def cannot_read(_: TrainingChunk) -> None:
    raise FileNotFoundError(2, "No such file or directory", "units.json")


def out_of_memory(_: TrainingChunk) -> None:
    raise MemoryError("Unable to allocate 2.00 GiB")


def asks_for_too_much_memory(_: TrainingChunk) -> None:
    np.ones(TOO_MANY)


def waits(chunk: TrainingChunk) -> None:
    while not (Path(chunk.data) / "go").exists():
        time.sleep(0.01)


def counts_threads(chunk: TrainingChunk) -> Outcome:
    """Return the number of BLAS threads as seconds."""
    most = max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
    return Outcome(chunk.trial, chunk.state, seconds=most)


TROUBLES = {
    each.__name__: each
    for each in (
        *(none, killed_once, killed_always, killed_amid_its_result, leaves, is_stuck, fails, raises, cannot_read),
        *(out_of_memory, asks_for_too_much_memory, waits, counts_threads),
    )
}
