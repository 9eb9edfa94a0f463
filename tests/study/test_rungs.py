"""Where trials are paused, and which are resumed."""

from study.search.asha import rungs_of, to_promote

GRID = tuple(range(50, 1001, 50))


def test_rungs_are_points_of_the_grid_each_a_third_of_the_next() -> None:
    assert rungs_of(GRID, 3) == (100, 350)
    assert rungs_of(GRID, 2) == (50, 100, 250, 500)
    assert rungs_of((10,), 3) == ()


def test_the_best_third_of_a_rung_is_promoted_best_first() -> None:
    values = {0: 0.1, 1: 0.5, 2: 0.3, 3: 0.9, 4: 0.2, 5: 0.4}
    paused = dict.fromkeys(values, 100)
    assert to_promote({100: values}, paused, 3, maximize=True) == 3
    del paused[3]
    assert to_promote({100: values}, paused, 3, maximize=True) == 1
    del paused[1]
    assert to_promote({100: values}, paused, 3, maximize=True) is None


def test_small_values_are_promoted_where_they_are_better() -> None:
    assert to_promote({100: {0: 0.1, 1: 0.5, 2: 0.3}}, dict.fromkeys(range(3), 100), 3, maximize=False) == 0


def test_higher_rungs_go_first_and_ties_go_by_number() -> None:
    reached = {100: dict.fromkeys(range(6), 0.5), 350: dict.fromkeys(range(3), 0.5)}
    paused = {0: 350, 1: 350, 2: 350, 3: 100, 4: 100, 5: 100}
    assert to_promote(reached, paused, 3, maximize=True) == 0
    del paused[0]
    assert to_promote(reached, paused, 3, maximize=True) is None


def test_nobody_goes_on_before_there_are_enough_to_compare() -> None:
    assert to_promote({100: {0: 0.9, 1: 0.1}}, {0: 100, 1: 100}, 3, maximize=True) is None
