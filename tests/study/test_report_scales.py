"""Axes of the report: round ticks, places within the box, ends that a few bad values do not move."""

import math
import re
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution

import study
from study.charts.chart import Axis, Chart, Dots, Mark, path, runs
from study.charts.labels import STEPS, fits, place_labels
from study.charts.scales import Choices, Numbers, robust
from study.charts.setting_charts import slices
from study.charts.svg import draw_chart
from study.charts.trials import TrialFacts
from study.ledger.choice import Choice
from study.ledger.results import Summary, TrialRow
from study.text.colors import DARK, LIGHT, color_rules


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


def test_ticks_of_long_numbers_differ() -> None:
    texts = [text for _, text in Numbers(1234567.1, 1234567.9).ticks()]
    assert len(set(texts)) == len(texts) >= 3


def test_labels_that_do_not_fit_are_left_out_every_second_first() -> None:
    ticks = [(k / 8, "1000000") for k in range(9)]
    labels = place_labels(ticks)
    assert labels[0].least == 0
    assert labels[8].least < labels[4].least < labels[2].least < labels[1].least
    for step in STEPS:
        shown = [label for label in labels if label.least <= step]
        assert fits([label.at for label in shown], [label.half for label in shown], step)
    assert {label.least for label in place_labels([(0.5, "one")])} == {0}


def test_a_number_is_drawn_where_it_is_and_a_name_within_its_room() -> None:
    rows = [TrialRow(k, "complete", {"depth": k % 3, "of": "ab"[k % 2]}, 0.5, 1, None, None, 0.1) for k in range(12)]
    kinds = {"depth": IntDistribution(0, 2), "of": CategoricalDistribution(["a", "b"])}
    summary = Summary("s", "complete", "maximize", "accuracy", rows[0], rows, 12, "", choice=Choice(best=0))
    (depth, of), _ = slices(TrialFacts(summary=summary, curves={}, distributions=kinds))
    assert set(_across(depth)) == {round(2000 * at) for at, _ in depth.x.ticks}
    assert len(set(_across(of))) == 12
    assert all(abs(x - (500 if k % 2 == 0 else 1500)) <= 250 for k, x in zip(_numbers(of), _across(of), strict=True))


def test_pages_have_no_colors_but_those_of_pictures() -> None:
    for page in ("report/templates/page.css", "service/page/page.css"):
        css = (Path(study.__file__).parent / page).read_text(encoding="utf-8")
        assert re.findall("#[0-9a-fA-F]{3,8}\\b", css) == []
        assert set(re.findall(r"var\(--([a-z]+(?:-[0-9])?)\)", css)) & LIGHT.keys() >= {"complete", "text", "ground"}
    assert DARK.keys() == LIGHT.keys()
    assert all(color_rules().count(f"--{name}: ") == 3 for name in LIGHT)


def test_the_best_fifth_has_the_same_color_in_pictures_as_in_the_report() -> None:
    marks = (Mark("line", "band-0", "M0 0 1 1"), Mark("line", "band-4", "M0 0 1 1"))
    picture = draw_chart(Chart("key", "label", Axis("x", []), Axis("y", []), marks))
    assert picture.index(LIGHT["band-0"]) < picture.index(LIGHT["band-4"])


def _across(chart: Chart) -> list[int]:
    return [int(x) for mark in chart.marks for x in re.findall(r"M(\d+) ", mark.d)]


def _numbers(chart: Chart) -> list[int]:
    return [number for mark in chart.marks for number in mark.trials]
