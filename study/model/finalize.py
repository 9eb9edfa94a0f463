"""`study finalize`: retrains the selected configuration, evaluates it once on the test set, and saves the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from engine.activations import Array
from engine.metrics import METRICS, measure, metrics_for
from engine.prediction import predict
from study.data import Dataset, Part, example_cells, load, load_combined, open_test
from study.data.fingerprint import explain_change
from study.errors import OpenedTestSetError, UserError
from study.evaluation.influence import example_values, largest_weight
from study.evaluation.statistics import BOUNDED, crossed_anova
from study.ledger.attributes import KeptOpening, StudyAttributes
from study.ledger.confirmation import Confirmation
from study.ledger.home import Home
from study.ledger.ledger import Ledger, without_nan
from study.ledger.results import Summary
from study.ledger.test_evaluation import TestEvaluation
from study.model.final import Final
from study.model.final_training import FinalNetwork, retrain_network
from study.model.model_types import check_saveable
from study.model.pipeline import FinalFiles, build_model, forget_models, keep_model
from study.search.objective import unit_of
from study.search.session import StudySession
from study.spec import Spec
from study.text.records import to_json
from study.text.shell import next_command


def finalize(
    home: Home, name: str, *, trial: int | str | None = None, with_dev: bool = False, again: bool = False
) -> Final:
    """Retrain a configuration, evaluate it on the test set, and save the model and its score.

    Args:
        home: the home of the study.
        name: name of the study.
        trial: a number, "best", "confirmed" or "recommended"; None uses the confirmed trial, or else the best.
        with_dev: whether to train on train and dev together, for the same number of iterations.
        again: whether to open the test set even if it has already been opened.

    Raises:
        UserError: the study or trial does not exist, the study is running or has no test set, its data has changed, or
            the test set has already been opened.
    """
    with StudySession.open(home, name, write=True) as session:
        ledger, summary, folder = session.ledger, session.summary, session.folder
        openings = ledger.attributes.get("finalized", [])
        if openings and not again:
            raise OpenedTestSetError(_opened_before(name, openings[-1]), "--again")
        if not session.spec.data.has_test_set:
            raise UserError(
                f"study {name!r} has no test set because [data] split has only two fractions; "
                "use three fractions or set [data] test, and rename the study"
            )
        number = _choose(summary, trial)
        dataset, reads_dev = _load(session.spec, session.base, with_dev=with_dev)
        _check(ledger.attributes, dataset, name)
        transform = session.spec.data.transform
        if transform is not None:
            check_saveable(dataset.preprocessing, transform)
        network = retrain_network(session, dataset, number)
        _record_beginning(ledger, number, with_dev=reads_dev, again=again)
        # This is the only place where test rows are converted and scored.
        test = open_test(session.spec.data, session.base, combined=reads_dev)
        scores = _evaluate(dataset, network, test, summary)
        model = build_model(dataset, network.architecture, network.parameters)
        files = keep_model(model, example_cells(session.spec.data, session.base), folder.final, transform)
        opening = TestEvaluation(
            trial=number,
            setting=network.configuration,
            metric=summary.metric,
            value=scores.metrics[summary.metric],
            low=scores.low,
            high=scores.high,
            metrics=scores.metrics,
            undefined=scores.undefined,
            with_dev=reads_dev,
            m=test.m,
            at=_now(),
            files=files,
            dialect=dataset.dialect,
        )
        ledger.set(finalized=[*openings, to_json(opening)])  # makes this evaluation and its model current
        kept = FinalFiles.of(folder.final, opening.files)
        forget_models(folder.final, kept)
    return Final(
        name=name,
        opening=opening,
        times=len(openings) + 1,
        choice=summary.choice,
        dev_value=float(summary.trials[number].value or 0),
        confirmed=_confirmed(summary.confirm, number),
        model_path=kept.model,
        notes=test.notes,
    )


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


def _evaluate(dataset: Dataset, network: FinalNetwork, test: Part, summary: Summary) -> _Scores:
    """Return the scores of a network on the test set, in the unit of the table, by every metric of the study."""
    with threadpool_limits(1):
        A = predict(network.architecture, network.parameters, test.X)
    unit = unit_of(dataset)
    Y, A = unit.restore(test.Y), unit.restore(A)
    metrics, undefined = measure_all(dataset.task, Y, A, [summary.metric, *summary.objectives])
    return _Scores(metrics, undefined, *_ends(summary.metric, Y, A))


def measure_all(
    task: str, Y: Array, A: Array, named: Sequence[str] = ()
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return all metrics of a task, None for undefined ones, and the reasons for these; see `metrics_for`."""
    values, undefined = dict[str, float | None](), dict[str, str]()
    for metric in metrics_for(task, named):
        values[metric.name] = without_nan(measure(metric.name, Y, A))
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


def _record_beginning(ledger: Ledger, number: int, *, with_dev: bool, again: bool) -> None:
    """Record that the test set is about to be opened, in case the process dies during the evaluation.

    Raises:
        UserError: the last evaluation was not finished, and was for another trial.
    """
    attributes = ledger.attributes
    times, begun = len(attributes.get("finalized", [])) + 1, attributes.get("opening", {})
    if begun.get("times") == times:
        if (begun["trial"], begun["with_dev"]) == (number, with_dev):
            return
        if not again:
            same = f"--trial {begun['trial']}{' --with-dev' if begun['with_dev'] else ''}"
            raise UserError(
                f"study {ledger.name!r}: the test evaluation of trial {begun['trial']} was interrupted on "
                f"{begun['at'][:10]}; rerun with {same} to finish it, or use --again to open the test set for another "
                f"trial"
            )
    ledger.set(opening={"times": times, "trial": number, "with_dev": with_dev, "at": _now()})


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


def _load(spec: Spec, base: Path, *, with_dev: bool) -> tuple[Dataset, bool]:
    """Return the training data, and whether they are train and dev together, as they always are with folds."""
    together = with_dev or spec.data.folds is not None
    return (load_combined if together else load)(spec.data, base), together


def _check(attributes: StudyAttributes, dataset: Dataset, name: str) -> None:
    known, now = attributes["parts"], dataset.part_fingerprints
    # Compare the whole data: train and dev differ from the study's if they are combined, or with folds.
    if attributes["fingerprint"] != dataset.fingerprint:
        raise UserError(
            f"the data of study {name!r} has changed since the study started ({explain_change(known, now)}); "
            "restore the old data, or study the new data under another name"
        )


def _confirmed(confirmation: Confirmation | None, number: int) -> tuple[float, float, float] | None:
    found = None if confirmation is None else confirmation.candidate(number)
    return None if found is None else (found.value, found.low, found.high)
