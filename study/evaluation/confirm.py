"""`study confirm`: retrains the best configurations of a search on fresh seeds, and selects the best of them.

Fresh seeds remove the selection bias due to seeds. The bias due to the dev examples, which selected the candidates,
remains unless the spec has a confirm split (`[data] confirm`). See docs/comparison.md.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from optuna.trial import FrozenTrial

from engine.metrics import METRICS
from study.errors import UserError
from study.evaluation.baseline_comparison import compare_with_baselines
from study.evaluation.confirm_progress import ProgressFile
from study.evaluation.optimism import winner_optimism
from study.evaluation.retrain import Retrained, Retraining
from study.evaluation.selection import ScoredConfiguration, select_best, usual_margin
from study.execution import Workers
from study.ledger.confirmation import Candidate, ConfirmAnswer, Confirmation, FailedCandidate, Part, SearchBest
from study.ledger.home import Home
from study.ledger.ledger import RESULT
from study.ledger.results import Summary, TrialRow, candidates, digest, is_current, summarize
from study.search.memory import check_retraining
from study.search.search_space import complete
from study.search.session import StudySession
from study.spec import ConfirmSpec, Spec
from study.text.formatting import counted
from study.text.records import to_json

ATTRIBUTE = "confirm"  # in the ledger


def confirm(
    home: Home,
    name: str,
    *,
    top: int | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    said: Callable[[str], None],
    progress: Callable[[float], None] = lambda _: None,
) -> ConfirmAnswer:
    """Confirm a study, and store the result in the ledger. Configurations that were already retrained are reused.

    Args:
        home: the home of the study.
        name: name of the study.
        top, seeds: override [confirm] in the spec.
        jobs: number of worker processes; None is one per core.
        said: called with each progress message.
        progress: called with the share of the work that is done, from 0 to 1.

    Raises:
        UserError: the study does not exist, it has no complete trial, its data has changed, or no configuration trains.
    """
    with StudySession.open(home, name) as session:
        usual = session.spec.confirm or ConfirmSpec.model_validate({})
        top, seeds = top or usual.top, seeds or usual.seeds
        found = _known(session, session.summary, top, seeds)
        if found is None:
            objective = session.objective
            with session.writing():
                objective.write_data()
                workers = Workers.of(session.spec.search, jobs)
                _check_memory(session, top, seeds, workers.jobs)
                with workers:
                    found = confirm_with(session, workers, said, progress, top=top, seeds=seeds)
                    compare_with_baselines(session, workers)
    final = summarize(home, name).choice.final
    return ConfirmAnswer(**vars(found), confirmed=found.winner, finalize=final)


def _check_memory(session: StudySession, top: int, seeds: int, jobs: int) -> None:
    """Check that this machine has enough memory to retrain the best configurations.

    Raises:
        UserError: the memory is insufficient.
    """
    trials = session.ledger.trials()
    best = candidates(session.summary, top)
    configurations = [complete(session.spec.space, trials[row.number].params) for row in best]
    check_retraining(session.objective, configurations, seeds, jobs)


def confirm_with(
    session: StudySession,
    workers: Workers,
    said: Callable[[str], None],
    progress: Callable[[float], None] = lambda _: None,
    *,
    top: int,
    seeds: int,
) -> Confirmation:
    """Confirm a study that is open for writing and whose data is written, with running workers.

    In all other respects, it is like `confirm`.
    """
    objective, ledger, summary = session.objective, session.ledger, session.summary
    if (known := _known(session, summary, top, seeds)) is not None:
        return known
    state = digest(summary, ledger.attributes, top, seeds)
    best = candidates(summary, top)
    if not best:
        raise UserError(f"study {summary.name!r} has no complete trial to confirm; run it first")
    part: Part = "dev" if objective.dataset.confirm is None else "confirm"
    if summary.state != "complete":
        said(
            f"the search is incomplete: {_ended(summary)} of {counted(summary.planned, 'trial')} have ended; "
            f"confirming the best of these"
        )
    said(f"confirming {counted(len(best), 'configuration')} on {counted(seeds, 'fresh seed')} each")
    trials = {trial.number: trial for trial in ledger.trials()}
    retraining = Retraining(objective, part, seeds, objective.folder.confirm)
    trained = _train(retraining, best, trials, workers, said, progress)
    good = [row for row in best if trained[row.number].reason is None]
    failed = tuple(
        FailedCandidate(trial=row.number, search_value=row.value, reason=reason)
        for row in best
        if (reason := trained[row.number].reason) is not None
    )
    if not good:
        raise UserError(
            f"none of the {counted(len(best), 'best configuration')} could be trained on fresh seeds: "
            f"trial {best[0].number} {failed[0].reason}"
        )
    scored = [_scored(retraining, trials[row.number], trained[row.number]) for row in good]
    selection = select_best(
        objective.metric, scored, objective.spec.search.seed, retraining.weight, _margin(objective.spec)
    )
    confirmation = Confirmation(
        metric=objective.metric,
        direction=METRICS[objective.metric].direction,
        part=part,
        m=int(scored[0].table.shape[1]),
        seeds=seeds,
        top=top,
        search_best=SearchBest(trial=best[0].number, value=best[0].value),
        candidates=tuple(
            Candidate(
                trial=row.number,
                search_value=row.value,
                **vars(score),
                seconds=trained[row.number].seconds,
                average=retraining.average(trained[row.number].predictions, each.table),
            )
            for row, score, each in zip(good, selection.scores, scored, strict=True)
        ),
        failed=failed,
        winner=selection.best,
        margin=selection.margin,
        recommended=selection.recommended,
        power=selection.power,
        optimism=winner_optimism(retraining, candidates(summary, len(trials)), scored, top),
        of=state,
    )
    if all(network.lasting for network in trained.values()):
        ledger.set(**{ATTRIBUTE: to_json(confirmation)})
    return confirmation


def confirm_once(
    session: StudySession,
    workers: Workers,
    said: Callable[[str], None],
    progress: Callable[[float], None] = lambda _: None,
) -> Confirmation | None:
    """Confirm a study as its spec asks; return None if the spec has no [confirm], or no configuration trains.

    An up-to-date confirmation is kept, even if it has more seeds or configurations than the spec asks for.
    """
    wanted = session.spec.confirm
    if wanted is None:
        return None
    summary = session.summary
    known = summary.confirm
    if (
        known is not None
        and is_current(known, summary, session.attributes)
        and known.top >= wanted.top
        and known.seeds >= wanted.seeds
        and _has_margin(known, wanted.margin)
    ):
        return known
    try:
        return confirm_with(session, workers, said, progress, top=wanted.top, seeds=wanted.seeds)
    except UserError as error:
        said(f"not confirmed: {error}")
        return None


def _ended(summary: Summary) -> int:
    return sum(row.state != "running" for row in summary.trials)


def _known(session: StudySession, summary: Summary, top: int, seeds: int) -> Confirmation | None:
    """Return the confirmation in the ledger if it is up to date, and has this number of trials and seeds."""
    known = summary.confirm
    if known is None or not _has_margin(known, _margin(session.spec)):
        return None
    return known if known.of == digest(summary, session.attributes, top, seeds) else None


def _margin(spec: Spec) -> float | None:
    return None if spec.confirm is None else spec.confirm.margin


def _has_margin(known: Confirmation, margin: float | None) -> bool:
    """Return whether a confirmation recommends by this margin; None is the default."""
    wanted = usual_margin(known.metric, known.best.value) if margin is None else margin
    return known.margin is not None and math.isclose(known.margin, wanted)


def _scored(retraining: Retraining, trial: FrozenTrial, trained: Retrained) -> ScoredConfiguration[int]:
    result, table = trial.user_attrs[RESULT], retraining.table(trained.predictions)
    return ScoredConfiguration(trial.number, table, result["work"], result["parameters"])


def _train(
    retraining: Retraining,
    rows: Sequence[TrialRow],
    trials: Mapping[int, FrozenTrial],
    workers: Workers,
    said: Callable[[str], None],
    progress: Callable[[float], None],
) -> dict[int, Retrained]:
    """Retrain the configurations of trials; return them by trial number. The progress is also written to a file."""
    names = {f"trial-{row.number}": row.number for row in rows}
    with ProgressFile(retraining.objective.folder) as file:

        def advanced(share: float) -> None:
            file.update(share)
            progress(share)

        trained = retraining.train(
            {name: trials[number].params for name, number in names.items()},
            workers,
            lambda name: said(f"trial {names[name]} retrained"),
            advanced,
        )
    return {number: trained[name] for name, number in names.items()}
