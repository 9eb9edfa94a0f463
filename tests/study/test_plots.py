"""Plots of a study from Python: what the artists hold, in real units, and what cannot be drawn."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from support.in_process import run_local, spec_with
from support.regression_study import PRICES, write_prices
from support.report_studies import confirmation, run_for_report

from study import Study
from study.errors import UserError
from study.ledger.home import Home
from study.ledger.ledger import Ledger, quiet_optuna
from study.model.finalize import finalize
from study.search.session import load_all
from study.spec import parse_spec
from study.text.colors import DARK, LIGHT


@pytest.fixture(autouse=True)
def screenless() -> Iterator[None]:
    """Figures are drawn in memory, and closed after each test."""
    with mpl.rc_context({"backend": "Agg"}):
        plt.switch_backend("Agg")
        yield
        plt.close("all")


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of two classes."""
    home = run_for_report(spec_with("trials = 30"), tmp_path_factory.mktemp("flower"))
    return Study.load("small", home.path)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of a regression."""
    folder = tmp_path_factory.mktemp("prices")
    write_prices(folder)
    run_local(PRICES, folder)
    dataset = load_all(parse_spec(PRICES, "").data, folder)[0]
    with quiet_optuna():
        Ledger(Home(folder).folder("prices"), "prices").set(
            spec=PRICES, folder=str(folder), fingerprint=dataset.fingerprint, parts=dataset.part_fingerprints
        )
    return Study.load("prices", folder)


def texts(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [" ".join(text.get_text().split()) for text in legend.get_texts()]


def draw(ax: Axes) -> None:
    """Draw the figure, as a notebook does: what cannot be drawn fails here."""
    ax.figure.canvas.draw()


def points(ax: Axes, label: str) -> np.ndarray:
    """Return the coordinates of the dots that have a label, (n, 2)."""
    (found,) = [each for each in ax.collections if each.get_label() == label]
    return np.asarray(found.get_offsets())


def test_curves_are_those_of_the_trials(flower: Study) -> None:
    ax = flower.plot_curves()
    summary = flower.summary
    main = summary.choice.main
    assert main is not None
    title = summary.choice.title(main)
    (strong,) = [line for line in ax.lines if line.get_label() == title]
    costs = flower.curve(main)
    assert strong.get_ydata()[0] == pytest.approx(costs[0])
    assert strong.get_ydata()[-1] == pytest.approx(costs[-1])
    assert strong.get_xdata()[-1] == len(costs) - 1
    assert to_hex(strong.get_color()) == LIGHT["best"]
    assert len(ax.lines) == sum(row.state != "running" for row in summary.trials)
    assert texts(ax)[0] == title
    assert texts(ax)[1:] == ["complete"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("iteration", "cost J on train")
    draw(ax)
    box, legend = ax.get_window_extent(), ax.get_legend().get_window_extent()
    assert legend.x0 >= box.x1  # beside the data


def check_texts(axes: Any) -> None:
    """Check that no text of a figure is cut, by itself or by the page."""
    figure = np.ravel(axes)[0].get_figure(root=True)
    figure.canvas.draw()
    page = figure.bbox.padded(1)
    for ax in figure.axes:
        box = ax.get_tightbbox()  # of what is drawn: ticks beyond the limits of an axis have labels that are not
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
    for text in figure.findobj(lambda each: isinstance(each, mpl.text.Text) and each.get_visible()):
        assert "…" not in text.get_text()


@pytest.mark.slow
@pytest.mark.parametrize("plot", ["curves", "slice", "contour", "parallel_coordinates", "importance", "confusion"])
def test_no_text_is_cut_at_the_usual_size(plot: str, flower: Study) -> None:
    check_texts(getattr(flower, f"plot_{plot}")())


def test_a_slice_has_the_values_of_the_trials_on_an_axis_like_the_space(flower: Study) -> None:
    ax = flower.plot_slice("learning_rate")
    rows = [row for row in flower.summary.trials if row.state == "complete"]
    dots = np.concatenate([np.asarray(each.get_offsets()) for each in ax.collections])
    assert sorted(dots[:, 0]) == pytest.approx(sorted(row.params["learning_rate"] for row in rows))
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning_rate", "dev accuracy")
    best = flower.best_trial
    assert best is not None
    (place,) = points(ax, flower.summary.choice.title(best.number))
    assert list(place) == pytest.approx([best.params["learning_rate"], best.value])
    draw(ax)


def test_slices_are_an_array_of_axes_one_for_each_hyperparameter(flower: Study) -> None:
    axes = flower.plot_slice()
    names = [ax.get_xlabel() for ax in axes]
    assert {"learning_rate", "iterations", "depth", "activation"} <= set(names)
    activation = axes[names.index("activation")]
    labels = [label.get_text() for label in activation.get_xticklabels()]
    assert set(labels) == {"relu", "tanh"}
    assert axes[names.index("iterations")].get_xscale() == "linear"
    draw(axes[0])
    figure, own = plt.subplots(1, 2)
    given = flower.plot_slice(["depth", "iterations"], ax=own)
    assert list(given) == list(own)
    assert plt.get_fignums()[-1] == figure.number


def test_a_contour_has_the_trials_that_have_both(flower: Study) -> None:
    ax = flower.plot_contour("learning_rate", "units_1")
    rows = [row for row in flower.summary.trials if row.state == "complete" and "units_1" in row.params]
    dots = next(each for each in ax.collections if isinstance(each, PathCollection))
    found = {tuple(point) for point in np.asarray(dots.get_offsets())}
    assert found == {(row.params["learning_rate"], row.params["units_1"]) for row in rows}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    bar = ax.figure.axes[-1]
    assert bar.get_ylabel() == "dev accuracy"
    draw(ax)
    usual = flower.plot_contour()
    assert usual.get_xlabel() != usual.get_ylabel()
    assert flower.plot_contour(y="depth").get_ylabel() == "depth"
    draw(flower.plot_contour("activation", "learning_rate"))


def test_averages_of_a_contour_stay_within_the_values(flower: Study) -> None:
    from study.api.plot_values import _local_averages, _Plane, _value_scale
    from study.charts.trials import read_facts

    facts = read_facts(flower.home, "small")
    plane = _Plane.of(facts, "learning_rate", "iterations", _value_scale(facts))
    averages = _local_averages(plane)
    assert np.isfinite(averages).all()
    assert plane.values.min() <= averages.min() <= averages.max() <= plane.values.max()


def test_parallel_coordinates_have_a_line_for_each_complete_trial(flower: Study) -> None:
    ax = flower.plot_parallel_coordinates()
    complete = [row for row in flower.summary.trials if row.state == "complete"]
    lines = [line for line in ax.lines if len(line.get_xdata()) > 2]
    assert len(lines) == len(complete)
    labels = [label.get_text().split("\n")[0] for label in ax.get_yticklabels()]
    assert labels[0] == "learning_rate"
    assert labels[-1] == "dev accuracy"
    assert texts(ax)[1:] == ["best fifth", "second fifth", "third fifth", "fourth fifth", "last fifth"]
    draw(ax)


def test_importance_has_both_estimates(flower: Study) -> None:
    ax = flower.plot_importance()
    names = [label.get_text() for label in ax.get_yticklabels()]
    variance = {names[round(bar.get_y() + bar.get_height() / 2)]: bar.get_width() for bar in ax.containers[0]}
    assert sum(variance.values()) == pytest.approx(1)
    assert variance[names[0]] == max(variance.values())
    draw(ax)


def test_the_confirmation_is_drawn_with_intervals_and_seeds(tmp_path: Path) -> None:
    home = run_for_report(spec_with("trials = 3"), tmp_path, confirm=confirmation(0, 1))
    study = Study.load("small", home.path)
    ax = study.plot_confirmation()
    check_texts(ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["trial 1 *", "trial 0"]
    assert points(ax, "confirmed: trial 0").tolist() == [[0.8765, 1]]
    assert points(ax, "one seed").shape == (6, 2)
    (lines,) = [each for each in ax.collections if each.get_label() == "95% interval"]
    assert lines.get_segments()[1][:, 0].tolist() == pytest.approx([0.8565, 0.8965])
    assert ax.get_title(loc="left") == "Confirmed on 3 fresh seeds and 80 dev examples; *: recommended"
    draw(ax)


def test_residuals_are_in_the_unit_of_the_target(prices: Study) -> None:
    ax = prices.plot_residuals()
    check_texts(ax)
    best = prices.best_trial
    assert best is not None
    dots = points(ax, "an example")
    assert np.sqrt((dots[:, 1] ** 2).mean()) == pytest.approx(best.value, rel=1e-3)  # the RMSE on dev
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted price", "true − predicted price")
    draw(ax)
    other = next(row for row in prices.summary.ranking()[::-1])
    worse = points(prices.plot_residuals(other.number), "an example")
    assert (worse[:, 1] ** 2).mean() > (dots[:, 1] ** 2).mean()


def test_the_confusion_matrix_counts_the_dev_examples(flower: Study) -> None:
    ax = flower.plot_confusion()
    counts = np.array([int(text.get_text().replace("·", "0")) for text in ax.texts]).reshape(2, 2)
    best = flower.best_trial
    assert best is not None
    assert np.trace(counts) / counts.sum() == pytest.approx(best.value)
    right, m = np.trace(counts), counts.sum()
    assert ax.get_title(loc="left").splitlines()[1] == f"{m} dev examples: {right} right, {m - right} wrong"
    draw(ax)


@pytest.mark.slow
def test_the_test_set_is_shown_only_once_it_was_opened(flower: Study, prices: Study, tmp_path: Path) -> None:
    for study, plot in ((flower, "plot_confusion"), (prices, "plot_residuals")):
        with pytest.raises(UserError, match=r"has not been finalized, so its test set stays sealed; call finalize\(\)"):
            getattr(study, plot)(test=True)
        shutil.copytree(study.home.path, tmp_path, dirs_exist_ok=True)
    final = finalize(Home(tmp_path), "small", networks=2)
    counts = [
        int(text.get_text().replace("·", "0")) for text in Study.load("small", tmp_path).plot_confusion(test=True).texts
    ]
    assert sum(counts) == final.opening.m
    assert (counts[0] + counts[3]) / sum(counts) == pytest.approx(final.opening.value)
    final = finalize(Home(tmp_path), "prices")
    ax = Study.load("prices", tmp_path).plot_residuals(test=True)
    assert np.sqrt((points(ax, "an example")[:, 1] ** 2).mean()) == pytest.approx(final.opening.value, rel=1e-4)
    assert f"{final.opening.m} test examples" in ax.get_title(loc="left")
    with pytest.raises(UserError, match="omit the trial argument"):
        Study.load("prices", tmp_path).plot_residuals((final.opening.trial + 1) % 14, test=True)


def test_nothing_but_a_figure_is_added_to_pyplot(flower: Study) -> None:
    before = dict(mpl.rcParams)
    flower.plot_curves()
    assert len(plt.get_fignums()) == 1
    _, ax = plt.subplots()
    other = plt.figure()
    assert flower.plot_slice("depth", ax=ax) is ax
    assert plt.gcf() is other
    assert len(plt.get_fignums()) == 3
    assert dict(mpl.rcParams) == before


def test_colors_suit_a_dark_ground(flower: Study) -> None:
    with plt.style.context("dark_background"):
        ax = flower.plot_curves()
    assert to_hex(ax.lines[-1].get_color()) in (DARK["best"], DARK["complete"], DARK["pruned"])
    assert DARK["best"] in {to_hex(line.get_color()) for line in ax.lines}


@pytest.mark.parametrize(
    ("plot", "words"),
    [
        (lambda s: s.plot_slice("learning_rat"), "no hyperparameter 'learning_rat'; did you mean 'learning_rate'?"),
        (lambda s: s.plot_slice("optimizer"), "no hyperparameter 'optimizer'; available: activation, depth"),
        (lambda s: s.plot_contour("depth", "depth"), "x and y are both 'depth'; name two different"),
        (
            lambda s: s.plot_slice(["depth", "iterations"], ax=[plt.subplot()]),
            "ax must have 2 axes, one for each of depth",
        ),
        (lambda s: s.plot_confirmation(), r"study 'small' has not been confirmed; call confirm\(\) first"),
        (
            lambda s: s.plot_residuals(),
            r"study 'small' predicts classes, which have no residuals; use plot_confusion\(\)",
        ),
        (lambda s: s.plot_confusion(99), "study 'small' has no trial 99; its trials are 0 to 29"),
    ],
)
def test_what_cannot_be_drawn_is_answered_with_a_remedy(
    flower: Study, plot: Callable[[Study], Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        plot(flower)
    assert len(plt.get_fignums()) <= 1


def test_other_mistakes_are_answered_too(prices: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"study 'prices' predicts numbers, not classes; use plot_residuals\(\)"):
        prices.plot_confusion()
    (tmp_path / "small.toml").write_text(spec_with())
    with pytest.raises(UserError, match="study 'small' has not run yet"):
        Study.from_toml(tmp_path / "small.toml", tmp_path / "new").plot_curves()
    few = Study.load("small", run_for_report(spec_with("trials = 1"), tmp_path).path)
    for plot, words in (
        (few.plot_parallel_coordinates, "parallel coordinates need two complete trials"),
        (few.plot_importance, "importance needs at least 10 complete trials"),
        (few.plot_slice, "no hyperparameter that varies across at least three complete trials"),
        (few.plot_contour, "no hyperparameter that varies across at least three complete trials"),
    ):
        with pytest.raises(UserError, match=words):
            plot()
    few.plot_curves()


@pytest.mark.slow
def test_pruned_trials_have_curves_and_no_predictions(tmp_path: Path) -> None:
    text = spec_with(
        "trials = 6\npruner = 'threshold'\nthreshold = 0.7", space="iterations = { low = 2000, high = 4000 }"
    )
    study = Study.load("small", run_for_report(text, tmp_path).path)
    pruned = [row.number for row in study.summary.trials if row.state == "pruned"]
    ax = study.plot_curves()
    assert "pruned" in texts(ax)
    assert sum(to_hex(line.get_color()) == LIGHT["pruned"] for line in ax.lines) == len(pruned)
    with pytest.raises(UserError, match=f"trial {pruned[0]} of study 'small' is pruned and has no predictions; choose"):
        study.plot_confusion(pruned[0])


def test_a_study_without_a_complete_trial_says_so(tmp_path: Path) -> None:
    home = run_for_report(spec_with("trials = 2", space="learning_rate = [1e20]\nactivation = ['relu']"), tmp_path)
    study = Study.load("small", home.path)
    if study.summary.best is None:
        with pytest.raises(UserError, match="has no complete trial yet; run it first"):
            study.plot_confusion()


def test_a_missing_matplotlib_is_named(flower: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot")
    with pytest.raises(
        UserError, match="a plot requires matplotlib, which is not installed; install it with `pip install matplotlib`"
    ):
        flower.plot_curves()


@pytest.mark.slow
def test_matplotlib_is_imported_only_to_plot() -> None:
    import subprocess

    code = "import sys; from study import Study; print('matplotlib.pyplot' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"
