"""What statistics promise, by simulation from a known truth: errors of the first kind, coverage, power."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from support.simulated import correctness

from engine.activations import Array
from engine.metrics import METRICS
from study.evaluation.influence import example_values, largest_weight
from study.evaluation.paired_tests import mcnemar_exact, paired_bootstrap
from study.evaluation.power import examples_needed, power, spread_of
from study.evaluation.selection import ScoredConfiguration, select_best
from study.evaluation.statistics import CrossedAnova, crossed_anova, generator

pytestmark = pytest.mark.slow
PAIRS = 1000
CASES_OF_MORE_SEEDS = [(10, 360, 0.93, 2.0, 0.1), (5, 114, 0.95, 2.0, 0.2)]


def covers(table: CrossedAnova, truth: float) -> bool:
    found = table.interval(0)
    return found.low <= truth <= found.high


@pytest.mark.parametrize(
    "case",
    [
        (3, 360, 0.9, 2.0, 0.2),  # the fewest seeds, which are the hardest to be right with
        *(pytest.param(case, marks=pytest.mark.exhaustive) for case in CASES_OF_MORE_SEEDS),
    ],
)
def test_equal_settings_are_called_different_in_5_percent_and_intervals_cover(
    case: tuple[int, int, float, float, float],
) -> None:
    S, m, share, examples, seed = case
    rng = np.random.default_rng(2026)
    different = covered = 0
    for _ in range(PAIRS):
        table = crossed_anova(correctness(rng, [share, share], seeds=S, m=m, examples=examples, seed=seed), "accuracy")
        different += table.difference(0, 1).p < 0.05
        covered += covers(table, share)
    assert 0.03 <= different / PAIRS <= 0.07
    assert 0.93 <= covered / PAIRS <= 0.97


def test_the_difference_of_unequal_settings_is_covered() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(PAIRS):
        found = crossed_anova(correctness(rng, [0.95, 0.91], seeds=5, m=360), "accuracy").difference(0, 1)
        covered += found.low <= 0.04 <= found.high
    assert 0.93 <= covered / PAIRS <= 0.97


def test_two_points_are_found_with_the_power_that_is_stated() -> None:
    rng = np.random.default_rng(11)
    contrast = np.array([[1.0, -1.0]])
    S, m, shares = 10, 360, [0.95, 0.93]
    truth = spread_of(crossed_anova(correctness(rng, shares, seeds=60, m=20_000), "accuracy"), contrast)
    enough = examples_needed(0.02, truth, S)
    assert enough is not None
    for size, repeats in ((m, 600), (enough, 600)):
        found, stated = 0, []
        for _ in range(repeats):
            table = crossed_anova(correctness(rng, shares, seeds=S, m=size), "accuracy")
            difference = table.difference(0, 1)
            found += difference.p < 0.05 and difference.estimate > 0
            stated.append(power(0.02, spread_of(table, contrast), S, size))
        assert found / repeats == pytest.approx(power(0.02, truth, S, size), abs=0.05)
        assert found / repeats == pytest.approx(np.mean(stated), abs=0.05)
    assert power(0.02, truth, S, enough) == pytest.approx(0.8, abs=0.01)


def test_of_five_equal_configurations_each_is_called_worse_in_some_percent() -> None:
    rng = np.random.default_rng(3)
    out = 0
    for study in range(100):
        tables = correctness(rng, [0.93] * 5, seeds=5, m=200)
        configurations = [ScoredConfiguration(k, table, 1.0, 1) for k, table in enumerate(tables)]
        out += sum(
            not score.indistinguishable for score in select_best("accuracy", configurations, study, 1 / 200).scores
        )
    assert 0.01 <= out / 500 <= 0.05


def scores(rng: np.random.Generator, seeds: int, m: int) -> tuple[Array, Array]:
    """Return Y (1, m) and one prediction a seed whose AUC is 0.5 + 1/3 in the mean: shift 1.368, deviation 1."""
    Y = (rng.random((1, m)) < 0.4).astype(float)
    of_example = rng.standard_normal((1, m))
    return Y, 1.9346 * Y + of_example + 0.9346 * rng.standard_normal((seeds, m))


def test_intervals_of_auc_cover() -> None:
    rng = np.random.default_rng(5)
    Y, A = scores(rng, 1, 400_000)
    truth = roc_auc_score(Y[0], A[0])
    covered = 0
    for _ in range(500):
        Y, A = scores(rng, 5, 200)
        table = crossed_anova(np.array([[example_values("auc", Y, a[None]) for a in A]]), "auc")
        covered += covers(table, float(truth))
    assert 0.93 <= covered / 500 <= 0.975


@pytest.mark.parametrize("metric", ["auc", "balanced_accuracy"])
@pytest.mark.parametrize("positives", [2, 7, 20])
def test_intervals_cover_where_a_class_is_rare(metric: str, positives: int) -> None:
    """2% of the examples are positive; before the rarest class counted, 49 to 91% were covered."""
    rng = np.random.default_rng(4)
    Y = np.arange(50 * positives)[None] < positives
    truth = stats.norm.cdf(2 / 2**0.5) if metric == "auc" else stats.norm.cdf(1)
    covered = 0
    for _ in range(300):
        of_example = 2 * Y + 0.9**0.5 * rng.standard_normal(Y.shape)
        A = stats.norm.cdf(of_example + 0.1**0.5 * rng.standard_normal((5, Y.shape[1])) - 1)
        values = np.array([[example_values(metric, Y.astype(float), a[None]) for a in A]])
        covered += covers(crossed_anova(values, metric, largest_weight(metric, Y)), float(truth))
    assert covered / 300 >= 0.93


def test_intervals_of_rmse_cover() -> None:
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(PAIRS):
        errors = np.sqrt(0.7) * rng.standard_normal((1, 150)) + np.sqrt(0.3) * rng.standard_normal((5, 150))
        table = crossed_anova(np.array([[example_values("rmse", np.zeros((1, 150)), e[None]) for e in errors]]), "rmse")
        covered += covers(table, 1.0)
    assert 0.93 <= covered / PAIRS <= 0.97


def test_intervals_of_a_skewed_loss_cover() -> None:
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(PAIRS):
        losses = np.exp(rng.standard_normal((1, 200)) + 0.3 * rng.standard_normal((5, 200)))
        covered += covers(crossed_anova(losses[None], "log_loss"), float(np.exp((1 + 0.3**2) / 2)))
    assert 0.93 <= covered / PAIRS <= 0.97


def test_two_equal_networks_by_mcnemar_and_by_the_bootstrap() -> None:
    rng = np.random.default_rng(9)
    exact = different = 0
    for _ in range(PAIRS):
        one, other = correctness(rng, [0.9, 0.9], seeds=1, m=360, seed=0.0)[:, 0].astype(bool)
        exact += mcnemar_exact(int((one & ~other).sum()), int((other & ~one).sum())) < 0.05
    assert 0.02 <= exact / PAIRS <= 0.05  # exact is cautious by nature
    compute = METRICS["rmse"].compute
    for _ in range(200):
        common = rng.standard_normal((1, 150))
        A = [common + 0.7 * rng.standard_normal((1, 150)) for _ in range(2)]
        Y = np.zeros((1, 150))
        found = paired_bootstrap(
            lambda i, A=A, Y=Y: (compute(Y[:, i], A[0][:, i]), compute(Y[:, i], A[1][:, i])), 150, generator(0), 200
        )
        different += found.p < 0.05
    assert 0.02 <= different / 200 <= 0.08
