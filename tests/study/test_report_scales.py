"""Axes of the report: round ticks, places within the box, ends that a few bad values do not move."""

import math

import pytest

from study.charts.chart import Dots, path, runs
from study.charts.scales import Choices, Numbers, robust


@pytest.mark.parametrize("ends", [(0, 1), (-3.7, 12.1), (0.001, 0.0012), (1e6, 3e9), (-5, -4.999)])
@pytest.mark.parametrize("log", [False, True])
def test_ticks_are_few_and_on_the_axis(ends: tuple[float, float], log: bool) -> None:
    if log and ends[0] <= 0:
        return
    ticks = Numbers(*ends, log=log).ticks()
    assert 2 <= len(ticks) <= 8
    assert all(0 <= at <= 1 for at, _ in ticks)
    assert [at for at, _ in ticks] == sorted(at for at, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)


def test_ticks_are_round() -> None:
    assert [text for _, text in Numbers(0, 1000).ticks()] == ["0", "200", "400", "600", "800", "1000"]
    assert [text for _, text in Numbers(1e-3, 1, log=True).ticks()] == ["0.001", "0.01", "0.1", "1"]
    assert [text for _, text in Numbers(-0.2, 2.2, whole=True).ticks()] == ["0", "1", "2"]


def test_places() -> None:
    assert Numbers(1, 100, log=True).place(10) == pytest.approx(0.5)
    assert Numbers(0, 4).place(1) == 0.25
    assert (Numbers(0, 4).place(-9), Numbers(0, 4).place(9)) == (0.0, 1.0)
    assert Choices(("relu", "tanh")).place("tanh") == 0.75
    one = Numbers.covering([0.5])
    assert 0 < one.place(0.5) < 1
    assert Numbers.covering([]).place(0.5) == 0.5


def test_a_few_bad_values_do_not_press_the_others_flat() -> None:
    values = [0.9 + k / 1000 for k in range(30)] + [0.1]
    scale, cut = robust(values, maximize=True)
    assert cut
    assert scale.low > 0.8
    scale, cut = robust([-value for value in values], maximize=False)
    assert cut
    assert scale.high < -0.8
    assert not robust(values[:-1], maximize=True)[1]
    assert not robust([1.0, 2.0, math.nan], maximize=True)[1]


def test_paths() -> None:
    assert path([(0, 0), (1, 1)]) == "M0 1000 2000 0"
    assert path([(0, 0), (math.nan, 0), (0.5, 0.5), (1, 0)]) == "M0 1000M1000 500 2000 1000"
    dots = Dots("complete")
    dots.add(0.5, 1, trial=7)
    assert (dots.mark().d, dots.mark().trials) == ("M1000 0h0", (7,))
    assert runs([1, 1, 2, 1]) == [(1, 0, 2), (2, 2, 3), (1, 3, 4)]
