"""The cost of elementwise operations, as the registry entries of activations, outputs and optimizers state it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Operations:
    """The cost of some elementwise operations on one array.

    Attributes:
        elements: numbers processed for each element of the array; eᶻ and the like count as three.
        steps: calls to NumPy, each of which has a fixed cost that small networks feel.
    """

    elements: int
    steps: int


ASSUMED = Operations(elements=8, steps=8)  # of a registered entry that does not say
