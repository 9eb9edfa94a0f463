"""Winners at an end of a range: which are found, what is said of them, and the wider spec that init drafts."""

import tomllib
from pathlib import Path

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from support.command import run_study
from support.in_process import run_local, spec_with
from support.report_studies import run_for_report

from study.errors import UserError
from study.ledger.bounds import find_bounds
from study.ledger.home import Home
from study.ledger.ledger import Ledger
from study.ledger.results import summarize
from study.planning.widening import write_widened
from study.report.facts import gather
from study.report.page import as_markdown
from study.search.search_space import within
from study.spec import parse_spec

RATE = FloatDistribution(0.001, 0.1, log=True)
SPACE = """
learning_rate = 0.3
iterations = { low = 10, high = 30, step = 10 }
depth = { low = 0, high = 2 }
units = { low = 2, high = 8, log = true }
dropout = { low = 0.0, high = 0.9 }
"""
WINNER = "{ iterations = 30, depth = 1, units_1 = 8, dropout = 0.0 }"
AT_ENDS = spec_with(f"trials = 1\nenqueue = [{WINNER}]", space=SPACE)


def trial(**drawn: tuple[object, BaseDistribution]) -> FrozenTrial:
    return create_trial(
        params={name: value for name, (value, _) in drawn.items()},
        distributions={name: distribution for name, (_, distribution) in drawn.items()},
        value=1.0,
    )


@pytest.mark.parametrize(
    ("name", "value", "distribution", "expected"),
    [
        ("learning_rate", 0.1, RATE, ("high", 1.0)),
        ("learning_rate", 0.095, RATE, ("high", 1.0)),  # within 2% of the range, on a logarithmic scale
        ("learning_rate", 0.001, RATE, ("low", 0.0001)),
        ("learning_rate", 0.09, RATE, None),
        ("units_2", 128, IntDistribution(8, 128, log=True), ("high", 512)),
        ("iterations", 4000, IntDistribution(500, 4000, step=500), ("high", 6000)),
        ("iterations", 500, IntDistribution(500, 4000, step=500), None),  # 0 iterations are too few
        ("depth", 3, IntDistribution(0, 3), ("high", 5)),
        ("depth", 0, IntDistribution(0, 3), None),
        ("depth", 50, IntDistribution(0, 50), None),
        ("dropout", 0.8, FloatDistribution(0.0, 0.8), ("high", 0.9)),  # 1 is too much
        ("momentum", 0.5, FloatDistribution(0.5, 0.9, step=0.1), ("low", 0.3)),
        ("l2", 0.01, FloatDistribution(0.01, 0.01), None),
        ("activation", "relu", CategoricalDistribution(["relu", "tanh"]), None),
    ],
)
def test_ends_and_wider_ranges(
    name: str, value: object, distribution: BaseDistribution, expected: tuple[str, float] | None
) -> None:
    found = find_bounds(trial(**{name: (value, distribution)}))
    assert [(each.end, each.wider) for each in found] == ([] if expected is None else [pytest.approx(expected)])
    assert [type(each.wider) for each in found] == [type(value)] * len(found)


def test_layers_share_a_range() -> None:
    units = IntDistribution(8, 128, log=True)
    found = find_bounds(trial(units_1=(128, units), units_2=(64, units), units_3=(127, units)))
    assert [(each.key, each.value) for each in found] == [("units", 128)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home of a study whose only trial is at the ends of three ranges, two of which can be moved."""
    folder = tmp_path_factory.mktemp("bounds")
    run_local(AT_ENDS, folder)
    return run_for_report(AT_ENDS, folder, uid="u", created=0)


def test_show_and_report_name_the_keys_and_the_command(home: Home) -> None:
    expected = (
        "Trial 0 is at the upper end of iterations (30) and the upper end of units (8) in [space], so better values "
        "may lie beyond; "
    )
    shown = run_study("show", "small", "--home", home.path).stdout
    assert expected in shown
    command = f"study init --from small --home {home.path}"
    assert f"`{command}` drafts a study with iterations up to 40 and units up to 16." in shown
    assert expected.partition(" in [space]")[0] in as_markdown(gather(home, "small"))


def test_the_end_of_a_run_says_it_too(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(AT_ENDS)
    done = run_study("run", tmp_path / "small.toml", "--home", tmp_path / "home", "--jobs", 1, "--no-tracking")
    assert done.stdout.count("drafts a study with iterations up to 40 and units up to 16.") == 1


def test_a_study_that_goes_on_says_nothing(tmp_path: Path) -> None:
    run_local(AT_ENDS, tmp_path)
    assert summarize(Home(tmp_path), "small").at_bounds
    Ledger(Home(tmp_path).folder("small"), "small").set(trials=2, ended=None)
    assert summarize(Home(tmp_path), "small").at_bounds == ()
    with pytest.raises(UserError, match="--from small: the study is interrupted; finish it first"):
        write_widened(Home(tmp_path), "small")


def test_init_drafts_the_widened_spec(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_study("init", "--from", "small", "--home", home.path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[space] units: high = 16 (was 8)" in done.stdout
    assert f"study run small-wide.toml --warm-start small --home {home.path}" in done.stdout
    before, after = tomllib.loads(AT_ENDS), tomllib.loads((tmp_path / "small-wide.toml").read_text())
    before["name"] = "small-wide"
    before["space"]["iterations"]["high"], before["space"]["units"]["high"] = 40, 16
    assert after == before
    spec = parse_spec((tmp_path / "small-wide.toml").read_text(), "small-wide.toml")
    (winner,) = Ledger(home.folder("small"), "small").trials()
    assert within(spec.space, winner.params) == winner.params
    assert run_study("init", "--from", "small", "--home", home.path, cwd=tmp_path).returncode == 0
    assert tomllib.loads((tmp_path / "small-wide-2.toml").read_text())["name"] == "small-wide-2"


def test_init_takes_a_file_or_a_study(home: Home, tmp_path: Path) -> None:
    for words in (
        (),
        ("t.csv", "--from", "small"),
        ("--from", "small", "--target", "y"),
        ("--from", "small", "--force"),
    ):
        done = run_study("init", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert "study init takes a FILE with its options, or --from NAME without any; give one of them" in done.stderr


def test_nothing_to_widen_is_said(tmp_path: Path) -> None:
    inner = "{ iterations = 20, depth = 1, units_1 = 4, dropout = 0.4 }"
    run_for_report(spec_with(f"trials = 1\nenqueue = [{inner}]", space=SPACE), tmp_path, uid="u", created=0)
    with pytest.raises(UserError, match="--from small: the winner is at no end of a range"):
        write_widened(Home(tmp_path), "small")
