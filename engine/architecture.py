"""The shape of a network: layer sizes, activations and output."""

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from engine.activations import Activation, get_activation
from engine.outputs import Output, get_output


@dataclass(frozen=True)
class Architecture:
    """An L-layer dense network: layer_sizes = (n[0], n[1], …, n[L]), n[0] features and n[L] outputs.

    Args:
        layer_sizes: at least (n_x, n_y); depth 0 (no hidden layer) is linear or logistic regression.
        hidden_activation: one name for all hidden layers, or one name per hidden layer.
        output_activation: "sigmoid", "softmax", "identity" or "relu".
        cost: "cross_entropy" or "squared_error"; None means the default of the output activation.

    Raises:
        ValueError: if there are fewer than two sizes, a size is below 1, a name is unknown, the numbers of activations
            and hidden layers differ, or a softmax has only one output.
    """

    layer_sizes: tuple[int, ...]
    hidden_activation: str | tuple[str, ...] = "relu"
    output_activation: str = "sigmoid"
    cost: str | None = None

    def __init__(
        self,
        layer_sizes: Sequence[int],
        hidden_activation: str | Sequence[str] = "relu",
        output_activation: str = "sigmoid",
        cost: str | None = None,
    ) -> None:
        given: tuple[object, ...] = tuple(layer_sizes)
        if len(given) < 2:
            raise ValueError(f"layer_sizes must contain at least (n_x, n_y), got {given}")
        sizes = tuple(int(n) for n in given if isinstance(n, numbers.Integral) and int(n) >= 1)
        if len(sizes) < len(given):
            raise ValueError(f"layer_sizes must be whole numbers of at least 1, got {given}")
        if not isinstance(hidden_activation, str):
            hidden_activation = tuple(hidden_activation)
            if len(hidden_activation) != len(sizes) - 2:
                raise ValueError(
                    f"hidden_activation must be one name, or one for each of the {len(sizes) - 2} hidden "
                    f"layers, got {len(hidden_activation)} names"
                )
        if output_activation == "softmax" and sizes[-1] == 1:
            raise ValueError("softmax needs at least 2 outputs, got 1; use sigmoid for two classes")
        object.__setattr__(self, "layer_sizes", sizes)
        object.__setattr__(self, "hidden_activation", hidden_activation)
        object.__setattr__(self, "output_activation", output_activation)
        object.__setattr__(self, "cost", get_output(output_activation, cost).cost)
        _ = self.activations  # raises if a name is unknown

    def __getstate__(self) -> dict[str, object]:
        # Only the fields, since activations with a parameter are closures, which cannot be pickled.
        names = ("layer_sizes", "hidden_activation", "output_activation", "cost")
        return {name: getattr(self, name) for name in names}

    @property
    def L(self) -> int:
        """Number of layers, not counting the input."""
        return len(self.layer_sizes) - 1

    @property
    def depth(self) -> int:
        """Number of hidden layers, L − 1."""
        return self.L - 1

    @property
    def n_x(self) -> int:
        """Number of features."""
        return self.layer_sizes[0]

    @property
    def n_y(self) -> int:
        """Number of outputs."""
        return self.layer_sizes[-1]

    @cached_property
    def activations(self) -> tuple[Activation, ...]:
        """The activation of each hidden layer."""
        names = self.hidden_activation
        if isinstance(names, str):
            get_activation(names)
            names = (names,) * self.depth
        return tuple(get_activation(name) for name in names)

    @cached_property
    def output(self) -> Output:
        """The pair of output activation and cost."""
        return get_output(self.output_activation, self.cost)

    @property
    def parameters_count(self) -> int:
        """Number of weights and biases, Σ n[l] (n[l−1] + 1)."""
        return sum(n * (n_prev + 1) for n_prev, n in pairwise(self.layer_sizes))
