"""Learning-rate schedules: each a factor on the learning rate, as a function of how much of training is done.

A schedule goes from 1 to `final_fraction`, whatever the number of iterations, so that one setting keeps its
meaning when iterations change. Called by `training` once an iteration.
"""

import math
from collections.abc import Callable

STEPS = 4

Schedule = Callable[[float, float], float]


def _constant(_done: float, _final: float) -> float:
    return 1.0


def _inverse_time(done: float, final: float) -> float:
    return 1.0 / (1.0 + (1.0 / final - 1.0) * done)  # α₀ / (1 + decay · t): Ng, Improving Deep Neural Networks, week 2


def _step(done: float, final: float) -> float:
    return float(final ** (math.floor(done * STEPS) / (STEPS - 1)))  # four plateaus, equal ratios between them


def _cosine(done: float, final: float) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))  # Loshchilov and Hutter, 2017, one cycle


SCHEDULES: dict[str, Schedule] = {
    "constant": _constant,
    "inverse_time": _inverse_time,
    "step": _step,
    "cosine": _cosine,
}
