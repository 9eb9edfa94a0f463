"""Small studies of every kind for reports, run in the test's own process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from support.in_process import run_local

from study.ledger.home import Home
from study.ledger.ledger import Ledger, quiet_optuna
from study.ledger.results import digest
from study.report.facts import Facts
from study.search.session import load_all
from study.spec import parse_spec


def run_for_report(text: str, folder: Path, **attributes: Any) -> Home:
    """Run the small study, and write to the ledger what `study run` would, and these attributes; return its home.

    A confirmation among these is made to match the study.
    """
    summary = run_local(text, folder)
    home = Home(folder)
    with quiet_optuna():
        ledger = Ledger(home.folder("small"), "small")
        dataset = load_all(parse_spec(text, "").data, folder)[0]
        attributes = {"fingerprint": dataset.fingerprint, "parts": dataset.part_fingerprints} | attributes
        if "confirm" in attributes:
            kept = attributes["confirm"]
            state = digest(summary, ledger.attributes | attributes, kept["top"], kept["seeds"])
            attributes["confirm"] = kept | {"of": state}
        ledger.set(spec=text, folder=str(folder), **attributes)
    return home


def times(facts: Facts, count: int) -> Facts:
    """Return the facts of a study with its trials and curves repeated `count` times."""
    n = len(facts.trials)
    rows = [replace(row, number=k * n + row.number) for k in range(count) for row in facts.summary.trials]
    curves = {k * n + number: points for k in range(count) for number, points in facts.curves.items()}
    return replace(facts, summary=replace(facts.summary, trials=rows), curves=curves)


def confirmation(winner: int, best: int, recommended: int | None = None) -> dict[str, Any]:
    """Return what `study confirm` writes to the ledger for two or three trials, the last of which is `recommended`."""

    def candidate(trial: int, search: float, value: float, difference: dict[str, float]) -> dict[str, Any]:
        return {
            "trial": trial,
            "search_value": search,
            "value": value,
            "low": value - 0.02,
            "high": value + 0.02,
            "by_seed": [value - 0.01, value, value + 0.01],
            "indistinguishable": True,
            "difference": difference,
            "work": 1.0,
            "parameters": 33,
            "seconds": 2.0,
        }

    difference = {"estimate": -0.0444, "low": -0.09, "high": 0.001, "p": 0.21}
    third = [] if recommended is None else [candidate(recommended, 0.9, 0.8654, difference)]
    return {
        "metric": "accuracy",
        "direction": "maximize",
        "part": "dev",
        "m": 80,
        "seeds": 3,
        "top": 3,
        "search_best": {"trial": best, "value": 0.91},
        "candidates": [
            candidate(winner, 0.9, 0.8765, {"estimate": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}),
            candidate(best, 0.91, 0.8321, difference),
            *third,
        ],
        "winner": winner,
        "recommended": best if recommended is None else recommended,
        "power": None,
    }


def opening(trial: int, value: float, day: str) -> dict[str, Any]:
    """Return what a test evaluation writes to the ledger."""
    bounds = {"low": value - 0.03, "high": value + 0.03}
    return {"trial": trial, "metric": "accuracy", "value": value, **bounds, "at": f"{day}T10:00:00Z", "m": 80}
