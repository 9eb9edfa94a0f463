"""Lesson 9, week 4: parity of n bits, and the units that it needs in one hidden layer or in log2 n layers."""

from pathlib import Path
from typing import Any

from experiments.lessons.pictures import Panel, figure
from experiments.lessons.studies import EXPERIMENTS, search
from study.charts.scales import Numbers
from study.ledger.results import TrialRow

BITS = {4: 2, 8: 3}  # number of hidden layers by bits: log2 of the bits


def run(home: Path) -> dict[str, Any]:
    """Return for each number of bits and depth the best accuracy by units, and the fewest units that reach 100%."""
    rows = []
    for bits, deep in BITS.items():
        found = search(EXPERIMENTS / f"parity_{bits}.toml", home).summary
        for depth in (1, deep):
            best = best_by_units([row for row in found.ranking() if row.params["depth"] == depth])
            needed = min((units for units, value in best.items() if value == 1.0), default=None)
            rows.append(
                {
                    "bits": bits,
                    "depth": depth,
                    "best": [[units, round(value, 4)] for units, value in best.items()],
                    "units": needed,
                    "total": None if needed is None else needed * depth,
                }
            )
    return {"rows": rows}


def best_by_units(ranking: list[TrialRow]) -> dict[int, float]:
    """Return the best value for each number of units, in ascending order; the ranking has the best trial first."""
    best: dict[int, float] = {}
    for row in ranking:
        units = row.params["units_1" if row.params["depth"] == 1 else "units"]  # "units" if layers share it
        best.setdefault(int(units), row.value or 0.0)
    return dict(sorted(best.items()))


def draw(outcome: dict[str, Any]) -> str:
    """Return the best accuracy by units of a layer, with a panel for each number of bits."""
    panels = []
    for bits, deep in BITS.items():
        rows = [row for row in outcome["rows"] if row["bits"] == bits]
        panel = Panel(
            f"parity of {bits} bits",
            Numbers(1 if bits == 4 else 2, 8 if bits == 4 else 16, whole=True),
            Numbers(0.48, 1.01),
            "units per hidden layer",
            "best accuracy",
            ((0, "1 hidden layer"), (1, f"{deep} hidden layers")),
        )
        marks = "".join(panel.line(row["best"], k) + panel.dots(row["best"], k, 3) for k, row in enumerate(rows))
        panels.append((panel, marks))
    return figure("Accuracy on parity by units, shallow and deep", panels)
