"""Small studies of every kind that a report has to do with, run in the test's own process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from support.in_process import run_local

from study.home import Home
from study.ledger import Ledger, quiet_optuna
from study.report.facts import Facts


def run_for_report(text: str, folder: Path, **attributes: Any) -> Home:
    """Run the small study, leave in the ledger what `study run` would, and these attributes; return its home."""
    run_local(text, folder)
    home = Home(folder)
    with quiet_optuna():
        Ledger(home.folder("small"), "small").set(spec=text, folder=str(folder), **attributes)
    return home


def times(facts: Facts, count: int) -> Facts:
    """Return the facts of a study with so many times the trials and curves."""
    n = len(facts.trials)
    rows = [replace(row, number=k * n + row.number) for k in range(count) for row in facts.summary.trials]
    curves = {k * n + number: points for k in range(count) for number, points in facts.curves.items()}
    return replace(facts, summary=replace(facts.summary, trials=rows), curves=curves)


def confirmation(winner: int, best: int) -> dict[str, Any]:
    """Return what `study confirm` leaves in the ledger, for two trials."""

    def candidate(trial: int, search: float, value: float, difference: dict[str, float] | None) -> dict[str, Any]:
        return {
            "trial": trial,
            "search_value": search,
            "value": value,
            "low": value - 0.02,
            "high": value + 0.02,
            "by_seed": [value - 0.01, value, value + 0.01],
            "probability_best": 0.75,
            "indistinguishable": True,
            "difference": difference,
            "work": 1.0,
            "parameters": 33,
            "seconds": 2.0,
        }

    return {
        "metric": "accuracy",
        "direction": "maximize",
        "part": "dev",
        "m": 80,
        "seeds": 3,
        "search_best": {"trial": best, "value": 0.91},
        "candidates": [
            candidate(winner, 0.9, 0.8765, None),
            candidate(best, 0.91, 0.8321, {"estimate": -0.0444, "low": -0.09, "high": 0.001, "p": 0.21}),
        ],
        "winner": winner,
        "recommended": best,
        "power": {},
    }


def opening(trial: int, value: float, day: str) -> dict[str, Any]:
    """Return what an opening of the test set leaves in the ledger."""
    bounds = {"low": value - 0.03, "high": value + 0.03}
    return {"trial": trial, "metric": "accuracy", "value": value, **bounds, "at": f"{day}T10:00:00Z", "m": 80}
