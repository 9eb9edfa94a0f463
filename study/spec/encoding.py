"""The encodings of numbers that a space may choose from."""

from dataclasses import dataclass
from typing import Literal, cast

EncodingName = Literal["standard", "quantile", "ple"]
ENCODINGS: tuple[EncodingName, ...] = ("standard", "quantile", "ple")


@dataclass(frozen=True)
class Encoding:
    """How the numbers of numeric columns become features.

    Attributes:
        name: "standard" scales them as `[data] scale` says; "quantile" maps them to quantiles of the normal
            distribution; "ple" adds their piecewise-linear encoding to the scaled numbers.
        bins: Largest number of bins for each column; 0 unless the name is "ple".
    """

    name: EncodingName = "standard"
    bins: int = 0

    @property
    def label(self) -> str:
        """The name, with the number of bins: "ple_8"."""
        return f"{self.name}_{self.bins}" if self.bins else self.name

    @classmethod
    def of(cls, name: object, bins: object = 0) -> "Encoding":
        """Return the encoding for two hyperparameters; `bins` counts only with "ple"."""
        return cls(cast("EncodingName", name), cast("int", bins) if name == "ple" else 0)


STANDARD = Encoding()
