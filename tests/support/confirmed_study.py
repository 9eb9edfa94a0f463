"""Studies that are run and confirmed in the test's own process, without MLflow."""

from collections.abc import Callable
from pathlib import Path

from support.in_process import local_session, run_local

from study.evaluation.confirm import confirm_with
from study.execution import Workers
from study.ledger.confirmation import Confirmation
from study.ledger.results import Summary


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
) -> Confirmation:
    """Run a spec without MLflow, and confirm it."""
    run_local(text, folder)
    session = local_session(text, folder)
    with session.writing(), Workers.of(session.spec.search, jobs) as workers:
        return confirm_with(session, workers, said, progress, top=top, seeds=seeds)


def ran(text: str, folder: Path) -> Summary:
    """Run a spec in this process, with everything that a run writes to the ledger."""
    summary = run_local(text, folder)
    session = local_session(text, folder)
    dataset = session.objective.dataset
    with session.writing():
        session.ledger.set(
            spec=text, folder=str(folder), fingerprint=dataset.fingerprint, parts=dataset.part_fingerprints
        )
    return summary
