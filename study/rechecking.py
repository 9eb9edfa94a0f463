"""`study recheck`: does the old best still hold, on data as they are now?

The study's best settings are tried first by a short search on the new data, then they and the best that it found are
trained on fresh seeds and judged as `study confirm` judges. All of it is kept in a folder of the study, one for each
table, so that the same command goes on after an interrupt.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from engine.metrics import METRICS
from study import holding
from study.errors import UserError
from study.formatting import counted
from study.home import Home, StudyFolder
from study.ledger import Ledger, quiet_optuna, repair
from study.reopening import Reopened, load_all, reopen
from study.results import TrialRow, candidates, summarize_ledger
from study.retraining import Part, Retrained, Retraining
from study.search import Listener, Search
from study.search.objective import Objective, direction_of
from study.search.search_space import complete, fixed, within
from study.search.stopping import Budget
from study.spec import ConfirmSpec, DataSpec, Spec, first_reason
from study.verdict import Scored, judge
from study.workers import Workers

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
) -> dict[str, Any]:
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
    reopened = reopen(home, name)
    usual = reopened.spec.confirm or ConfirmSpec.model_validate({})
    old = candidates(reopened.summary, top or usual.top)
    if not old:
        raise UserError(f"study {name!r} has no complete trial to look at again; run it first")
    spec = _spec(reopened, data, trials or max(2 * len(old), reopened.spec.search.trials // SHARE))
    datasets = load_all(spec.data, reopened.base)
    seeds = seeds or usual.seeds
    of = _digest(spec, datasets[0].fingerprint, old, seeds)
    folder = StudyFolder(reopened.folder.rechecks / of)
    objective = Objective(spec, datasets, folder)
    with holding.hold(reopened.folder, name) as held, quiet_optuna():
        repair(reopened.folder)
        same = datasets[0].fingerprint == reopened.attributes["fingerprint"]
        said(f"{spec.data.source}: {'the same data as before' if same else 'other data than before'}")
        with Workers.of(spec.search, jobs) as workers:
            new = _search(objective, old, workers, said)
            outcome = _judge(objective, old, new, seeds, workers, said)
        outcome |= {"data": spec.data.source, "same_data": same, "trials": spec.search.trials, "of": of}
        Ledger(reopened.folder, name, held=held).set(**{ATTRIBUTE: outcome})
    return outcome


def _spec(reopened: Reopened, data: Path | None, trials: int) -> Spec:
    """Return the spec of the search: that of the study, other data, fewer trials, none of its budgets."""
    old = reopened.spec
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
            "metric": reopened.summary.metric if not old.search.several else old.search.metric,
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
    objective: Objective, old: Sequence[TrialRow], workers: Workers, said: Callable[[str], None]
) -> list[TrialRow]:
    """Search on the new data, the old settings first; return the best that are none of them, as many."""
    folder, spec = objective.folder, objective.spec
    folder.path.mkdir(parents=True, exist_ok=True)
    repair(folder)
    ledger = Ledger(folder, spec.name, [direction_of(name) for name in objective.objectives])
    ledger.claim_format()
    ledger.set(settings=fixed(spec.space), metric=objective.metric, objectives=list(objective.objectives))
    objective.write_data()
    budget = Budget(spec.search.trials, None, None, maximize=ledger.direction == "maximize")
    drawn = [_drawn(objective, row) for row in old]
    said(f"searching {spec.search.trials} trials, the {len(old)} best settings of the study first")
    Search(objective, ledger, budget, drawn, Listener()).run(workers)
    summary = summarize_ledger(ledger, folder)
    return [row for row in summary.ranking() if row.number >= len(old)][: len(old)]


def _judge(
    objective: Objective,
    old: Sequence[TrialRow],
    new: Sequence[TrialRow],
    seeds: int,
    workers: Workers,
    said: Callable[[str], None],
) -> dict[str, Any]:
    part: Part = "dev" if objective.dataset.confirm is None else "confirm"
    rows = {f"trial-{row.number}": row for row in old} | {f"new-{row.number}": row for row in new}
    drawn = {name: _drawn(objective, row) for name, row in rows.items()}
    said(f"training {counted(len(rows), 'setting')} on {seeds} fresh seeds each")
    retraining = Retraining(objective, part, seeds, objective.folder.confirm)
    trained = retraining.train(drawn, workers, lambda name: said(f"{name} trained"))
    good = [name for name in rows if trained[name].reason is None]
    if not good:
        raise UserError(f"none of the {len(rows)} settings trains on these data: {next(iter(trained.values())).reason}")
    scored = [_scored(objective, retraining, name, drawn[name], trained[name]) for name in good]
    verdict = judge(objective.metric, scored, objective.spec.search.seed)
    records = dict(zip(good, verdict["records"], strict=True))
    best = f"trial-{old[0].number}"
    return {
        "metric": objective.metric,
        "direction": METRICS[objective.metric].direction,
        "part": part,
        "m": int(scored[0].table.shape[1]),
        "seeds": seeds,
        "old_best": {"name": best, "trial": old[0].number, "value": old[0].value},
        "holds": best in records and records[best]["indistinguishable"],
        "candidates": [
            {"name": name, "trial": rows[name].number, "search_value": rows[name].value, "params": drawn[name]}
            | records[name]
            | {"seconds": trained[name].seconds}
            for name in good
        ],
        "failed": [{"name": name, "reason": trained[name].reason} for name in rows if name not in good],
        "winner": verdict["winner"],
        "recommended": verdict["recommended"],
        "power": verdict["power"],
    }


def _drawn(objective: Objective, row: TrialRow) -> dict[str, Any]:
    """Return those of a trial's parameters that the space draws; the others are the same for all."""
    drawn = within(objective.spec.space, row.params)
    if drawn is None:
        raise UserError(f"[space] changed: the setting of trial {row.number} is not within it any more")
    return drawn


def _scored(
    objective: Objective, retraining: Retraining, name: str, params: dict[str, Any], trained: Retrained
) -> Scored:
    setting = complete(objective.spec.space, params)
    work = objective.iteration_work(setting, 1).units * setting["iterations"]
    count = objective.architecture(setting).parameters_count
    return Scored(name, retraining.table(trained.predictions), round(work, 6), count)
