"""Map values to positions on an axis, and choose round numbers for its ticks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

Ticks = list[tuple[float, str]]
"""(position on the axis from 0 to 1, text)."""


class Scale(Protocol):
    """The scale of an axis: a position for each value, and ticks."""

    def place(self, value: float | str) -> float:
        """Return the position of a value from 0 to 1; values outside the axis are placed at its ends."""

    def ticks(self) -> Ticks:
        """Return ticks at round numbers, or at all choices."""


@dataclass(frozen=True)
class Numbers:
    """A scale of numbers from low to high.

    Attributes:
        low, high: ends of the axis, low < high.
        log: use a logarithmic scale; low must be positive.
        whole: place ticks only at whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @classmethod
    def covering(
        cls, values: Iterable[float], *, log: bool = False, whole: bool = False, margin: float = 0.04
    ) -> "Numbers":
        """Return a scale that contains all finite values, with a margin at both ends (a share of its length)."""
        finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        if log:
            ratio = (high / low) ** margin if high > low else 2.0
            return cls(low / ratio, high * ratio, log=True, whole=whole)
        spread = margin * (high - low) if high > low else (abs(low) or 1.0) / 2
        return cls(low - spread, high + spread, whole=whole)

    def place(self, value: float | str) -> float:
        """Return the position of a number."""
        number = float(value)
        if self.log:
            share = math.log(max(number, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (number - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def value(self, place: float) -> float:
        """Return the number at a position."""
        if self.log:
            return float(self.low * (self.high / self.low) ** place)
        return self.low + place * (self.high - self.low)

    def ticks(self) -> Ticks:
        """Return ticks at three to seven round numbers."""
        numbers = _log_ticks(self.low, self.high) if self.log else []
        if len(numbers) < 2:
            numbers = _linear_ticks(self.low, self.high)
        if self.whole:
            numbers = sorted({round(number) for number in numbers if abs(number - round(number)) < 1e-9})
        return [(self.place(number), text) for number, text in zip(numbers, write(numbers), strict=True)]


@dataclass(frozen=True)
class Choices:
    """A scale of evenly spaced names."""

    names: tuple[str, ...]

    def place(self, value: float | str) -> float:
        """Return the position of a name."""
        return (self.names.index(str(value)) + 0.5) / len(self.names)

    def ticks(self) -> Ticks:
        """Return a tick for each name."""
        return [(self.place(name), name) for name in self.names]


def write(numbers: Sequence[float]) -> list[str]:
    """Return the shortest distinct labels for ticks, in scientific notation only if it is shorter."""
    texts: list[str] = []
    for digits in range(4, 17):
        texts = [text if len(text := f"{number:.10g}") <= 7 else f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(set(numbers)):
            break
    return texts


def robust(values: Sequence[float], *, maximize: bool, margin: float = 0.04) -> tuple[Numbers, bool]:
    """Return a scale for values of which a few may be far worse than the rest, and True if it leaves some out.

    The worst 10% of the values are left out if they take up more than half of the axis, so that differences between
    good values remain visible.
    """
    finite = sorted(value for value in values if math.isfinite(value))
    if len(finite) < 10:
        return Numbers.covering(finite, margin=margin), False
    tenth = len(finite) // 10
    kept = finite[tenth:] if maximize else finite[:-tenth]
    if (kept[-1] - kept[0]) * 2 < finite[-1] - finite[0] and kept[-1] > kept[0]:
        return Numbers.covering(kept, margin=margin), True
    return Numbers.covering(finite, margin=margin), False


def _linear_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 2.5, 5, 10) if k * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [(first + k) * step for k in range(count)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1,), (1, 3), (1, 2, 5)):
        ticks = [m * 10.0**d for d in decades for m in mantissas if low <= m * 10.0**d <= high]
        if len(ticks) >= 3:
            step = -(-len(ticks) // 7)
            return ticks[::step]
    return ticks
