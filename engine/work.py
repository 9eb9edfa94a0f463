"""How much work an iteration is: a function of shapes only, so that a search planned in work repeats anywhere.

The search counts its quanta with it, `study plan` turns it into expected seconds on this machine.
"""

from dataclasses import dataclass

from engine.architecture import Architecture

# Nominal rates of one core in float32, only to add up the three counts in one unit. They are part of the definition of
# a unit of work and are never measured: another processor does the same units in another time.
FLOPS_PER_UNIT = 60e9
ELEMENTS_PER_UNIT = 2e9
STEPS_PER_UNIT = 1e6


@dataclass(frozen=True)
class Work:
    """The work of one iteration, and the memory that training holds.

    Attributes:
        flops: floating-point operations of the matrix products.
        elements: numbers that elementwise operations go through.
        steps: array operations, each with a fixed cost that small networks feel.
        memory: bytes of data, buffers, parameters and optimizer vectors.
    """

    flops: float
    elements: float
    steps: float
    memory: int

    @property
    def units(self) -> float:
        """The three counts in one number; one unit is about a second of one core of 2024."""
        return self.flops / FLOPS_PER_UNIT + self.elements / ELEMENTS_PER_UNIT + self.steps / STEPS_PER_UNIT


def count_work(
    architecture: Architecture,
    m: int,
    *,
    batch_size: int | None = None,
    optimizer: str = "gradient_descent",
    replicas: int = 1,
    itemsize: int = 4,
) -> Work:
    """Return the work of one iteration.

    Args:
        architecture: the network.
        m: examples.
        batch_size: examples in a mini-batch; None is all of them.
        optimizer: its vectors and operations count.
        replicas: networks in the stack.
        itemsize: bytes of a number, 4 for float32, 8 for float64.
    """
    b = min(batch_size or m, m)
    sizes = architecture.layer_sizes
    vectors, operations = _OPTIMIZER_COST[optimizer]
    flops = elements = 0
    steps = 12 + operations
    for layer in range(1, len(sizes)):
        n_prev, n = sizes[layer - 1], sizes[layer]
        products = 2 if layer == 1 else 3  # Z, [dW db], and dA but for the input
        flops += products * 2 * (n_prev + 1) * n * b
        steps += products + (5 if layer > 1 else 0)
    hidden, n_y = sum(sizes[1:-1]), sizes[-1]
    elements += (5 * hidden + 14 * n_y) * b
    parameters = architecture.parameters_count
    elements += (2 + operations) * parameters
    memory = 2 * (sizes[0] + 1) * m + 2 * n_y * m  # X as given and with its row of ones, Y likewise
    if b < m:
        elements += (sizes[0] + n_y + 1) * b
        steps += 4
    memory += replicas * ((3 * hidden + 2 * n_y) * b + max(sizes[1:-1], default=0) * b)
    memory += replicas * parameters * (6 + vectors)
    return Work(replicas * flops, replicas * elements, steps, memory * itemsize)


# Vectors kept, and operations on vectors as long as the parameters, of one update.
_OPTIMIZER_COST = {
    "gradient_descent": (0, 2),
    "momentum": (1, 4),
    "nesterov": (1, 6),
    "rmsprop": (1, 9),
    "adam": (2, 13),
    "adamw": (2, 15),
}
