"""The work of an iteration as a function of shapes only, so that a search based on work is the same on any machine.

Products are counted here; elementwise operations are declared by the entries of the registries.
"""

from dataclasses import dataclass

from engine.architecture import Architecture
from engine.operations import Operations
from engine.optimizers import OPTIMIZERS
from engine.propagation import COST_BUFFER, MOST_SLOTS, slots_for
from engine.tiles import cut_tiles

# Nominal rates of one core in float32, which convert the three counts to units of work. They define the unit and are
# never measured; other processors need a different time per unit.
FLOPS_PER_UNIT = 60e9
ELEMENTS_PER_UNIT = 2e9
STEPS_PER_UNIT = 1e6


@dataclass(frozen=True)
class Work:
    """The work of one iteration, and the memory of training.

    Attributes:
        flops: floating-point operations of the matrix products.
        elements: numbers processed by elementwise operations.
        steps: array operations, each with a fixed cost, which matters for small networks.
        memory: bytes of data, buffers, parameters and optimizer vectors at the peak.
    """

    flops: float
    elements: float
    steps: float
    memory: int

    @property
    def units(self) -> float:
        """The three counts as one number; a unit is about one second on one core of 2024."""
        return self.flops / FLOPS_PER_UNIT + self.elements / ELEMENTS_PER_UNIT + self.steps / STEPS_PER_UNIT


def count_work(
    architecture: Architecture,
    m: int,
    *,
    batch_size: int | None = None,
    optimizer: str = "gradient_descent",
    replicas: int = 1,
    itemsize: int = 4,
    dropout: bool = False,
    l2: bool = False,
) -> Work:
    """Return the work of one iteration.

    Args:
        architecture: the network.
        m: number of examples.
        batch_size: size of a mini-batch; None means the full batch.
        optimizer: name of the optimizer.
        replicas: number of networks in the stack, which share one X.
        itemsize: bytes per number, 4 for float32 and 8 for float64.
        dropout: hidden units are dropped.
        l2: there is an L2 penalty.
    """
    b = min(batch_size or m, m)
    chosen = OPTIMIZERS.find(optimizer)
    tiles = len(cut_tiles(m)) if b == m and not (dropout and architecture.depth) else 1
    slots = slots_for(b * architecture.n_y * replicas)
    flops, elements, steps = _propagation(architecture, b)
    # Costs and finiteness are computed once per run of iterations with the same number of examples, and the costs of
    # tiles once per group of as many tiles as there are slots.
    per_epoch = -(-m // b)
    runs = 1 / slots if per_epoch == 1 else (-(-(per_epoch - 1) // slots) + 1) / per_epoch
    steps += _STEPS_OF_A_RUN * runs
    if tiles > 1:
        slots_of_tiles = max(1, min(MOST_SLOTS, slots * tiles))
        steps = steps * tiles + _STEPS_OF_A_RUN * -(-tiles // slots_of_tiles)
        elements += architecture.parameters_count * tiles
    if b < m:
        elements += (architecture.n_x + architecture.n_y + _SHUFFLE) * b
        steps += 4
    if dropout:
        elements += _MASK * sum(architecture.layer_sizes[1:-1]) * b
        steps += 6 * architecture.depth
    penalty = _PENALTY if l2 else Operations(0, 0)
    steps += chosen.operations.steps + penalty.steps + (architecture.L if l2 else 0)
    elements += (2 + chosen.operations.elements + penalty.elements) * architecture.parameters_count
    memory = _memory(architecture, _Shape(m, b, tiles, slots, replicas), len(chosen.slots), dropout=dropout)
    return Work(replicas * flops, replicas * elements, steps, round(memory * itemsize))


def evaluation_memory(architecture: Architecture, m: int, itemsize: int = 4) -> int:
    """Return the peak memory of predictions for m examples and their cost, in bytes and without X."""
    *hidden, n_y = architecture.layer_sizes[1:]
    before = [0, *hidden[:-1]]  # X is not counted
    # A[l−1], Z[l], A[l] and scratch of a hidden layer; A[L], Z[L] and the buffers of the losses.
    widths = [n_prev + 3 * n for n_prev, n in zip(before, hidden, strict=False)]
    return itemsize * m * max([*widths, 4 * n_y + 1, (hidden[-1] if hidden else 0) + n_y])


def _propagation(architecture: Architecture, b: int) -> tuple[float, float, float]:
    """Return (flops, elements, steps) of a forward and a backward pass of one network over b examples."""
    sizes, n_y = architecture.layer_sizes, architecture.n_y
    flops = elements = 0
    steps = 12
    for layer in range(1, len(sizes)):
        n_prev, n = sizes[layer - 1], sizes[layer]
        products = 2 if layer == 1 else 3  # Z, [dW db], and dA except for the input
        flops += products * 2 * (n_prev + 1) * n * b
        # Products of thin matrices are limited by memory and not by arithmetic, so also count the numbers that they
        # read.
        elements += (n_prev + n) * b
        steps += products
    for layer in range(architecture.depth):
        operations = architecture.activations[layer].operations
        elements += operations.elements * sizes[layer + 1] * b
        steps += operations.steps
    operations = architecture.output.operations
    return flops, elements + operations.elements * n_y * b, steps + operations.steps


@dataclass(frozen=True)
class _Shape:
    """How a stack processes examples: m in total, b per iteration, and the numbers of tiles and of slots for costs."""

    m: int
    b: int
    tiles: int
    slots: int
    replicas: int


def _memory(architecture: Architecture, shape: _Shape, vectors: int, *, dropout: bool) -> float:
    """Return how many numbers are in memory at the peak; `vectors` is the number of vectors of the optimizer."""
    m, b, tiles, slots, replicas = shape.m, shape.b, shape.tiles, shape.slots, shape.replicas
    sizes, n_y = architecture.layer_sizes, architecture.n_y
    with_ones = (sizes[0] + 1) * m
    held = (sizes[0] + n_y) * m + with_ones  # X, Y, and X with its row of ones
    buffers = 0
    for layer in range(1, len(sizes) - 1):
        separate = architecture.activations[layer - 1].derivative_of == "Z" or (layer == 1 and replicas > 1)
        buffers += 2 * sizes[layer] + 1 + sizes[layer] * (3 if dropout else separate)
    buffers += max(sizes[1:-1], default=0)
    # Z[L] and its losses for each slot, A[L], dZ[L] and a row.
    buffers += 2 * n_y * slots + 2 * n_y + slots + 1
    # Parameters and slots: as given, as trained, at the start of the run, and as returned.
    vectors_held = replicas * architecture.parameters_count * (8 + 4 * vectors)
    if tiles > 1:
        in_tiles = buffers - 2 * n_y * (slots - 1)  # for one slot; all slots of a tile size share COST_BUFFER
        sizes_of_tiles: int = sum({cut.stop - cut.start for cut in cut_tiles(m)})
        return held + (n_y + 1) * m + vectors_held + replicas * in_tiles * sizes_of_tiles + 4 * COST_BUFFER
    if b == m:
        return held + vectors_held + replicas * buffers * b
    buffers += sizes[0] + 1 + slots * n_y
    as_rows = n_y * m + 2 * (1 + replicas) * m  # Y, and the indices of the examples
    # X is transposed to rows before any buffer is allocated.
    return held + max(with_ones, as_rows + vectors_held + replicas * buffers * b)


_STEPS_OF_A_RUN = 24
_SHUFFLE = 16  # cost of shuffling one example, in processed numbers
_MASK = 8  # cost of drawing and applying one element of a mask, in processed numbers
_PENALTY = Operations(elements=3, steps=3)  # cost of an L2 penalty per parameter
