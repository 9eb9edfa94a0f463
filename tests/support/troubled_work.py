"""What stands in for `engine.chunk.run_chunks` in workers anywhere; trial 1 is the one that has trouble.

Workers of clusters import it, so it imports the engine and nothing of the study.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from engine.training_chunk import Outcome, TrainingChunk


def do(trouble: str, chunks: Sequence[TrainingChunk], _: object = None) -> list[Outcome]:
    """Do chunks, with a trouble that has the name of a function below."""
    return [_do(trouble, chunk) for chunk in chunks]


def _do(trouble: str, chunk: TrainingChunk) -> Outcome:
    note(chunk)
    if chunk.trial == 1:
        TROUBLES[trouble](chunk)
    return Outcome(chunk.trial, chunk.state)


def note(chunk: TrainingChunk) -> None:
    """Write down that a chunk was begun."""
    (Path(chunk.data) / f"{chunk.trial}-{time.monotonic_ns()}-{os.getpid()}").touch()


def attempts(place: Path, trial: int) -> int:
    """Return how often a chunk was begun."""
    return len(list(place.glob(f"{trial}-*")))


def none(_: TrainingChunk) -> None: ...


def killed_once(chunk: TrainingChunk) -> None:
    if attempts(Path(chunk.data), chunk.trial) == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def raises(_: TrainingChunk) -> None:
    raise RuntimeError("not as a value")


def cannot_read(_: TrainingChunk) -> None:
    raise FileNotFoundError(2, "No such file or directory", "units.json")


def out_of_memory(_: TrainingChunk) -> None:
    raise MemoryError("Unable to allocate 2.00 GiB")


def waits(chunk: TrainingChunk) -> None:
    while not (Path(chunk.data) / "go").exists():
        time.sleep(0.01)


TROUBLES = {each.__name__: each for each in (none, killed_once, raises, cannot_read, out_of_memory, waits)}
