"""A study run and confirmed in the test's own process, without MLflow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.in_process import run_local

from study.confirming import confirm_with
from study.home import Home
from study.ledger import Ledger, quiet_optuna
from study.reopening import load_all
from study.results import Summary
from study.search.objective import Objective
from study.spec import parse_spec
from study.workers import Workers


def nobody(_line: str) -> None:
    pass


def confirmed(
    text: str,
    folder: Path,
    *,
    top: int = 3,
    seeds: int = 4,
    jobs: int = 1,
    said: Callable[[str], None] = nobody,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a spec without MLflow, and confirm it."""
    run_local(text, folder)
    spec = parse_spec(text, "test.toml")
    place = Home(folder).folder(spec.name)
    objective = Objective(spec, load_all(spec.data, folder), place)
    with quiet_optuna(), Workers.of(spec.search, jobs) as workers:
        return confirm_with(objective, Ledger(place, spec.name), workers, said, progress, top=top, seeds=seeds)


def ran(text: str, folder: Path) -> Summary:
    """Run a spec in process, with all that a run writes into the ledger."""
    spec = parse_spec(text, "test.toml")
    summary = run_local(text, folder)
    place = Home(folder).folder(spec.name)
    objective = Objective(spec, load_all(spec.data, folder), place)
    Ledger(place, spec.name).set(
        spec=text,
        folder=str(folder),
        fingerprint=objective.dataset.fingerprint,
        parts=objective.dataset.part_fingerprints,
    )
    return summary
