"""Whether the network of a study is better than its best baseline, by a paired test on the same examples."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.arrays import Array
from engine.metrics import METRICS
from study.evaluation.baselines import find_predictions, fit_baseline
from study.evaluation.influence import largest_weight, score_table, truth_of
from study.evaluation.paired_tests import paired_shares
from study.evaluation.retrain import data_of, read_predictions
from study.evaluation.statistics import ALPHA, Interval, crossed_anova
from study.execution import Workers
from study.ledger.baselines import Baseline, BaselineComparison, best_baseline, digest_of_comparison
from study.ledger.confirmation import Part
from study.ledger.results import Summary
from study.ledger.trial_artifact import find_result
from study.search.objective import folds_of
from study.search.session import StudySession
from study.text.records import to_json


@dataclass(frozen=True, eq=False)
class _Networks:
    """The networks of one trial.

    Attributes:
        trial: number of the trial.
        confirmed: whether they are those of `study confirm`.
        part: the examples that they predict.
        predictions: (S, n_y, M), with the examples of all folds side by side.
    """

    trial: int
    confirmed: bool
    part: Part
    predictions: Array


def compare_with_baselines(session: StudySession, workers: Workers) -> BaselineComparison | None:
    """Compare the selected network with the best baseline, and store the result; None if there is nothing to compare.

    The network is the confirmed one, by its mean over fresh seeds, or else the best of the search. The best baseline is
    chosen on dev; if the study has a confirm split, it is fitted again to predict that.

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
    networks = _networks(session, summary)
    predictions = None if networks is None else _predictions(session, workers, baseline, networks.part)
    if networks is None or predictions is None or predictions.shape != networks.predictions.shape[1:]:
        return None
    found = _compare(session, networks, baseline, predictions, of)
    session.ledger.set(against_baselines=to_json(found))
    return found


def _networks(session: StudySession, summary: Summary) -> _Networks | None:
    """Return the confirmed networks, or else those of the best trial; None if their files are missing."""
    folder, choice, confirmation = session.folder, summary.choice, summary.confirm
    if confirmation is not None and choice.confirmed is not None:
        predictions = read_predictions(folder.confirm / f"trial-{choice.confirmed}.npz")
        if predictions is not None and len(predictions) == confirmation.seeds:
            return _Networks(choice.confirmed, True, confirmation.part, predictions)
    number = choice.main
    row = None if number is None else summary.row(number)
    file = None if row is None else find_result(folder.result(row.number), row.fingerprint)
    if row is None or file is None or not file.dev_predictions:
        return None
    networks = file.dev_predictions
    networks = [np.concatenate(networks, axis=1)] if session.spec.data.folds else networks
    return _Networks(row.number, False, "dev", np.stack(networks))


def _predictions(session: StudySession, workers: Workers, baseline: Baseline, part: Part) -> Array | None:
    if part == "dev":
        return find_predictions(session.folder, baseline)
    return fit_baseline(session.objective, workers, baseline.name, data_of(session.folder, part)).predictions


def _compare(
    session: StudySession, networks: _Networks, baseline: Baseline, predictions: Array, of: str
) -> BaselineComparison:
    metric, folds = session.objective.metric, folds_of(session.objective.datasets, networks.part)
    mine = score_table(metric, folds, networks.part, networks.predictions)
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
        seeds=len(mine),
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
