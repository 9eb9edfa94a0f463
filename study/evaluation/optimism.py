"""How much the value of a winner owes to the examples that selected it, estimated by resampling the examples.

A search compares many configurations on the same examples, and a confirmation compares the best of them on the same
examples again. The largest of many values is optimistic on average. The bootstrap repeats both choices on resampled
examples, where the truth is known: it is the value on all examples (Efron & Tibshirani 1993, chapter 10; for the choice
of a configuration, Tsamardinos, Greasidou & Borboudakis 2018). Nothing is trained.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.arrays import Array
from engine.metrics import METRICS
from study.evaluation.out_of_sample import search_predictions
from study.evaluation.retrain import Retraining
from study.evaluation.selection import ScoredConfiguration
from study.evaluation.statistics import generator
from study.ledger.results import TrialRow

DRAWS = 500
MOST = 100  # configurations; others are too far from the best to be chosen
EFFORT = 4_000_000_000  # values over all draws; with more, there are so many examples that the optimism is negligible


def winner_optimism(
    retraining: Retraining, rows: Sequence[TrialRow], scored: Sequence[ScoredConfiguration[int]], top: int
) -> float | None:
    """Return the optimism of the winner of a confirmation; None if the examples are too many for it to matter.

    On a confirm split, which the search has not used, only the choice among the retrained configurations counts.

    Args:
        retraining: what retrained the configurations.
        rows: the complete trials of the search, best first.
        scored: the retrained configurations with their values on fresh seeds.
        top: the number of configurations that the search passed on.
    """
    objective = retraining.objective
    fresh = {each.label: each.table.mean(axis=0) for each in scored}
    searched = dict(fresh)
    if retraining.part == "dev":
        for row in rows[: max(MOST, top)]:
            predictions = search_predictions(objective.folder, row, folds=len(retraining.folds) > 1)
            if predictions is not None:
                searched[row.number] = retraining.table(predictions).mean(axis=0)
    if len(searched) == 1:
        return 0.0
    numbers = sorted(searched)
    m = len(searched[numbers[0]])
    if DRAWS * len(numbers) * m > EFFORT:
        return None
    return optimism(
        np.stack([searched[number] for number in numbers]),
        {numbers.index(number): values for number, values in fresh.items()},
        top,
        generator(objective.spec.search.seed),
        maximize=METRICS[objective.metric].direction == "maximize",
    )


def optimism(
    searched: Array, confirmed: Mapping[int, Array], top: int, rng: np.random.Generator, *, maximize: bool
) -> float:
    """Return by how much the value of the winner is optimistic on average; 0 or more.

    Configurations that were not retrained have no values on fresh seeds. Theirs are assumed to deviate from the mean as
    in the search, but less, as much as those of the retrained ones do.

    Args:
        searched: (K, m), the values of single examples of each configuration in the search.
        confirmed: the values of single examples of the retrained configurations, (m,), averaged over seeds, by their
            row in `searched`.
        top: the number of configurations that a search passes on to be retrained.
        rng: random generator.
        maximize: whether larger values are better.
    """
    sign = 1 if maximize else -1
    rows = list(confirmed)
    means = searched.mean(axis=1, keepdims=True)
    deviations = searched - means
    fresh = np.stack([confirmed[row] for row in rows])
    common = np.sum((fresh - fresh.mean(axis=1, keepdims=True)) * deviations[rows])
    share = float(common / max(float(np.sum(deviations[rows] ** 2)), 1e-300))
    values = means + share * deviations
    values[rows] = fresh
    m = searched.shape[1]
    excess = []
    for _ in range(DRAWS):
        weights = rng.multinomial(m, np.full(m, 1 / m)) / m
        in_search, on_fresh_seeds = searched @ weights, values @ weights
        retrained = np.argsort(-sign * in_search, kind="stable")[:top]
        winner = retrained[np.argmax(sign * on_fresh_seeds[retrained])]
        excess.append(on_fresh_seeds[winner] - values[winner].mean())
    return max(0.0, sign * float(np.mean(excess)))
