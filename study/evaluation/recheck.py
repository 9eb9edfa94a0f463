"""`study recheck`: does the old best still hold, on data as they are now?

The study's best configurations are tried first by a short search on the new data, then they and the best that it found
are trained on fresh seeds and compared as `study confirm` compares. All of it is kept in a folder of the study, one for
each table, so that the same command goes on after an interrupt.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from engine.activations import Array
from engine.metrics import METRICS
from study.errors import UserError
from study.evaluation.retrain import Retrained, Retraining
from study.evaluation.selection import ScoredConfiguration, select_best
from study.execution import Workers
from study.ledger.confirmation import FailedRecheck, OldBest, Part, Recheck, RecheckCandidate
from study.ledger.home import Home, StudyFolder
from study.ledger.results import TrialRow, candidates
from study.search import Listener, Search
from study.search.memory import check_memory, check_retraining
from study.search.objective import Objective
from study.search.search_space import complete, fixed, within
from study.search.session import StudySession, load_all
from study.search.stopping import Budget
from study.spec import ConfirmSpec, DataSpec, Spec, first_reason
from study.spec.parameters import ParameterValue
from study.text.formatting import counted
from study.text.records import to_json

ATTRIBUTE = "recheck"  # of the ledger
SHARE = 4  # the search is a quarter of the study's
_SEED = 5  # purpose number of the search's seed, beside those of `study.search.objective`


def recheck(
    home: Home,
    name: str,
    *,
    data: Path | None = None,
    trials: int | None = None,
    top: int | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    said: Callable[[str], None],
) -> Recheck:
    """Look whether the best of a study still holds; return the outcome, which is in the ledger then.

    Args:
        home: where state lives.
        name: of the study.
        data: a file in place of the study's source; None reads that again, as it is now.
        trials: of the search; None is a quarter of the study's, or twice the settings that it begins with.
        top, seeds: settings of the study to try, and fresh seeds for each; None as [confirm] has it.
        jobs: worker processes; None is one a core.
        said: called with lines on how it goes.

    Raises:
        UserError: there is no such study, it has no complete trial, the data cannot be used, or nothing trains.
    """
    with StudySession.open(home, name) as session:
        summary = session.summary
        usual = session.spec.confirm or ConfirmSpec.model_validate({})
        old = candidates(summary, top or usual.top)
        if not old:
            raise UserError(f"study {name!r} has no complete trial to recheck; run it first")
        spec = _spec(
            session.spec, summary.metric, data, trials or max(2 * len(old), session.spec.search.trials // SHARE)
        )
        datasets = load_all(spec.data, session.base)
        seeds = seeds or usual.seeds
        of = _digest(spec, datasets[0].fingerprint, old, seeds)
        folder = StudyFolder(session.folder.rechecks / of)
        workers = Workers.of(spec.search, jobs)
        _check_memory(Objective(spec, datasets, folder), old, seeds, workers.jobs)
        with session.writing(), session.nested(spec, datasets, folder) as inner:
            same = datasets[0].fingerprint == session.attributes["fingerprint"]
            said(f"{spec.data.source}: {'the same data as before' if same else 'different data than before'}")
            with workers:
                new = _search(inner, old, workers, said)
                found = _train(inner.objective, old, new, seeds, workers, said)
            outcome = _judge(inner.objective, found, seeds, same_data=same, of=of)
            session.ledger.set(**{ATTRIBUTE: to_json(outcome)})
    return outcome


def _check_memory(objective: Objective, old: Sequence[TrialRow], seeds: int, jobs: int) -> None:
    """Check that this machine can search, and train the old configurations again.

    Raises:
        UserError: there is not as much memory.
    """
    check_memory(objective, jobs)
    configurations = [complete(objective.spec.space, _drawn(objective, row)) for row in old]
    check_retraining(objective, configurations, seeds, jobs)


def _spec(old: Spec, metric: str, data: Path | None, trials: int) -> Spec:
    """Return the spec of the search: that of the study, other data, fewer trials, none of its budgets."""
    given = old.data.model_dump(exclude_unset=True)
    if data is not None:
        given["source"] = str(data.absolute())
    try:
        source = DataSpec.model_validate(given)
    except ValidationError as error:
        raise UserError(f"--data {data}: {first_reason(error)}") from None
    state = np.random.SeedSequence(old.search.seed, spawn_key=(_SEED,)).generate_state(1)
    search = old.search.model_copy(
        update={
            "trials": trials,
            "metric": metric if not old.search.several else old.search.metric,
            "seed": int(state[0]),
            "enqueue": (),
            "work": None,
            "timeout": None,
            "stop_after": None,
        }
    )
    return old.model_copy(update={"data": source, "search": search})


def _digest(spec: Spec, fingerprint: str, old: Sequence[TrialRow], seeds: int) -> str:
    described = [spec.model_dump(mode="json"), fingerprint, [[row.number, row.params] for row in old], seeds]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def _search(
    inner: StudySession, old: Sequence[TrialRow], workers: Workers, said: Callable[[str], None]
) -> list[TrialRow]:
    """Search on the new data, the old configurations first; return the best that are none of them, as many."""
    objective, spec, ledger = inner.objective, inner.spec, inner.ledger
    ledger.claim_format()
    ledger.set(settings=fixed(spec.space), metric=objective.metric, objectives=list(objective.objectives))
    objective.write_data()
    budget = Budget(spec.search.trials, None, None, maximize=ledger.direction == "maximize")
    drawn = [_drawn(objective, row) for row in old]
    said(
        f"searching {counted(spec.search.trials, 'trial')}, starting with the "
        f"{counted(len(old), 'best configuration')} of the study"
    )
    Search(objective, ledger, budget, drawn, Listener()).run(workers)
    return [row for row in inner.summary.ranking() if row.number >= len(old)][: len(old)]


@dataclass(frozen=True, eq=False)
class _Trained:
    """A configuration trained on the new data. table: values of single examples by seed, (S, m)."""

    name: str
    row: TrialRow
    params: dict[str, ParameterValue]
    network: Retrained
    table: Array | None


def _train(
    objective: Objective,
    old: Sequence[TrialRow],
    new: Sequence[TrialRow],
    seeds: int,
    workers: Workers,
    said: Callable[[str], None],
) -> list[_Trained]:
    """Train old and new configurations on fresh seeds, the old ones first.

    Raises:
        UserError: none of them trains.
    """
    rows = {f"trial-{row.number}": row for row in old} | {f"new-{row.number}": row for row in new}
    drawn = {name: _drawn(objective, row) for name, row in rows.items()}
    said(f"training {counted(len(rows), 'configuration')} on {counted(seeds, 'fresh seed')} each")
    retraining = Retraining(objective, _part(objective), seeds, objective.folder.confirm)
    trained = retraining.train(drawn, workers, lambda name: said(f"{name} trained"))
    reasons = [network.reason for network in trained.values()]
    if None not in reasons:
        raise UserError(f"none of the {counted(len(rows), 'configuration')} trains on these data: {reasons[0]}")
    return [
        _Trained(
            name, row, drawn[name], network, retraining.table(network.predictions) if network.reason is None else None
        )
        for (name, row), network in zip(rows.items(), trained.values(), strict=True)
    ]


def _judge(objective: Objective, found: Sequence[_Trained], seeds: int, *, same_data: bool, of: str) -> Recheck:
    """Select the best of what was trained, and say whether the old best, the first of them, is as good."""
    scored = [_scored(objective, each, each.table) for each in found if each.table is not None]
    selection = select_best(objective.metric, scored, objective.spec.search.seed)
    scores = {each.label: score for each, score in zip(scored, selection.scores, strict=True)}
    best = found[0]
    return Recheck(
        metric=objective.metric,
        direction=METRICS[objective.metric].direction,
        part=_part(objective),
        m=int(scored[0].table.shape[1]),
        seeds=seeds,
        old_best=OldBest(name=best.name, trial=best.row.number, value=best.row.value),
        holds=best.name in scores and scores[best.name].indistinguishable,
        candidates=tuple(
            RecheckCandidate(
                name=each.name,
                trial=each.row.number,
                search_value=each.row.value,
                params=each.params,
                **vars(scores[each.name]),
                seconds=each.network.seconds,
            )
            for each in found
            if each.name in scores
        ),
        failed=tuple(
            FailedRecheck(name=each.name, reason=each.network.reason)
            for each in found
            if each.network.reason is not None
        ),
        winner=selection.best,
        recommended=selection.recommended,
        power=selection.power,
        data=objective.spec.data.source,
        same_data=same_data,
        trials=objective.spec.search.trials,
        of=of,
    )


def _part(objective: Objective) -> Part:
    return "dev" if objective.dataset.confirm is None else "confirm"


def _drawn(objective: Objective, row: TrialRow) -> dict[str, ParameterValue]:
    """Return those of a trial's parameters that the space draws; the others are the same for all."""
    drawn = within(objective.spec.space, row.params)
    if drawn is None:
        raise UserError(f"[space] changed: the configuration of trial {row.number} is no longer within it")
    return drawn


def _scored(objective: Objective, trained: _Trained, table: Array) -> ScoredConfiguration[str]:
    configuration = complete(objective.spec.space, trained.params)
    work = objective.iteration_work(configuration, 1).units * configuration["iterations"]
    count = objective.architecture(configuration).parameters_count
    return ScoredConfiguration(trained.name, table, round(work, 6), count)
