"""`study recheck`: checks whether the best configuration of a study is still the best on current or other data.

A short search on the new data tries the study's best configurations first. These and the best new configurations are
then trained on fresh seeds and compared as in `study confirm`. Everything is stored in the study's folder, in one
subfolder per table, so rerunning the command resumes after an interrupt.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from engine.activations import Array
from engine.metrics import METRICS
from study.errors import UserError
from study.evaluation.influence import largest_weight, truth_of
from study.evaluation.retrain import Retrained, Retraining
from study.evaluation.selection import ScoredConfiguration, select_best
from study.execution import Workers
from study.ledger.confirmation import Part
from study.ledger.home import Home, StudyFolder
from study.ledger.recheck import FailedRecheck, OldBest, Recheck, RecheckCandidate
from study.ledger.results import TrialRow, candidates
from study.search import Listener, Search
from study.search.memory import check_memory, check_retraining
from study.search.objective import Objective, folds_of
from study.search.search_space import complete, fixed, needed_encodings, within
from study.search.session import StudySession, load_all
from study.search.stopping import Budget
from study.spec import ConfirmSpec, DataSpec, Spec, first_reason
from study.spec.parameters import ParameterValue
from study.text.formatting import counted
from study.text.records import to_json

ATTRIBUTE = "recheck"  # in the ledger
SHARE = 4  # the search has a quarter of the study's trials
_SEED = 5  # spawn key of the search's seed; see `study.search.objective` for the others


def recheck(
    home: Home,
    name: str,
    *,
    data: Path | None = None,
    options: Mapping[str, object] | None = None,
    trials: int | None = None,
    top: int | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    said: Callable[[str], None],
) -> Recheck:
    """Check whether the best configuration of a study is still the best, and store the result in the ledger.

    Args:
        home: the home of the study.
        name: name of the study.
        data: a file that replaces the study's source; None rereads the source.
        options: keys of [data] for this file; None uses the study's.
        trials: number of trials of the search; None is a quarter of the study's, but at least twice the number of old
            configurations.
        top: number of the study's best configurations to retrain; None uses [confirm].
        seeds: number of fresh seeds for each configuration; None uses [confirm].
        jobs: number of worker processes; None is one per core.
        said: called with each progress message.

    Raises:
        UserError: the study does not exist, it has no complete trial, the data cannot be used, or no configuration
            trains.
    """
    with StudySession.open(home, name) as session:
        summary = session.summary
        usual = session.spec.confirm or ConfirmSpec.model_validate({})
        old = candidates(summary, top or usual.top)
        if not old:
            raise UserError(f"study {name!r} has no complete trial to recheck; run it first")
        spec = _spec(
            session.spec,
            summary.metric,
            data,
            options,
            trials or max(2 * len(old), session.spec.search.trials // SHARE),
        )
        datasets = load_all(spec.data, session.base, needed_encodings(spec))
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
    """Check that this machine has enough memory to search, and to retrain the old configurations.

    Raises:
        UserError: the memory is insufficient.
    """
    check_memory(objective, jobs)
    configurations = [complete(objective.spec.space, _drawn(objective, row)) for row in old]
    check_retraining(objective, configurations, seeds, jobs)


def _spec(old: Spec, metric: str, data: Path | None, options: Mapping[str, object] | None, trials: int) -> Spec:
    """Return the spec of the search: that of the study with other data, fewer trials and no other limits."""
    given = dict(options or old.data.model_dump(exclude_unset=True))
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
    """Search on the new data, starting with the old configurations; return an equal number of the best new ones."""
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
    """A configuration that was trained on the new data; `table` has the values of single examples by seed, (S, m)."""

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
        UserError: the training of all configurations fails.
    """
    rows = {f"trial-{row.number}": row for row in old} | {f"new-{row.number}": row for row in new}
    drawn = {name: _drawn(objective, row) for name, row in rows.items()}
    said(f"training {counted(len(rows), 'configuration')} on {counted(seeds, 'fresh seed')} each")
    retraining = Retraining(objective, _part(objective), seeds, objective.folder.confirm)
    trained = retraining.train(drawn, workers, lambda name: said(f"{name} trained"))
    reasons = [network.reason for network in trained.values()]
    if None not in reasons:
        raise UserError(
            f"none of the {counted(len(rows), 'configuration')} could be trained on this data: {reasons[0]}"
        )
    return [
        _Trained(
            name, row, drawn[name], network, retraining.table(network.predictions) if network.reason is None else None
        )
        for (name, row), network in zip(rows.items(), trained.values(), strict=True)
    ]


def _judge(objective: Objective, found: Sequence[_Trained], seeds: int, *, same_data: bool, of: str) -> Recheck:
    """Select the best configuration, and decide whether the old best, which is listed first, is still as good."""
    scored = [_scored(objective, each, each.table) for each in found if each.table is not None]
    part = _part(objective)
    weight = largest_weight(objective.metric, truth_of(folds_of(objective.datasets, part), part))
    margin = None if objective.spec.confirm is None else objective.spec.confirm.margin
    selection = select_best(objective.metric, scored, objective.spec.search.seed, weight, margin)
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
        margin=selection.margin,
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
    """Return those of a trial's parameters that the space draws; the others are fixed."""
    drawn = within(objective.spec.space, row.params)
    if drawn is None:
        raise UserError(f"[space] changed: it no longer contains the configuration of trial {row.number}")
    return drawn


def _scored(objective: Objective, trained: _Trained, table: Array) -> ScoredConfiguration[str]:
    configuration = complete(objective.spec.space, trained.params)
    work = objective.iteration_work(configuration, 1).units * configuration["iterations"]
    count = objective.architecture(configuration).parameters_count
    return ScoredConfiguration(trained.name, table, round(work, 6), count)
