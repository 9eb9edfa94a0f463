"""The cost of elementwise operations, which activations, outputs and optimizers declare in their registries."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Operations:
    """The cost of some elementwise operations on one array.

    Attributes:
        elements: numbers processed per element of the array; eᶻ and similar functions count as three.
        steps: calls to NumPy, each of which has a fixed cost that matters for small networks.
    """

    elements: int
    steps: int


ASSUMED = Operations(elements=8, steps=8)  # default of registered entries
