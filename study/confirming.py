"""`study confirm`: the best settings of a search trained again on fresh seeds, and the verdict in the ledger.

Fresh seeds take away the luck of the seed; the luck of the dev examples that chose the candidates stays, unless the
spec sets a part aside (`[data] confirm`). What the figures mean: docs/comparison.md.
"""

from collections.abc import Callable
from typing import Any

from engine.metrics import METRICS
from study import holding
from study.confirm_progress import ProgressFile
from study.errors import UserError
from study.formatting import counted
from study.home import Home
from study.ledger import RESULT, Ledger, quiet_optuna, repair
from study.reopening import reopen
from study.results import TrialRow, candidates, digest, is_current, summarize_ledger
from study.retraining import Part, Retraining
from study.search.objective import Objective
from study.spec import ConfirmSpec
from study.verdict import Scored, judge
from study.workers import Workers

ATTRIBUTE = "confirm"  # of the ledger


def confirm(
    home: Home,
    name: str,
    *,
    top: int | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    said: Callable[[str], None],
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Confirm a study; return the outcome, which is in the ledger then. What is known already is not trained again.

    Args:
        home: where state lives.
        name: of the study.
        top, seeds: in place of [confirm] in the spec.
        jobs: worker processes; None is one a core.
        said: called with lines on how it goes.
        progress: called with the share of the work that is done, 0 to 1.

    Raises:
        UserError: there is no such study, it has no complete trial, its data changed, or nothing trains.
    """
    reopened = reopen(home, name)
    usual = reopened.spec.confirm or ConfirmSpec.model_validate({})
    top, seeds = top or usual.top, seeds or usual.seeds
    known = reopened.attributes.get(ATTRIBUTE)
    if known is not None and known["of"] == digest(reopened.summary, reopened.attributes, top, seeds):
        return dict(known)
    objective = reopened.objective()
    with holding.hold(reopened.folder, name) as held, quiet_optuna():
        repair(reopened.folder)
        objective.write_data()
        ledger = Ledger(reopened.folder, name, held=held)
        with Workers.of(reopened.spec.search, jobs) as workers:
            return confirm_with(objective, ledger, workers, said, progress, top=top, seeds=seeds)


def confirm_with(
    objective: Objective,
    ledger: Ledger,
    workers: Workers,
    said: Callable[[str], None],
    progress: Callable[[float], None] = lambda _: None,
    *,
    top: int,
    seeds: int,
) -> dict[str, Any]:
    """Confirm a study whose lease this process holds and whose data are written, with workers that are begun.

    Otherwise as `confirm`.
    """
    summary = summarize_ledger(ledger, objective.folder)
    known = ledger.attributes.get(ATTRIBUTE)
    state = digest(summary, ledger.attributes, top, seeds)
    if known is not None and known["of"] == state:
        return dict(known)
    best = candidates(summary, top)
    if not best:
        raise UserError(f"study {summary.name!r} has no complete trial to confirm; run it first")
    part: Part = "dev" if objective.dataset.confirm is None else "confirm"
    if summary.state != "complete":
        ended = sum(row.state != "running" for row in summary.trials)
        said(f"the search is not complete: these are the best of {ended} of {summary.planned} trials")
    said(f"confirming {counted(len(best), 'setting')} on {seeds} fresh seeds each")
    titles = {_file(row): row for row in best}
    trials = {trial.number: trial for trial in ledger.trials()}
    retraining = Retraining(objective, part, seeds, objective.folder.confirm)
    with ProgressFile(objective.folder) as file:

        def advanced(share: float) -> None:
            file.update(share)
            progress(share)

        trained = retraining.train(
            {_file(row): trials[row.number].params for row in best},
            workers,
            lambda name: said(f"trial {titles[name].number} trained again"),
            advanced,
        )
    good = [row for row in best if trained[_file(row)].reason is None]
    failed = [
        {"trial": row.number, "search_value": row.value, "reason": trained[_file(row)].reason}
        for row in best
        if row not in good
    ]
    if not good:
        raise UserError(f"none of the {len(best)} best settings trains again: trial {best[0].number} {_why(failed)}")
    scored = []
    for row in good:
        result = trials[row.number].user_attrs[RESULT]
        table = retraining.table(trained[_file(row)].predictions)
        scored.append(Scored(row.number, table, result["work"], result["parameters"]))
    verdict = judge(objective.metric, scored, objective.spec.search.seed)
    outcome = {
        "metric": objective.metric,
        "direction": METRICS[objective.metric].direction,
        "part": part,
        "m": int(scored[0].table.shape[1]),
        "seeds": seeds,
        "top": top,
        "search_best": {"trial": best[0].number, "value": best[0].value},
        "candidates": [
            {"trial": row.number, "search_value": row.value, **record, "seconds": trained[_file(row)].seconds}
            for row, record in zip(good, verdict["records"], strict=True)
        ],
        "failed": failed,
        "winner": verdict["winner"],
        "recommended": verdict["recommended"],
        "power": verdict["power"],
        "of": state,
    }
    if all(network.lasting for network in trained.values()):
        ledger.set(**{ATTRIBUTE: outcome})
    return outcome


def confirm_once(
    objective: Objective,
    ledger: Ledger,
    workers: Workers,
    said: Callable[[str], None],
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any] | None:
    """Confirm as the spec says, at the end of a run; return None where the spec does not, or nothing trains again.

    An outcome of this state of the study stays, also one with more seeds or settings than the spec's.
    """
    wanted = objective.spec.confirm
    if wanted is None:
        return None
    summary, attributes = summarize_ledger(ledger, objective.folder), ledger.attributes
    known = attributes.get(ATTRIBUTE)
    if (
        known is not None
        and is_current(known, summary, attributes)
        and known["top"] >= wanted.top
        and known["seeds"] >= wanted.seeds
    ):
        return dict(known)
    try:
        return confirm_with(objective, ledger, workers, said, progress, top=wanted.top, seeds=wanted.seeds)
    except UserError as error:
        said(f"not confirmed: {error}")
        return None


def _file(row: TrialRow) -> str:
    return f"trial-{row.number}"


def _why(failed: list[dict[str, Any]]) -> str:
    return str(failed[0]["reason"])
