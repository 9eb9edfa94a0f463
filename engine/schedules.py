"""Learning rate schedules: a registry of factors of the learning rate, as functions of the progress of training.

A schedule goes from 1 to `final_fraction` for any number of iterations, so that a configuration keeps its meaning when
the number of iterations changes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from engine.registry import Registry

STEPS = 4


@dataclass(frozen=True)
class Schedule:
    """One schedule.

    Attributes:
        name: name in settings.
        factor: `factor(done, final_fraction)` returns the factor of the learning rate, above 0, where `done` is the
            share of completed iterations, at least 0 and below 1. `factor(0, final_fraction)` is 1.
        source: source of the formula.
    """

    name: str
    factor: Callable[[float, float], float]
    source: str


def _constant(_done: float, _final: float) -> float:
    return 1.0


def _inverse_time(done: float, final: float) -> float:
    return 1.0 / (1.0 + (1.0 / final - 1.0) * done)  # α₀ / (1 + decay · t)


def _step(done: float, final: float) -> float:
    return float(final ** (math.floor(done * STEPS) / (STEPS - 1)))  # four plateaus, equal ratios between them


def _cosine(done: float, final: float) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


SCHEDULES = Registry[Schedule](
    "schedule",
    (
        Schedule("constant", _constant, "the learning rate as given"),
        Schedule("inverse_time", _inverse_time, "Ng, Improving Deep Neural Networks, week 2"),
        Schedule("step", _step, "four plateaus with equal ratios between them"),
        Schedule("cosine", _cosine, "Loshchilov and Hutter, 2017, one cycle"),
    ),
)


def register_schedule(schedule: Schedule) -> None:
    """Register a schedule, which settings and specs can then name.

    Workers receive the schedule with their tasks. Any other process that uses it must register it again, such as one
    that resumes a study. `engine.testing.check_schedule` tests that it fulfills the contract of `Schedule`.

    Raises:
        ValueError: if the name is built in, or does not consist of lowercase letters, digits and underscores.
    """
    SCHEDULES.register(schedule)
