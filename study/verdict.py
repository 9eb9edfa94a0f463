"""The selection among settings that were scored on the same seeds and examples: which is best, which is recommended.

Called by `study.confirming` and `study.rechecking` with tables of `study.retraining`; plain JSON comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.activations import Array
from engine.metrics import METRICS
from study import power
from study.statistics import (
    ALPHA,
    BOUNDED,
    Interval,
    adjust_to_best,
    crossed,
    generator,
    probability_best,
)

POINTS = 0.02  # the difference that power is stated for, where a metric goes from 0 to 1
SHARE = 0.05  # of the winner's value, for other metrics


@dataclass(frozen=True, eq=False)
class Scored:
    """A setting with its scores.

    Attributes:
        label: what it is called: a trial's number, or a name.
        table: (S, m), values of single examples by seed.
        work, parameters: what it costs: units of work of its training in the search, numbers in its network.
    """

    label: Any
    table: Array
    work: float
    parameters: int


def judge(metric: str, settings: Sequence[Scored], seed: int) -> dict[str, Any]:
    """Return the verdict: one record a setting in the order given, "winner", "recommended" and "power".

    A record has "value" (mean over seeds) with its 95 % interval "low" and "high", "by_seed", "probability_best",
    "difference" to the winner (estimate, interval, and p adjusted since the same data chose the winner) and
    "indistinguishable": p is not below 5 %. Recommended is the cheapest of these, by work, then parameters.

    Args:
        metric: what the tables are of.
        settings: at least one, all with the same seeds and examples.
        seed: of the study.
    """
    maximize = METRICS[metric].direction == "maximize"
    rng = generator(seed)
    table = crossed(np.stack([setting.table for setting in settings]))
    k = len(settings)
    winner = int(np.argmax(table.means if maximize else -table.means))
    others = [place for place in range(k) if place != winner]
    p, levels = adjust_to_best(table, winner, [table.difference(place, winner).p for place in range(k)], rng)
    differences = [table.difference(place, winner, levels[place]) for place in range(k)]
    shares = probability_best(table, rng, maximize=maximize)
    records = []
    for place, setting in enumerate(settings):
        mean = table.interval(metric, place)
        records.append(
            {
                "value": mean.estimate,
                "low": mean.low,
                "high": mean.high,
                "by_seed": [float(value) for value in table.by_seed[place]],
                "probability_best": float(shares[place]),
                "indistinguishable": p[place] >= ALPHA,
                "difference": plain(differences[place], p[place]),
                "work": setting.work,
                "parameters": setting.parameters,
            }
        )
    good = [place for place in range(k) if records[place]["indistinguishable"]]
    cheapest = min(good, key=lambda place: (settings[place].work, settings[place].parameters, place))
    contrasts = np.array([np.eye(k)[place] - np.eye(k)[winner] for place in others]).reshape(-1, k)
    spread = power.spread_of(table, contrasts)
    level = float(np.mean([levels[place] for place in others])) if others else ALPHA
    return {
        "records": records,
        "winner": settings[winner].label,
        "recommended": settings[cheapest].label,
        "power": _power(metric, float(table.means[winner]), spread, table.S, table.m, level) if others else None,
    }


def plain(difference: Interval, p: float) -> dict[str, float]:
    """Return a difference as JSON."""
    return {"estimate": difference.estimate, "low": difference.low, "high": difference.high, "p": p}


def _power(metric: str, value: float, spread: power.Spread, seeds: int, m: int, level: float) -> dict[str, Any]:
    difference = POINTS if metric in (*BOUNDED, "r2") else SHARE * abs(value)
    return {
        "difference": difference,
        "power": power.power(difference, spread, seeds, m, level),
        "detectable": power.detectable(spread, seeds, m, level),
        "wanted": power.WANTED,
        "seeds_needed": power.seeds_needed(difference, spread, m, level),
        "examples_needed": power.examples_needed(difference, spread, seeds, level),
        "level": level,
    }
