"""Whether the network of a study is better than its best baseline, by a paired test on the same examples."""

from typing import Literal

import numpy as np

from engine.arrays import Array
from engine.metrics import METRICS
from study.evaluation.averaging import average_values
from study.evaluation.baselines import find_predictions, fit_baseline
from study.evaluation.influence import largest_weight, score_table, truth_of
from study.evaluation.out_of_sample import OutOfSample, out_of_sample
from study.evaluation.paired_tests import paired_shares
from study.evaluation.retrain import data_of
from study.evaluation.statistics import ALPHA, Interval, crossed_anova
from study.execution import Workers
from study.ledger.baselines import Baseline, BaselineComparison, best_baseline, digest_of_comparison
from study.ledger.confirmation import Part
from study.search.objective import folds_of
from study.search.session import StudySession
from study.text.records import to_json


def compare_with_baselines(session: StudySession, workers: Workers) -> BaselineComparison | None:
    """Compare the selected trial with the best baseline, and store the result; None if there is nothing to compare.

    A confirmed trial is represented by the average of its networks, as in the final model, unless `[final]` sets a
    single network; then by their mean. Without a confirmation, it is the best network of the search. The best baseline
    is chosen on dev; if the study has a confirm split, it is fitted again to predict that.

    Args:
        session: the study, open for writing, with its data written.
        workers: workers inside their `with` block.
    """
    summary = session.summary
    baseline = best_baseline(summary.baselines, summary.direction)
    of = digest_of_comparison(summary)
    if baseline is None or of is None:
        return None
    known = summary.against_baselines
    if known is not None:
        return known
    selected = summary.choice.main
    networks = None if selected is None else out_of_sample(session, selected)
    predictions = None if networks is None else _predictions(session, workers, baseline, networks.part)
    if networks is None or predictions is None or predictions.shape != networks.predictions.shape[1:]:
        return None
    found = _compare(session, networks, baseline, predictions, of)
    session.ledger.set(against_baselines=to_json(found))
    return found


def _predictions(session: StudySession, workers: Workers, baseline: Baseline, part: Part) -> Array | None:
    if part == "dev":
        return find_predictions(session.folder, baseline)
    return fit_baseline(session.objective, workers, baseline.name, data_of(session.folder, part)).predictions


def _compare(
    session: StudySession, networks: OutOfSample, baseline: Baseline, predictions: Array, of: str
) -> BaselineComparison:
    metric, folds = session.objective.metric, folds_of(session.objective.datasets, networks.part)
    averaged = networks.confirmed and session.spec.final.networks > 1
    score = average_values if averaged else score_table
    mine = np.atleast_2d(score(metric, folds, networks.part, networks.predictions))
    theirs = score_table(metric, folds, networks.part, predictions[None])
    weight, direction = largest_weight(metric, truth_of(folds, networks.part)), METRICS[metric].direction
    difference = paired_difference(metric, mine, theirs, weight)
    return BaselineComparison(
        trial=networks.trial,
        confirmed=networks.confirmed,
        baseline=baseline.name,
        title=baseline.title,
        metric=metric,
        direction=direction,
        part=networks.part,
        m=int(mine.shape[1]),
        seeds=len(networks.predictions),
        averaged=averaged,
        value=float(mine.mean()),
        baseline_value=float(theirs.mean()),
        estimate=difference.estimate,
        low=difference.low,
        high=difference.high,
        p=difference.p,
        outcome=_outcome(difference, direction),
        of=of,
    )


def paired_difference(metric: str, networks: Array, baseline: Array, weight: float) -> Interval:
    """Return the mean of networks minus the value of a baseline, with its interval and p-value.

    McNemar's exact test for the accuracy of a single network; else a t test over seeds and examples, in which the
    baseline has the same values for every seed.

    Args:
        metric: metric of the values.
        networks: values of single examples by seed, (S, m); see `score_table`.
        baseline: those of the baseline, (1, m).
        weight: the largest weight of an example in the metric; see `largest_weight`.
    """
    S, m = networks.shape
    if S == 1 and metric == "accuracy":
        right, other = networks[0] > 0.5, baseline[0] > 0.5
        return paired_shares(int((right & ~other).sum()), int((other & ~right).sum()), m)
    values = np.stack([networks, np.repeat(baseline, S, axis=0)])
    return crossed_anova(values, metric, weight).difference(0, 1)


def _outcome(difference: Interval, direction: str) -> Literal["better", "same", "worse"]:
    if not difference.p < ALPHA:
        return "same"
    return "better" if (difference.estimate > 0) == (direction == "maximize") else "worse"
