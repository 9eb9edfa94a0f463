"""`study finalize`: trains the networks of the final model, evaluates their average once on the test set, saves it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from engine.activations import Array
from engine.metrics import METRICS, measure, metrics_for
from engine.parameters import Parameters
from engine.prediction import predict
from study.data import Dataset, Part, example_cells, load, load_combined, open_test
from study.data.fingerprint import explain_change
from study.errors import OpenedTestSetError, UserError
from study.evaluation.decision import judges_classes
from study.evaluation.influence import example_values, largest_weight
from study.evaluation.statistics import BOUNDED, crossed_anova
from study.execution import Workers
from study.ledger.attributes import KeptOpening, StudyAttributes
from study.ledger.confirmation import Confirmation
from study.ledger.home import Home
from study.ledger.ledger import Ledger, without_nan
from study.ledger.results import Summary
from study.ledger.test_evaluation import Member, TestEvaluation
from study.model.adjustment import Adjustment, fit_adjustment
from study.model.final import Final
from study.model.final_training import FinalNetworks, configuration_of, train_networks
from study.model.members import choose_members
from study.model.model_types import check_saveable
from study.model.pipeline import FinalFiles, build_model, forget_models, keep_model
from study.search.objective import unit_of
from study.search.search_space import encoding_of
from study.search.session import StudySession
from study.spec import FinalSpec, Spec
from study.spec.encoding import Encoding
from study.text.records import to_json
from study.text.shell import next_command


def finalize(
    home: Home,
    name: str,
    *,
    trial: int | str | None = None,
    train_only: bool = False,
    networks: int | None = None,
    jobs: int | None = None,
    again: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> Final:
    """Train the networks of the final model, evaluate their average on the test set, and save it with its score.

    Args:
        home: the home of the study.
        name: name of the study.
        trial: a number, "best", "confirmed" or "recommended"; None uses the confirmed trial, or else the best.
        train_only: whether to train on train only; otherwise, on train and dev together, for as many iterations.
        networks: overrides [final] in the spec.
        jobs: number of worker processes; None is one per core.
        again: whether to open the test set even if it has already been opened.
        progress: called with the share of the training that is done, from 0 to 1.

    Raises:
        UserError: the study or trial does not exist, the study is running or has no test set, its data has changed, or
            the test set has already been opened.
    """
    with StudySession.open(home, name, write=True) as session:
        ledger, summary = session.ledger, session.summary
        openings = ledger.attributes.get("finalized", [])
        if openings and not again:
            raise OpenedTestSetError(_opened_before(name, openings[-1]), "--again")
        if not session.spec.data.has_test_set:
            raise UserError(
                f"study {name!r} has no test set because [data] split has only two fractions; "
                "use three fractions or set [data] test, and rename the study"
            )
        number = _choose(summary, trial)
        members = choose_members(summary, number, _wanted(session.spec, networks), session.spec.space)
        encoding = encoding_of(configuration_of(session, number))
        dataset = _load(session.spec, session.base, encoding, train_only=train_only)
        _check(ledger.attributes, dataset, name)
        if session.spec.data.transform is not None:
            check_saveable(dataset.preprocessing, session.spec.data.transform)
        adjustment = fit_adjustment(session, dataset, number)
        with Workers.of(session.spec.search, jobs) as workers:
            trained = train_networks(session, dataset, members, workers, progress)
        _record_beginning(ledger, number, members, with_dev=not train_only, again=again)
        opening, notes = _open(session, dataset, members, trained, adjustment, with_dev=not train_only)
        ledger.set(finalized=[*openings, to_json(opening)])  # makes this evaluation and its model current
        kept = FinalFiles.of(session.folder.final, opening.files)
        forget_models(session.folder.final, kept)
    return Final(
        name=name,
        opening=opening,
        times=len(openings) + 1,
        choice=summary.choice,
        dev_value=float(summary.trials[number].value or 0),
        **_confirmed(summary.confirm, number),
        model_path=kept.model,
        notes=notes,
    )


def _open(
    session: StudySession,
    dataset: Dataset,
    members: Sequence[Member],
    trained: Sequence[FinalNetworks],
    adjustment: Adjustment,
    *,
    with_dev: bool,
) -> tuple[TestEvaluation, tuple[str, ...]]:
    """Open the test set, and save the model; return the evaluation, and notes on test cells."""
    summary, spec, number = session.summary, session.spec, members[0].trial
    # This is the only place where test rows are converted and scored.
    test = open_test(spec.data, session.base, combined=with_dev, encoding=dataset.encoding)
    scores = _evaluate(dataset, trained, adjustment, test, summary)
    averaged = [(each.architecture, each.vectors) for each in trained]
    model = build_model(dataset, averaged, adjustment.temperature, adjustment.costs, adjustment.priors)
    files = keep_model(model, example_cells(spec.data, session.base), session.folder.final, spec.data.transform)
    kept = tuple(Member(each.trial, len(each.vectors)) for each in trained)
    networks = sum(member.networks for member in kept)
    opening = TestEvaluation(
        trial=number,
        setting=configuration_of(session, number),
        metric=summary.metric,
        value=scores.metrics[summary.metric],
        low=scores.low,
        high=scores.high,
        metrics=scores.metrics,
        undefined=scores.undefined,
        with_dev=with_dev,
        m=test.m,
        at=_now(),
        files=files,
        dialect=dataset.dialect,
        networks=networks,
        diverged=sum(member.networks for member in members) - networks,
        members=kept,
        temperature=adjustment.temperature,
        costs=None if adjustment.costs is None else tuple(tuple(row) for row in adjustment.costs.tolist()),
        calibration=adjustment.calibration,
    )
    return opening, test.notes


def _opened_before(name: str, last: KeptOpening) -> str:
    return (
        f"the test set of study {name!r} was already opened on {last['at'][:10]} for trial {last['trial']} "
        f"({last['metric']} {'undefined' if last['value'] is None else format(last['value'], '.4g')})"
    )


@dataclass(frozen=True, eq=False)
class _Scores:
    """Metrics on the test set, None for undefined ones, and the interval of the study's metric."""

    metrics: dict[str, float | None]
    undefined: dict[str, str]
    low: float | None
    high: float | None


def _evaluate(
    dataset: Dataset, trained: Sequence[FinalNetworks], adjustment: Adjustment, test: Part, summary: Summary
) -> _Scores:
    """Return the scores of the average on the test set, in the unit of the table, by every metric of the study."""
    unit = unit_of(dataset)
    with threadpool_limits(1):
        outputs = [
            unit.restore(predict(each.architecture, Parameters(each.architecture.layer_sizes, vector), test.X))
            for each in trained
            for vector in each.vectors
        ]
    Y, A = unit.restore(test.Y), adjustment.outputs(np.mean(outputs, axis=0))
    decisions, metric = adjustment.decisions(A), summary.metric
    metrics, undefined = measure_all(dataset.task, Y, A, [metric, *summary.objectives], decisions)
    judged = A if decisions is None or not judges_classes(METRICS[metric]) else decisions
    return _Scores(metrics, undefined, *_ends(metric, Y, judged))


def measure_all(
    task: str, Y: Array, A: Array, named: Sequence[str] = (), decisions: Array | None = None
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return all metrics of a task, None for undefined ones, and the reasons for these.

    Args:
        task, named: see `metrics_for`.
        Y, A: truth and predictions, (n_y, m).
        decisions: predicted classes as outputs, (n_y, m), for metrics of classes; None takes the most probable ones.
    """
    values, undefined = dict[str, float | None](), dict[str, str]()
    for metric in metrics_for(task, named):
        judged = A if decisions is None or not judges_classes(metric) else decisions
        values[metric.name] = without_nan(measure(metric.name, Y, judged))
        if values[metric.name] is None:
            undefined[metric.name] = metric.why_undefined(Y) or "a prediction is too large"
    return values, undefined


def _ends(metric: str, Y: Array, A: Array) -> tuple[float | None, float | None]:
    """Return the ends of the interval of a metric; None if there is no interval."""
    if METRICS[metric].why_undefined(Y) or (Y.shape[1] < 2 and metric not in BOUNDED):
        return None, None
    with np.errstate(over="ignore", invalid="ignore"):
        found = crossed_anova(example_values(metric, Y, A)[None, None], metric, largest_weight(metric, Y)).interval(0)
    return (found.low, found.high) if np.isfinite([found.low, found.high]).all() else (None, None)


def _record_beginning(ledger: Ledger, number: int, members: Sequence[Member], *, with_dev: bool, again: bool) -> None:
    """Record that the test set is about to be opened, in case the process dies during the evaluation.

    Raises:
        UserError: the last evaluation was not finished, and was for another model.
    """
    attributes = ledger.attributes
    times, begun = len(attributes.get("finalized", [])) + 1, attributes.get("opening", {})
    networks = {str(member.trial): member.networks for member in members}
    if begun.get("times") == times:
        before = begun.get("networks", {str(begun["trial"]): 1})
        if (begun["trial"], begun["with_dev"], before) == (number, with_dev, networks):
            return
        if not again:
            same = f"--trial {begun['trial']} --networks {sum(before.values())}"
            raise UserError(
                f"study {ledger.name!r}: the test evaluation of trial {begun['trial']} was interrupted on "
                f"{begun['at'][:10]}; rerun with {same}{'' if begun['with_dev'] else ' --train-only'} to finish it, or "
                f"use --again to open the test set for another model"
            )
    ledger.set(opening={"times": times, "trial": number, "with_dev": with_dev, "at": _now(), "networks": networks})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _choose(summary: Summary, trial: int | str | None) -> int:
    """Return the number of the trial to finalize."""
    if trial is None:
        if summary.choice.outdated:
            confirm = next_command("confirm", summary.name)
            raise UserError(
                f"study {summary.name!r} has continued since it was confirmed; run `{confirm}`, or specify --trial"
            )
        if summary.choice.final is None:
            raise UserError(f"study {summary.name!r} has no complete trial; run it first")
        return summary.choice.final
    try:
        row = summary.find(str(trial))
    except UserError as error:
        raise UserError(f"--trial {trial}: {error}") from None
    if row.state != "complete":
        best = ", ".join(str(each.number) for each in summary.ranking()[:3])
        raise UserError(f"--trial {trial}: the trial is {row.state}, not complete; the best complete trials are {best}")
    return row.number


def _wanted(spec: Spec, networks: int | None) -> FinalSpec:
    """Return the [final] table of a spec, with another number of networks unless it is None."""
    return spec.final if networks is None else spec.final.model_copy(update={"networks": networks})


def _load(spec: Spec, base: Path, encoding: Encoding, *, train_only: bool) -> Dataset:
    """Return the training data: train and dev together, or train only.

    Raises:
        UserError: train only is not possible, since the study has folds.
    """
    if not train_only:
        return load_combined(spec.data, base, [encoding])
    if spec.data.folds is not None:
        raise UserError(
            f"--train-only: study {spec.name!r} has folds, so its trials were trained on train and dev; omit the option"
        )
    return load(spec.data, base, [encoding])


def _check(attributes: StudyAttributes, dataset: Dataset, name: str) -> None:
    known, now = attributes["parts"], dataset.part_fingerprints
    # Compare the whole data: train and dev differ from the study's if they are combined, or with folds.
    if attributes["fingerprint"] != dataset.fingerprint:
        raise UserError(
            f"the data of study {name!r} has changed since the study started ({explain_change(known, now)}); "
            "restore the old data, or study the new data under another name"
        )


def _confirmed(confirmation: Confirmation | None, number: int) -> dict[str, tuple[float, float, float] | None]:
    """Return what `study confirm` found for a trial, as arguments of `Final`."""
    found = None if confirmation is None else confirmation.candidate(number)
    one, average = found, None if found is None else found.average
    return {
        "confirmed": None if one is None else (one.value, one.low, one.high),
        "average": None if average is None else (average.value, average.low, average.high),
    }
