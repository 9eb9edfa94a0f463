"""What a plan expects: rounds gone through, rates fitted, settings drawn the same each time."""

from pathlib import Path

import pytest
from support.small_study import SMALL

from engine import Architecture
from engine.work import count_work
from study.data import load
from study.errors import UserError
from study.ledger.home import StudyFolder
from study.planning.forecast import KEPT, Course, expected_seconds
from study.planning.plan import _count_trials, describe_space, draw_trials, find_defaults
from study.planning.throughput import _fit
from study.search.objective import LEAST, MOST, Objective
from study.spec import parse_spec
from study.spec.extensions import BUILT_IN_PRUNERS


def expect(courses: list[Course], trials: int = 32, jobs: int = 1, in_flight: int = 8, **more: float) -> float:
    return expected_seconds(courses, trials, jobs=jobs, in_flight=in_flight, cores=int(more.get("cores", 8)))


LONG = [Course(8, 8.0), Course(4, 4.0)]


def test_one_job_takes_the_sum_of_all_work_and_what_the_coordinator_adds() -> None:
    assert 32 * 6 < expect(LONG) < 32 * 6 + 30


def test_more_jobs_help_as_far_as_there_are_cores_and_trials_in_flight() -> None:
    one, two, four, sixteen = (expect(LONG, jobs=jobs, cores=16) for jobs in (1, 2, 4, 16))
    assert one > 1.7 * two
    assert two > 1.5 * four
    assert expect(LONG, jobs=8, cores=16) == pytest.approx(sixteen)
    assert expect(LONG, jobs=16, cores=16, in_flight=16) < sixteen
    assert expect(LONG, jobs=4, cores=2) >= expect(LONG, jobs=2, cores=2)


def test_time_grows_with_trials_and_beyond_what_is_gone_through_in_proportion() -> None:
    times = [expect([Course(1, 0.5)], trials=trials) for trials in (1, 10, 100, 1000, 10_000)]
    assert times == sorted(times)
    assert times[4] == pytest.approx(10 * times[3], rel=0.05)


def test_every_pruner_has_a_usual_saving() -> None:
    assert set(KEPT) == set(BUILT_IN_PRUNERS)
    assert all(0 < kept <= 1 for kept in KEPT.values())


def test_rates_are_found_again() -> None:
    sizes = [(2, 8, 1), (30, 64, 1), (64, 200, 200, 10), (500, 300, 10), (10, 1)]
    works = [count_work(Architecture(s, "relu", "softmax" if s[-1] > 1 else "sigmoid"), 400) for s in sizes]
    flop, element, step = 1e-11, 4e-10, 2e-6
    seconds = [work.flops * flop + work.elements * element + work.steps * step for work in works]
    fitted = _fit(list(zip(works, seconds, strict=True)))
    for work, right in zip(works, seconds, strict=True):
        told = work.flops * fitted[0] + work.elements * fitted[1] + work.steps * fitted[2]
        assert told == pytest.approx(right, rel=0.25)


PARAMS = {"learning_rate": 0.1, "iterations": 100, "depth": 1, "units_1": 4, "activation": "relu"}


def objective(text: str, folder: Path) -> Objective:
    spec = parse_spec(text, "spec")
    return Objective(spec, (load(spec.data, folder),), StudyFolder(folder))


def test_settings_are_drawn_within_the_space_and_the_same_each_time(tmp_path: Path) -> None:
    small = objective(SMALL, tmp_path)
    trials = draw_trials(small, 20)
    assert [t.setting for t in trials] == [t.setting for t in draw_trials(small, 20)]
    assert {t.setting["depth"] for t in trials} == {0, 1, 2}
    assert all(50 <= t.setting["iterations"] <= 200 for t in trials)


def test_networks_are_within_max_parameters(tmp_path: Path) -> None:
    small = objective(SMALL.replace("[search]", "max_parameters = 20\n[search]"), tmp_path)
    assert all(t.parameters <= 20 for t in draw_trials(small, 20))
    with pytest.raises(UserError, match="max_parameters"):
        draw_trials(objective(SMALL.replace("[search]", "max_parameters = 2\n[search]"), tmp_path), 3)


def test_the_budget_that_runs_out_first_counts() -> None:
    assert _count_trials(parse_spec(SMALL, "spec"), 1.0) == 12
    assert _count_trials(parse_spec(SMALL + "work = 5.0\n", "spec"), 1.0) == 5
    few = SMALL.replace('["relu", "tanh"]', '"relu"').replace("{ low = 1e-2, high = 2.0, log = true }", "[0.1, 1.0]")
    few = few.replace("{ low = 50, high = 200, step = 50 }", "100").replace("{ low = 0, high = 2 }", "0")
    assert _count_trials(parse_spec(few, "spec"), 1.0) == 2


def test_what_is_left_out_is_named_and_what_is_given_is_not() -> None:
    spec = parse_spec(SMALL, "spec")
    left = find_defaults(spec)
    assert left["search.pruner"] == "median"
    assert not {"search.trials", "search.patience", "search.percentile"} & set(left)
    assert "search.patience" in find_defaults(parse_spec(SMALL + 'pruner = "patient"\n', "spec"))
    assert set(describe_space(spec)) == {"learning_rate", "iterations", "depth", "units", "activation"}


def test_work_counts_dropout_and_the_penalty_as_the_engine_does(tmp_path: Path) -> None:
    small = objective(SMALL.replace("[search]", "dropout = [0.0, 0.2]\nl2 = [0.0, 1e-3]\n[search]"), tmp_path)
    setting = small.open(0, {**PARAMS, "dropout": 0.0, "l2": 0.0}).configuration
    works = [
        small.iteration_work({**setting, "dropout": dropout, "l2": l2}) for dropout in (0.0, 0.2) for l2 in (0.0, 1e-3)
    ]
    right = [
        count_work(small.architecture(setting), small.m, dropout=dropout, l2=l2)
        for dropout in (False, True)
        for l2 in (False, True)
    ]
    assert works == right
    assert len({work.units for work in works}) == 4


def test_a_chunk_is_an_eighth_of_a_trial_whatever_batch_size_comes_last(tmp_path: Path) -> None:
    def chunk(batch_size: str) -> float:
        space = {"iterations": "{ low = 1000, high = 6000 }", "depth": 2, "units": 64, "batch_size": batch_size}
        lines = "\n".join(f"{key} = {value}" for key, value in space.items())
        text = f'name = "q"\n[data]\nsource = "sklearn:digits"\n[space]\nlearning_rate = 0.1\n{lines}\n'
        return objective(text + 'activation = "relu"\n', tmp_path).chunk_work

    assert chunk('["full", 128]') == chunk('[128, "full"]')
    assert LEAST <= chunk("[128]") < chunk('["full", 128]') < chunk('["full"]') <= MOST
