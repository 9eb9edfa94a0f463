"""`study compare`: figures by hand, several seeds, folds, two studies, and what cannot be compared."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.command import run_study
from support.confirmed_study import confirmed, ran
from support.in_process import run_local, spec_with
from support.small_study import SMALL

from engine.metrics import METRICS, labels
from study.errors import UserError
from study.evaluation.compare import compare
from study.evaluation.paired_tests import mcnemar_exact
from study.ledger.home import Home
from study.ledger.results import Summary
from study.ledger.trial_artifact import read_result
from study.search.session import load_all
from study.spec import parse_spec
from study.text.formatting import agree


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """The home of the small study, and its summary; pictures of comparisons are all that tests add."""
    folder = tmp_path_factory.mktemp("searched")
    return folder, ran(SMALL, folder)


def best_two(summary: Summary) -> tuple[str, str]:
    first, second = summary.ranking()[:2]
    return str(first.number), str(second.number)


@pytest.mark.slow
def test_accuracy_of_single_networks_by_hand(searched: tuple[Path, Summary]) -> None:
    folder, summary = searched
    first, last = summary.ranking()[0].number, summary.ranking()[-1].number
    outcome = compare(Home(folder), "small", [str(first), str(last)])
    Y = load_all(parse_spec(SMALL, "").data, folder)[0].dev.Y
    one, other = (
        labels(read_result(Home(folder).folder("small").result(n)).dev_predictions[0]) == labels(Y)
        for n in (first, last)
    )
    a, b = int((one & ~other).sum()), int((other & ~one).sum())
    (pair,) = outcome.pairs
    assert a + b
    assert pair.test == "McNemar, exact"
    assert pair.estimate == pytest.approx((a - b) / 80)
    assert pair.p == pair.p_holm == mcnemar_exact(a, b)
    right = f"{a} {agree(a, 'is', 'are')} classified correctly"
    assert pair.effect == f"of 80 examples, {right} only by trial {first}, and {b} only by trial {last}"
    assert [c.value for c in outcome.contenders] == pytest.approx(
        [summary.trials[n].value for n in (first, last)], abs=1e-6
    )
    assert set(outcome.parameters) >= {"learning_rate"}
    assert Path(outcome.picture).read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.slow
def test_three_trials_make_three_pairs_and_holm_raises_p(searched: tuple[Path, Summary], tmp_path: Path) -> None:
    folder, summary = searched
    items = [str(row.number) for row in summary.ranking()[:3]]
    outcome = compare(Home(folder), "small", items, tmp_path / "curves.svg")
    assert [(pair.first, pair.second) for pair in outcome.pairs] == [
        (items[0], items[1]),
        (items[0], items[2]),
        (items[1], items[2]),
    ]
    assert all(pair.p_holm >= pair.p for pair in outcome.pairs)
    assert "<svg" in (tmp_path / "curves.svg").read_text()


@pytest.mark.slow
def test_all_seeds_and_folds_are_compared(tmp_path: Path) -> None:
    summary = ran(spec_with("seeds = 3\ntrials = 4\npruner = 'none'"), tmp_path / "seeds")
    outcome = compare(Home(tmp_path / "seeds"), "small", best_two(summary))
    assert outcome.seeds == 3
    assert outcome.pairs[0].test == "t test over seeds and examples"
    summary = ran(spec_with("trials = 4\npruner = 'none'", "folds = 3"), tmp_path / "folds")
    outcome = compare(Home(tmp_path / "folds"), "small", best_two(summary))
    assert (outcome.m, outcome.seeds) == (320, 1)
    assert outcome.pairs[0].test == "McNemar, exact"
    for contender in outcome.contenders:
        assert contender.value == pytest.approx(summary.trials[contender.trial].value, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_other_metrics_by_bootstrap_in_the_unit_of_the_table(tmp_path: Path, metric: str) -> None:
    source = 'source = "synthetic:house_price"\nexamples = 120\nlog_target = true'
    summary = ran(spec_with(f'metric = "{metric}"\ntrials = 4\npruner = "none"', source), tmp_path)
    outcome = compare(Home(tmp_path), "small", best_two(summary))
    (pair,) = outcome.pairs
    assert pair.test == "paired bootstrap over examples"
    values = [summary.trials[int(n)].value for n in best_two(summary)]
    assert pair.estimate == pytest.approx(values[0] - values[1], rel=1e-3, abs=1e-6)
    assert pair.low <= pair.estimate <= pair.high
    assert compare(Home(tmp_path), "small", best_two(summary)).pairs == outcome.pairs
    assert METRICS[metric].title in pair.effect


@pytest.mark.slow
def test_confirmed_networks_are_compared_where_there_are_any(tmp_path: Path) -> None:
    ran(SMALL, tmp_path)
    found = confirmed(SMALL, tmp_path).candidates
    outcome = compare(Home(tmp_path), "small", [str(candidate.trial) for candidate in found])
    assert (outcome.networks, outcome.seeds) == ("confirm", 4)
    assert [c.value for c in outcome.contenders] == pytest.approx([c.value for c in found])
    others = {str(candidate.trial) for candidate in found}
    summary = run_local(SMALL, tmp_path)
    outside = next(str(row.number) for row in summary.ranking() if str(row.number) not in others)
    assert compare(Home(tmp_path), "small", [outside]).networks == "search"


@pytest.mark.slow
def test_the_best_of_two_studies_on_the_same_data(tmp_path: Path) -> None:
    first = ran(SMALL, tmp_path)
    second = ran(SMALL.replace('"small"', '"other"').replace("trials = 12", "trials = 5\nseed = 9"), tmp_path)
    outcome = compare(Home(tmp_path), "small", ["other"])
    assert [c.label for c in outcome.contenders] == [
        str(first.ranking()[0].number),
        f"other:{second.ranking()[0].number}",
    ]
    number = second.ranking()[1].number
    assert compare(Home(tmp_path), "small", [f"other:{number}", "other"]).contenders[0].trial == number
    ran(
        SMALL.replace('"small"', '"moved"').replace("seed = 0", "seed = 5").replace("trials = 12", "trials = 1"),
        tmp_path,
    )
    with pytest.raises(UserError, match=r"'small' and 'moved' were run on different data \(.*dev"):
        compare(Home(tmp_path), "small", ["moved"])


@pytest.mark.slow
def test_trials_that_cannot_be_compared_are_refused_in_a_line(tmp_path: Path) -> None:
    summary = ran(
        spec_with("pruner = 'threshold'\nthreshold = 0.7", space="iterations = { low = 2000, high = 4000 }"), tmp_path
    )
    home, best = Home(tmp_path), str(summary.ranking()[0].number)
    pruned = next(row for row in summary.trials if row.state == "pruned")
    for item, said in (
        ("99", "study 'small' has no trial 99; its trials are 0 to 11"),
        (
            str(pruned.number),
            f"trial {pruned.number} of study 'small' has no predictions (pruned at iteration {pruned.iterations})",
        ),
        ("smal", "no study 'smal'"),
        ("small:x", "'x' is not a trial; expected a number or one of best, confirmed, recommended"),
        (best, "is listed twice"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            compare(home, "small", [best, item])
    other = str(summary.ranking()[1].number)
    with pytest.raises(UserError, match=r"\.xyz: must end in \.svg"):
        compare(home, "small", [other], tmp_path / "curves.xyz")
    home.folder("small").result(int(other)).unlink()
    with pytest.raises(UserError, match="file not found"):
        compare(home, "small", [other])


@pytest.mark.slow
def test_the_command_prints_words_or_json(searched: tuple[Path, Summary]) -> None:
    folder, summary = searched
    first, second = best_two(summary)
    shown = run_study("compare", "small", first, second, "--home", folder)
    assert shown.returncode == 0, shown.stderr
    assert "this compares networks, not configurations" in shown.stdout
    tables = shown.stdout[shown.stdout.index(" trial  ") :].splitlines()
    assert max(len(line.rstrip()) for line in tables if not line.startswith("Curves")) <= 80
    found = json.loads(run_study("compare", "small", first, second, "--json", "--home", folder).stdout)
    assert np.isfinite(found["pairs"][0]["p"])
    refused = run_study("compare", "small", "77", "--home", folder)
    assert (refused.returncode, refused.stdout) == (2, "")
