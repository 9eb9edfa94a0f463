"""Training of stacks of networks by workers, side by side, for `confirm` and for the final model."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from engine import TrainingState
from engine.activations import Array
from engine.training_chunk import Outcome, TrainingChunk
from study.execution import Batch, Workers

MEMORY = 1 << 30  # bytes that the networks of a stack may use; larger ones are split into several stacks
CHUNK_WORK = 0.4  # units of work; larger than in the search, since nothing is decided between chunks


def memory_of(workers: Workers) -> int:
    """Return the bytes that the networks of a stack may use."""
    return MEMORY if workers.memory_limit is None else min(MEMORY, workers.memory_limit // 2)


def split(replicas: Sequence[int], size: int) -> list[Sequence[int]]:
    """Return replicas in groups of at most `size`, which is at least 1."""
    size = max(1, size)
    return [replicas[first : first + size] for first in range(0, len(replicas), size)]


@dataclass(eq=False)
class Stack:
    """A stack of networks of one configuration, and its training so far.

    Attributes:
        name: name of the configuration.
        begin: returns the state before the first iteration.
        iterations: number of iterations.
        units: units of work of one iteration.
        data: folder that workers read.
        state: state of the training; created when training starts, since it may be large.
        seconds: CPU time.
        predictions: A[L] of each network on dev at the end, (n_y, m).
        error: traceback of an exception.
        ended: whether the training is over.
    """

    name: str
    begin: Callable[[], TrainingState]
    iterations: int
    units: float
    data: str
    state: TrainingState | None = None
    seconds: float = 0.0
    predictions: tuple[Array, ...] = ()
    error: str | None = None
    ended: bool = field(default=False)

    @property
    def left(self) -> float:
        """The remaining units of work."""
        return self.units * (self.iterations - (0 if self.state is None else self.state.iteration))

    @property
    def memory(self) -> int:
        """The size of the state in bytes; 0 before training starts."""
        return 0 if self.state is None else self.state.parameters.nbytes * (1 + len(self.state.slots))

    def started(self) -> TrainingState:
        """Return the state, which is created at the first call."""
        if self.state is None:
            self.state = self.begin()
        return self.state

    def take(self, outcome: Outcome) -> None:
        """Take over the outcome of a chunk."""
        self.state, self.predictions, self.error = outcome.state, outcome.dev_predictions, outcome.error
        self.seconds += outcome.seconds
        self.ended = self.error is not None or outcome.state.done or "diverged" in outcome.state.status


def train_side_by_side(
    workers: Workers,
    stacks: Sequence[Stack],
    next_chunk: Callable[[Stack], TrainingChunk],
    progress: Callable[[float], None],
) -> Iterator[Stack]:
    """Train stacks in chunks, those with the most remaining work first; yield each stack when it is done.

    If the stacks in training use more than MEMORY, they are finished before others start.
    """
    whole = sum(stack.left for stack in stacks)
    resting, under_way = list(stacks), deque[tuple[Stack, Batch]]()
    while resting or under_way:
        while resting and len(under_way) <= workers.jobs:  # one more than there are workers, so that none is idle
            begun = [stack for stack in resting if stack.state is not None]
            taken = sum(stack.memory for stack in [*begun, *(stack for stack, _ in under_way)])
            stack = max(begun if begun and taken > MEMORY else resting, key=lambda stack: stack.left)
            resting.remove(stack)
            under_way.append((stack, workers.submit([next_chunk(stack)])))
        stack, batch = under_way.popleft()
        (outcome,) = workers.collect(batch).values()
        stack.take(outcome)
        progress(1 - sum(0 if other.ended else other.left for other in stacks) / whole)
        if stack.ended:
            yield stack
        else:
            resting.append(stack)
