"""`study show`: what JSON promises, the leaderboard at a width, and one trial with its curve."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from support.command import run_study
from support.in_process import run_local, spec_with
from support.small_study import show

from study.cli.terminal import console_for_sentences, leaderboard, read_curves
from study.ledger.home import Home
from study.ledger.results import Summary, TrialRow, summarize
from study.ledger.trial_artifact import find_curve, read_result
from study.text.sparkline import draw_curve, sparkline, thin


def _printed(table: object, width: int) -> str:
    from rich.console import Console

    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_json_tells_how_each_trial_ended(finished: Path) -> None:
    told = show(finished)
    assert (told["planned"], told["description"]) == (12, "A flower in the plane: a study of seconds.")
    assert (told["confirm"], told["finalized"]) == (None, [])
    for trial in told["trials"]:
        if trial["state"] == "complete":
            assert trial["metrics"]["dev_accuracy"] == trial["value"]
            assert trial["gap"] == trial["metrics"]["train_accuracy"] - trial["value"]
            assert trial["reason"] is None
        else:
            assert trial["gap"] is None
            assert trial["reason"]
        assert trial["parameters"] > 0
        assert trial["work"] > 0


def test_the_leaderboard_has_a_sparkline_and_the_gap(finished: Path) -> None:
    summary = summarize(Home(finished), "small")
    folder = Home(finished).folder("small")
    wide = _printed(leaderboard(summary, 200, read_curves(folder, summary)), 200)
    assert summary.best is not None
    assert summary.best.gap is not None
    assert f"{summary.best.gap:+.3f}" in wide
    curve = find_curve(folder.result(summary.best.number))
    assert curve is not None
    assert sparkline(np.log(curve).tolist()) in wide
    narrow = _printed(leaderboard(summary, 36, read_curves(folder, summary)), 36)
    assert max(map(len, narrow.splitlines())) <= 36
    assert "not shown" in narrow
    assert "log J" not in narrow.partition("not shown")[0]


def test_one_trial_is_shown_with_its_curve(finished: Path) -> None:
    best = show(finished)["best"]
    done = run_study("show", "small", best["number"], "--home", finished)
    assert done.returncode == 0, done.stderr
    assert f"small, trial {best['number']} (best in the search): complete" in done.stdout
    assert f"accuracy on dev: {best['value']:.4g}" in done.stdout
    assert f"iteration {best['iterations']}" in done.stdout
    drawn = [line for line in done.stdout.splitlines() if "┤" in line]
    assert len(drawn) == 12
    assert any(0x2800 < ord(character) <= 0x28FF for line in drawn for character in line)
    told = json.loads(run_study("show", "small", best["number"], "--json", "--home", finished).stdout)
    assert {key: told[key] for key in best} == best
    file = read_result(Home(finished).folder("small").result(best["number"]))
    assert told["costs"] == file.costs.tolist()
    assert told["layer_sizes"] == list(file.layer_sizes)
    assert told["evaluations"][-1]["dev_accuracy"] == [best["value"]]


def test_a_trial_that_failed_says_why(tmp_path: Path) -> None:
    text = spec_with(
        'trials = 1\nmetric = "rmse"', 'source = "synthetic:house_price"', 'learning_rate = 1e9\nactivation = "relu"'
    )
    run_local(text, tmp_path)
    done = run_study("show", "small", 0, "--home", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "small, trial 0: failed: diverged at iteration" in done.stdout
    told = json.loads(
        run_study("show", "small", 0, "--json", "--home", tmp_path).stdout,
        parse_constant=pytest.fail,  # NaN and Infinity are no JSON
    )
    assert len(told["costs"]) == told["iterations"]
    assert told["reason"] in done.stdout


@pytest.mark.parametrize("number", ["12", "-1"])
def test_a_trial_that_is_not_there_is_answered(finished: Path, number: str) -> None:
    done = run_study("show", "small", "--home", finished, "--", number)
    assert done.returncode == 2
    assert f"study 'small' has no trial {number}; its trials are 0 to 11" in done.stderr


def test_a_sparkline_falls_and_keeps_its_ends() -> None:
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1]) == "█▇▆▅▄▃▂▁"
    assert sparkline(range(800), 4)[0] == "▁"
    assert sparkline(range(800), 4)[-1] == "█"
    assert sparkline([1.0, math.nan, 1.0]) == "▁ ▁"
    assert sparkline([]) == ""
    assert thin(range(101), 3) == [0, 50, 100]


def test_a_drawing_goes_from_corner_to_corner() -> None:
    lines = draw_curve([1.0, 0.0], width=4, height=2)
    assert [len(line) for line in lines] == [4, 4]
    dots = [[ord(character) - 0x2800 for character in line] for line in lines]
    assert dots[0][0] & 0x01  # top left
    assert dots[1][3] & 0x80  # bottom right
    assert draw_curve([math.inf], 3, 2) == ["   ", "   "]
    flat = draw_curve([2.0] * 10, 3, 1)
    assert all(ord(character) > 0x2800 for character in flat[0])


def test_of_equal_values_the_lower_cost_on_dev_comes_first() -> None:
    def row(number: int, value: float, dev_cost: float | None) -> TrialRow:
        metrics = {} if dev_cost is None else {"dev_cost": dev_cost}
        return TrialRow(number, "complete", {}, value, 10, None, None, 0.1, metrics)

    rows = [row(0, 0.9, None), row(1, 0.9, 0.5), row(2, 0.9, 0.2), row(3, 0.9, 0.2), row(4, 0.95, 0.9)]
    best, worst = (
        Summary("s", "complete", way, "accuracy", None, rows, 5, "").ranking() for way in ("maximize", "minimize")
    )
    assert [each.number for each in best] == [4, 2, 3, 1, 0]
    assert [each.number for each in worst] == [2, 3, 1, 0, 4]


def test_sentences_break_between_words_in_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "These examples chose the candidates, so values are a little too good still."
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    console_for_sentences().print(sentence)
    assert capsys.readouterr().out == f"{sentence}\n"
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal
    console_for_sentences().print(sentence)
    first, _, rest = capsys.readouterr().out.strip().partition("\n")
    assert f"{first.strip()} {rest.strip()}" == sentence
