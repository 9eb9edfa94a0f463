"""From a value to a place on an axis, and the round numbers written beside it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

Ticks = list[tuple[float, str]]
"""(place on the axis, 0 to 1; text)."""


class Scale(Protocol):
    """What an axis needs: a place for each value, and ticks."""

    def place(self, value: float | str) -> float:
        """Return where a value lies, 0 to 1; what lies beyond is put at the edge."""

    def ticks(self) -> Ticks:
        """Return round numbers, or all choices."""


@dataclass(frozen=True)
class Numbers:
    """An axis of numbers from low to high, which differ.

    log: distances are ratios, low is above 0. whole: ticks are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @classmethod
    def covering(
        cls, values: Iterable[float], *, log: bool = False, whole: bool = False, margin: float = 0.04
    ) -> "Numbers":
        """Return the axis that has all finite values within, with a margin (a share of its length) at both ends."""
        finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        if log:
            ratio = (high / low) ** margin if high > low else 2.0
            return cls(low / ratio, high * ratio, log=True, whole=whole)
        spread = margin * (high - low) if high > low else (abs(low) or 1.0) / 2
        return cls(low - spread, high + spread, whole=whole)

    def place(self, value: float | str) -> float:
        """Return where a number lies."""
        number = float(value)
        if self.log:
            share = math.log(max(number, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (number - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def ticks(self) -> Ticks:
        """Return three to seven round numbers."""
        numbers = _log_ticks(self.low, self.high) if self.log else []
        if len(numbers) < 2:
            numbers = _linear_ticks(self.low, self.high)
        if self.whole:
            numbers = sorted({round(number) for number in numbers if abs(number - round(number)) < 1e-9})
        return [(self.place(number), text) for number, text in zip(numbers, write(numbers), strict=True)]


@dataclass(frozen=True)
class Choices:
    """An axis of names, each with the same room."""

    names: tuple[str, ...]

    def place(self, value: float | str) -> float:
        """Return the middle of a name's room."""
        return (self.names.index(str(value)) + 0.5) / len(self.names)

    def ticks(self) -> Ticks:
        """Return all names."""
        return [(self.place(name), name) for name in self.names]


def write(numbers: Sequence[float]) -> list[str]:
    """Return the texts of ticks: as short as they can be and still differ, powers of ten only where they save room."""
    texts: list[str] = []
    for digits in range(4, 17):
        texts = [text if len(text := f"{number:.10g}") <= 7 else f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(set(numbers)):
            break
    return texts


def robust(values: Sequence[float], *, maximize: bool, margin: float = 0.04) -> tuple[Numbers, bool]:
    """Return an axis for values of which a few may be far worse than the rest, and whether it leaves any out.

    It is cut where the worst tenth takes more than half of it: the differences among good values are what a reader
    looks for.
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
