"""Means, intervals and tests against values worked out by hand, and the laws that they obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study.evaluation.influence import largest_weight
from study.evaluation.paired_tests import holm, mcnemar_exact, paired_bootstrap, paired_shares
from study.evaluation.power import Spread, detectable, examples_needed, examples_range, power, seeds_needed, spread_of
from study.evaluation.selection import ScoredConfiguration, Selection, select_best
from study.evaluation.statistics import (
    adjust_to_best,
    crossed_anova,
    crossed_variance,
    generator,
    interval,
)


def test_mcnemar_by_hand() -> None:
    # 1 and 5 examples that just one network has right: P(at most 1 head of 6) = (1 + 6)/64, and both sides.
    assert mcnemar_exact(1, 5) == pytest.approx(14 / 64)
    assert mcnemar_exact(0, 5) == pytest.approx(2 / 32)
    assert mcnemar_exact(0, 6) == pytest.approx(2 / 64)
    assert mcnemar_exact(3, 3) == 1
    assert mcnemar_exact(0, 0) == 1


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1; each at least as large as the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_mean_squares_by_hand() -> None:
    # Seeds by examples: effects of ±1 and ±2 and nothing left over.
    table = crossed_anova(np.array([[[0.0, 2.0], [4.0, 6.0]]]), "mae")
    assert table.means == [3]
    assert table.examples.item() == pytest.approx(2 * (1 + 1) / 1)
    assert table.seeds.item() == pytest.approx(2 * (4 + 4) / 1)
    assert table.noise.item() == pytest.approx(0)
    variance, degrees = table.spread(np.ones(1))
    assert variance == pytest.approx((4 + 16) / 4)
    assert degrees == pytest.approx(20**2 / (4**2 + 16**2))


def test_one_seed_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 1, 50))
    difference = crossed_anova(values, "mae").difference(0, 1)
    reference = stats.ttest_rel(values[0, 0], values[1, 0])
    assert difference.p == pytest.approx(reference.pvalue)
    low, high = reference.confidence_interval()
    assert (difference.low, difference.high) == pytest.approx((low, high))


def test_where_seeds_alone_vary_it_is_the_t_test_over_seeds() -> None:
    by_seed = np.random.default_rng(1).standard_normal((2, 6))
    table = crossed_anova(np.repeat(by_seed[:, :, None], 40, axis=2), "mae")
    assert table.difference(0, 1).p == pytest.approx(stats.ttest_rel(*by_seed).pvalue)


def test_all_right_is_not_certainty() -> None:
    certain = interval("accuracy", 1.0, 0.0, 99, 0.01)
    assert certain.high == 1
    assert 0.95 < certain.low < 0.98
    nothing = interval("accuracy", 0.0, 0.0, 99, 0.01)
    assert (nothing.low, nothing.high) == pytest.approx((0, 1 - certain.low))
    assert interval("rmse", 0.0, 0.0, 99, 0.01).high == 0


@pytest.mark.parametrize(("metric", "mean"), [("accuracy", 0.99), ("auc", 0.5), ("rmse", 3.0), ("r2", -1.0)])
def test_an_interval_holds_its_estimate_and_stays_where_the_metric_can_be(metric: str, mean: float) -> None:
    narrow, wide = (interval(metric, mean, variance, 20, 0.01) for variance in (1e-4, 1e-2))
    assert wide.low < narrow.low < mean < narrow.high < wide.high
    if metric in ("accuracy", "auc"):
        assert wide.low >= 0
        assert wide.high <= 1


tables = st.builds(
    lambda seed, k, S, m: np.random.default_rng(seed).standard_normal((k, S, m)),
    st.integers(0, 10**6),
    st.integers(2, 4),
    st.integers(1, 5),
    st.integers(3, 20),
)


@settings(max_examples=50)
@given(tables)
def test_a_difference_is_the_same_from_both_sides(values: np.ndarray) -> None:
    table = crossed_anova(values, "mae")
    one, other = table.difference(0, 1), table.difference(1, 0)
    assert (one.estimate, one.low, one.high) == pytest.approx((-other.estimate, -other.high, -other.low))
    assert one.p == pytest.approx(other.p)
    assert (one.p < 0.05) == (one.low > 0 or one.high < 0)


@settings(max_examples=50)
@given(tables, st.floats(0.01, 100))
def test_the_unit_of_a_metric_changes_no_p(values: np.ndarray, unit: float) -> None:
    assert crossed_anova(values * unit, "mae").difference(0, 1).p == pytest.approx(
        crossed_anova(values, "mae").difference(0, 1).p
    )


@settings(max_examples=50)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 100))
def test_mcnemar_agrees_with_the_sign_test_and_its_interval_holds_the_estimate(a: int, b: int, same: int) -> None:
    assert mcnemar_exact(a, b) == mcnemar_exact(b, a)
    if a + b:
        assert mcnemar_exact(a, b) == pytest.approx(stats.binomtest(a, a + b).pvalue)
    difference = paired_shares(a, b, a + b + same + 1)
    assert -1 <= difference.low <= difference.estimate <= difference.high <= 1


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lowers_no_p_and_keeps_their_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(a >= q for a, q in zip(adjusted, p, strict=True))
    assert [adjusted[i] for i in np.argsort(p, kind="stable")] == sorted(adjusted)


def test_with_three_settings_it_takes_more_to_trail_the_best() -> None:
    table = crossed_anova(np.random.default_rng(3).standard_normal((4, 5, 60)), "mae")
    winner = int(np.argmax(table.means))
    p = [table.difference(place, winner).p for place in range(4)]
    adjusted, levels = adjust_to_best(table, winner, p, generator(0))
    others = [place for place in range(4) if place != winner]
    assert all(adjusted[place] > p[place] for place in others)
    assert all(0.01 < levels[place] < 0.05 for place in others)
    assert adjust_to_best(crossed_anova(np.ones((2, 2, 3)), "mae"), 0, [1.0, 1.0], generator(0)) == (
        [1.0, 1.0],
        [0.05, 0.05],
    )


def select(metric: str, tables: list[np.ndarray], *, margin: float | None = None, work: float = 1.0) -> Selection[int]:
    """Select among configurations, each of which costs `work` times as much as the one before."""
    configurations = [ScoredConfiguration(k, table, work**k, 1) for k, table in enumerate(tables)]
    return select_best(metric, configurations, 0, 1 / tables[0].shape[1], margin)


def test_equal_predictions_on_few_examples_are_not_known_to_be_equivalent() -> None:
    right = (np.random.default_rng(0).random((4, 50)) < 0.9).astype(float)
    selection = select("accuracy", [right, right, 1 - right], work=0.5)
    first, second, third = selection.scores
    assert (first.difference.estimate, second.difference.estimate) == (0, 0)
    assert second.difference.low < -0.02 < 0.02 < second.difference.high  # half an example of 50
    assert (second.indistinguishable, second.equivalent) == (True, False)
    assert not third.indistinguishable
    assert (selection.best, selection.recommended, selection.margin) == (0, 0, 0.01)


def test_cheapest_within_the_margin_is_recommended() -> None:
    right = (np.random.default_rng(0).random((4, 2000)) < 0.9).astype(float)
    selection = select("accuracy", [right, right, 1 - right], work=0.5)
    assert [score.equivalent for score in selection.scores] == [True, True, False]
    assert (selection.best, selection.recommended) == (0, 1)
    assert select("accuracy", [right, right], work=0.5, margin=0.0).recommended == 0
    assert select("accuracy", [right, 1 - right], work=0.5, margin=1.0).recommended == 1


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_no_variance_gives_no_certainty(metric: str) -> None:
    same = np.full((3, 40), 1.0)
    selection = select(metric, [same, same])
    if metric == "rmse":
        assert selection.power is None
    else:
        assert selection.power is not None
        assert selection.power.power < 0.5
        assert selection.power.examples_needed is not None
        assert selection.power.examples_needed > 50


def test_skewed_differences_of_log_losses_are_bent_and_p_agrees_with_the_interval() -> None:
    rng = np.random.default_rng(0)
    values = np.zeros((2, 2, 100))
    values[0] = 0.3 * rng.exponential(size=100) ** 3 - 0.9
    for level in (0.05, 0.01, 0.2):
        plain = crossed_anova(values, "mae").difference(0, 1, level)
        bent = crossed_anova(values, "log_loss").difference(0, 1, level)
        assert bent.low > plain.low
        assert bent.high > plain.high
        shifted = values - np.array([bent.low, 0])[:, None, None]  # such that 0 is at the lower end
        assert crossed_anova(shifted, "log_loss").difference(0, 1).p == pytest.approx(level)


def test_interval_is_as_wide_as_the_rarest_class_is_small() -> None:
    few, many = (interval("auc", 1.0, 0.0, 100, weight) for weight in (1 / (2 * 3), 1 / (2 * 60)))
    assert few.low < 0.65  # all right on three examples
    assert many.low > 0.95


def test_largest_weight_is_that_of_the_rarest_class() -> None:
    Y = np.array([[1.0, 0, 0, 0, 0, 0, 0, 0, 1, 0]])
    assert largest_weight("accuracy", Y) == 1 / 10
    assert largest_weight("balanced_accuracy", Y) == 1 / 4
    several = np.eye(3)[:, [0, 0, 0, 0, 1, 1, 2]]
    assert largest_weight("f1", several) == pytest.approx(1 / 3)


def test_a_single_configuration_has_nothing_to_be_compared_with() -> None:
    selection = select_best("accuracy", [ScoredConfiguration(3, np.eye(4)[:2], 1.0, 1)], 0, 0.25)
    assert (selection.best, selection.recommended, selection.power) == (3, 3, None)
    assert selection.scores[0].power is None


def test_smaller_errors_win() -> None:
    errors = np.random.default_rng(0).random((2, 4, 30)) + np.array([1.0, 0.0])[:, None, None]
    configurations = [ScoredConfiguration(k, table, 1.0, 1) for k, table in enumerate(errors)]
    selection = select_best("mae", configurations, 0, 1 / 30)
    assert selection.best == 1
    assert selection.scores[0].difference.estimate > 0


def test_paired_bootstrap_finds_a_difference_and_none_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    errors = np.abs(rng.standard_normal((2, 200)))
    found = paired_bootstrap(lambda i: (errors[0, i].mean() + 0.5, errors[1, i].mean()), 200, generator(0), 500)
    assert found.low > 0.2
    assert found.p < 0.01
    same = paired_bootstrap(lambda i: (errors[0, i].mean(), errors[0, i].mean()), 200, generator(0), 500)
    assert (same.estimate, same.low, same.high, same.p) == (0, 0, 0, 1)


SPREAD = Spread(examples=0.02, seeds=1e-5, noise=0.06)


def test_power_by_hand() -> None:
    # Without seeds and noise it is the one-sample t test: 0.5 deviations, 34 examples, found in 80.7 % (Cohen 1988).
    assert power(0.5, Spread(1.0, 0.0, 0.0), 2, 34) == pytest.approx(0.807, abs=0.01)
    assert power(0.0, SPREAD, 10, 300) == pytest.approx(0.025, abs=1e-4)
    for S, m, d in ((2, 100, 0.05), (10, 360, 0.02)):
        variance, degrees = crossed_variance(*SPREAD.squares(S, m), S, m)
        reference = stats.nct.sf(stats.t.ppf(0.975, degrees), degrees, d / variance**0.5)
        assert power(d, SPREAD, S, m) == pytest.approx(reference, abs=1e-4)
    assert 0 < detectable(SPREAD, 2, 10, level=1e-4) < 100  # where SciPy's noncentral t has no value


@settings(max_examples=50)
@given(st.floats(0.001, 0.1), st.integers(2, 30), st.integers(10, 5000))
def test_power_grows_with_the_difference_the_seeds_and_the_examples(d: float, S: int, m: int) -> None:
    here = power(d, SPREAD, S, m)
    assert 0 <= here <= 1
    for more in (power(1.5 * d, SPREAD, S, m), power(d, SPREAD, S + 5, m), power(d, SPREAD, S, 2 * m)):
        assert more >= here - 0.005  # degrees of freedom move too
    assert power(d, SPREAD, S, m, level=0.01) <= here


def test_what_is_needed_is_just_enough() -> None:
    S, m = seeds_needed(0.02, SPREAD, 600), examples_needed(0.02, SPREAD, 10)
    assert S is not None
    assert m is not None
    assert power(0.02, SPREAD, S, 600) >= 0.8 > power(0.02, SPREAD, S - 1, 600)
    assert power(0.02, SPREAD, 10, m) >= 0.8 > power(0.02, SPREAD, 10, m - 1)
    assert power(detectable(SPREAD, 10, 600), SPREAD, 10, 600) == pytest.approx(0.8, abs=1e-3)
    assert seeds_needed(0.02, SPREAD, 20) is None  # however many seeds, 20 examples stay 20
    assert examples_needed(0.001, Spread(0.02, 0.01, 0.06), 3) is None


def test_range_of_what_is_needed_holds_the_estimate_and_narrows_with_the_examples() -> None:
    needed = examples_needed(0.02, SPREAD, 10)
    few, many = (examples_range(0.02, SPREAD, 10, m) for m in (30, 3000))
    assert few is not None
    assert many is not None
    assert needed is not None
    assert few[0] < many[0] < needed < many[1] < few[1]


def test_the_spread_comes_back_from_many_values() -> None:
    rng = np.random.default_rng(0)
    S, m = 60, 3000
    values = 0.3 * rng.standard_normal((1, 1, m)) + 0.2 * rng.standard_normal((1, S, 1))
    found = spread_of(crossed_anova(values + 0.5 * rng.standard_normal((1, S, m)), "mae"), np.ones((1, 1)))
    assert found.examples == pytest.approx(0.09, rel=0.1)
    assert found.seeds == pytest.approx(0.04, rel=0.5)
    assert found.noise == pytest.approx(0.25, rel=0.05)
