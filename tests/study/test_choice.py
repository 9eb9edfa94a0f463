"""Which trials of a study stand out, by which names: the same wherever they are shown, and what finalize takes."""

import json
import re
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from support.command import run_study
from support.in_process import run_local, spec_with
from support.report_studies import confirmation, run_for_report

from study.cli.views.confirm import print_confirmed
from study.errors import UserError
from study.evaluation.choice_lines import choice_lines
from study.ledger.choice import Choice
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import Summary, summarize
from study.model.finalize import finalize
from study.model.opened_test import predict_test
from study.report.facts import gather
from study.report.page import as_html, as_markdown
from study.service.reading import StudyReader
from study.text.shell import next_command, running_with
from study.tracking.pictures import draw_pictures
from study.tracking.study_run import describe_parent

TEXT = spec_with("trials = 12")
TWO_PARTS = spec_with("trials = 4", data="split = [0.7, 0.3]")


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Summary]:
    """A study of which one trial is the best, another confirmed, and a third recommended."""
    folder = tmp_path_factory.mktemp("choice")
    ranking = run_local(TEXT, folder).ranking()
    best, confirmed, recommended = (row.number for row in ranking[:3])
    kept = confirmation(winner=confirmed, best=best, recommended=recommended)
    home = run_for_report(TEXT, folder, confirm=kept, uid="u", created=0)
    return home, summarize(home, "small")


def test_json_has_the_numbers_under_the_names_that_people_read(summary: tuple[Home, Summary]) -> None:
    home, found = summary
    best, confirmed, recommended = (row.number for row in found.ranking()[:3])
    assert found.choice == Choice(best, confirmed, recommended)
    told = json.loads(run_study("show", "small", "--json", "--home", home.path).stdout)
    assert (told["best"]["number"], told["confirmed"], told["recommended"]) == (best, confirmed, recommended)
    assert told["finalize"] == confirmed


def test_every_place_says_the_same_of_the_trials_that_stand_out(summary: tuple[Home, Summary]) -> None:
    home, found = summary
    best, confirmed, recommended = found.choice.numbers()
    lines = choice_lines(found)
    assert [line.partition(" (")[0] for line in lines] == [
        f"Trial {best}: best in the search",
        f"Trial {confirmed}: confirmed",
        f"Trial {recommended}: recommended",
        f"`study finalize small` uses trial {confirmed}",
    ]
    assert "`study finalize small --trial N` uses another" in lines[-1]
    shown = run_study("show", "small", "--home", home.path).stdout
    facts = gather(home, "small")
    ledger = Ledger(home.folder("small"), "small")
    parent = describe_parent(ledger, home.folder("small"), "1")
    with running_with({"home": home.path}):  # a screen has commands that say where the study is
        assert all(line in shown for line in choice_lines(found, next_command))
    assert all(line in parent.tags["mlflow.note.content"] for line in lines)
    plain = [_bare(line) for line in lines]
    assert all(line in _bare(as_html(facts)) and line in _bare(as_markdown(facts)) for line in plain)
    tags = {name: parent.tags[f"study.{name}"] for name in ("best", "confirmed", "recommended", "finalize")}
    assert list(tags.values()) == [str(number) for number in (best, confirmed, recommended, confirmed)]


def test_pictures_page_and_service_mark_the_trial_that_is_finalized(summary: tuple[Home, Summary]) -> None:
    home, found = summary
    folder, title = home.folder("small"), f"trial {found.choice.confirmed} (confirmed)"
    pictures = draw_pictures(Ledger(folder, "small"), folder, found)
    for name in ("best_curves.svg", "parallel_coordinates.svg"):
        assert title in pictures[name].decode()
    queue: Any = None
    curves = StudyReader(home, queue).curves("small")
    assert curves is not None
    assert curves[3] is not None
    assert ("line best", title) in curves[3].legend
    for text in (as_html(gather(home, "small")), *(picture.decode() for picture in pictures.values())):
        assert "winner" not in re.sub(r'"winner":|id="winner[^"]*"|="winner-title"|#winner', "", text)


def test_every_place_says_that_there_is_no_test_set(tmp_path: Path) -> None:
    run_local(TWO_PARTS, tmp_path)
    home = run_for_report(TWO_PARTS, tmp_path, confirm=confirmation(0, 1), uid="u", created=0)
    found, facts = summarize(home, "small"), gather(home, "small")
    assert not found.has_test_set
    *_, last = choice_lines(found)
    assert last == "The study has no test set, since [data] split has two fractions, so it cannot be finalized."
    shown = run_study("show", "small", "--home", home.path).stdout
    confirmed = StringIO()
    with redirect_stdout(confirmed):
        print_confirmed(found.confirm, found)
    parent = describe_parent(Ledger(home.folder("small"), "small"), home.folder("small"), "1")
    places = (shown, confirmed.getvalue(), parent.tags["mlflow.note.content"], as_html(facts), as_markdown(facts))
    for text in places:
        assert last in _bare(text)
        assert "study finalize" not in text
        assert "test set has not been opened" not in text
    with pytest.raises(UserError, match=r"has no test set, since .* omit test=True to use dev"):
        predict_test(home, "small")


def test_an_outdated_confirmation_without_a_test_set_names_no_finalize(summary: tuple[Home, Summary]) -> None:
    found = replace(summary[1], has_test_set=False, choice=Choice(best=0, outdated=True))
    assert choice_lines(found)[-1] == (
        "The study has continued since it was confirmed; run `study confirm small` again. "
        "The study has no test set, since [data] split has two fractions, so it cannot be finalized."
    )


def test_a_run_says_at_its_start_that_there_is_no_test_set(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(spec_with("trials = 2", data="split = [0.7, 0.3]"))
    done = run_study("run", tmp_path / "small.toml", "--home", tmp_path / "home", "--jobs", 1, "--no-tracking")
    assert done.returncode == 0, done.stderr
    assert "120 dev; there is no test set" in done.stdout
    assert "The study has no test set" in done.stdout
    assert "finalize small" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best", "confirmed", "recommended"])
def test_show_and_compare_take_the_same_names(summary: tuple[Home, Summary], name: str) -> None:
    home, found = summary
    number = getattr(found.choice, name)
    told = json.loads(run_study("show", "small", name, "--json", "--home", home.path).stdout)
    assert told["number"] == number
    other = found.ranking()[4].number
    compared = run_study("compare", "small", name, other, "--json", "--home", home.path)
    assert [each["label"] for each in json.loads(compared.stdout)["contenders"]] == [str(number), str(other)]


@pytest.mark.slow
def test_finalize_takes_the_confirmed_trial_or_the_one_that_is_named(tmp_path: Path) -> None:
    ranking = run_local(TEXT, tmp_path).ranking()
    best, confirmed, recommended = (row.number for row in ranking[:3])
    home = run_for_report(TEXT, tmp_path, confirm=confirmation(confirmed, best, recommended))
    assert finalize(home, "small").opening.trial == confirmed
    final = finalize(home, "small", trial="recommended", again=True)
    assert (final.opening.trial, final.choice.title(recommended)) == (recommended, f"trial {recommended} (recommended)")
    assert finalize(home, "small", trial="best", again=True).opening.trial == best


@pytest.mark.slow
def test_what_was_confirmed_of_an_earlier_state_no_longer_counts(tmp_path: Path) -> None:
    summary = run_local(TEXT, tmp_path)
    best, other = (row.number for row in summary.ranking()[:2])
    home = run_for_report(TEXT, tmp_path, confirm=confirmation(other, best))
    with_more = spec_with("trials = 30")
    run_local(with_more, tmp_path)
    found = summarize(home, "small")
    if found.ranking()[:3] == summary.ranking()[:3]:
        pytest.fail("the study has to find better trials for this test")
    assert (found.choice.confirmed, found.choice.outdated, found.choice.final) == (None, True, None)
    assert choice_lines(found)[-1] == (
        "The study has continued since it was confirmed; run `study confirm small` before `study finalize small`."
    )
    page = as_html(gather(home, "small"))
    assert "Confirmation on fresh seeds" not in page
    assert "because trials were added after it" in page


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("bset", "'bset' is not a trial; expected a number or one of best, confirmed, recommended"),
        ("1.5", "'1.5' is not a trial"),
        ("confirmed", "study 's' has not been confirmed, so no trial is confirmed; run `study confirm s` first"),
        ("best", "study 's' has no complete trial yet, so there is no best trial"),
    ],
)
def test_a_name_that_is_no_trial_is_answered(item: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        Choice().number(item, "s")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "s.toml", "--jobs", "many"), "--jobs: must be a whole number, got 'many'"),
        (("run", "s.toml", "--timeout", "0"), "--timeout: must be at least 1, got '0'"),
        (("confirm", "s", "--seeds", "1"), "--seeds: must be at least 2, got '1'"),
        (("ui", "--port", "99999"), "--port: must be at most 65535, got '99999'"),
        (("serve", "--max-trials", "x"), "--max-trials: must be a whole number, got 'x'"),
    ],
)
def test_a_wrong_value_of_an_option_is_answered_in_our_words(arguments: tuple[str, ...], words: str) -> None:
    done = run_study(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"study: {words}\n")


def _bare(text: str) -> str:
    """Return a text without marks that HTML or Markdown adds to it."""
    return re.sub(r"[`“”\\]", "", text)
