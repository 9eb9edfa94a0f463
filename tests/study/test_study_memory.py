"""Memory is counted before it is taken: a space whose networks do not fit is refused in a line, and plan makes none."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import run_study
from support.confirmed_study import ran
from support.in_process import spec_with

from study.data import load
from study.evaluation.retrain import Retraining
from study.evaluation.stacks import train_side_by_side
from study.execution import Workers
from study.ledger.home import StudyFolder
from study.planning.plan import draw_trials
from study.search import memory
from study.search.objective import Objective
from study.search.search_space import largest_configurations
from study.spec import parse_spec

WIDE = "units = { low = 4, high = 5000 }\ndepth = { low = 0, high = 3 }\niterations = 10"


def objective_of(text: str, folder: Path) -> Objective:
    spec = parse_spec(text, "test.toml")
    return Objective(spec, (load(spec.data, folder),), StudyFolder(folder))


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(memory, "available_memory", lambda: 2_000_000_000)
    return 2_000_000_000


@pytest.mark.parametrize("command", [("plan",), ("run", "--no-tracking", "--jobs", 1)])
def test_a_space_that_does_not_fit_is_refused_before_anything_is_trained(
    tmp_path: Path, small_machine: int, command: tuple[object, ...]
) -> None:
    (tmp_path / "wide.toml").write_text(spec_with(space=WIDE))
    name, *options = command
    at = ("--home", tmp_path / "home") if name == "run" else ()
    done = run_study(name, tmp_path / "wide.toml", *options, *at)
    assert done.returncode == 2, done.stderr
    first, second = done.stderr.splitlines()
    assert first.startswith("study: [space] max_parameters: the largest network has 50,030,001 parameters; with in_fl")
    assert first.endswith("but this process can use only 2.0 GB;")
    assert second.startswith("set max_parameters = ")


def test_what_the_message_proposes_fits(tmp_path: Path, small_machine: int) -> None:
    with pytest.raises(memory.UserError) as caught:
        memory.check_memory(objective_of(spec_with(space=WIDE), tmp_path), 2)
    proposed = str(caught.value).partition("set ")[2].partition(",")[0]
    objective = objective_of(spec_with(space=f"{WIDE}\n{proposed}"), tmp_path)
    memory.check_memory(objective, 2)
    assert 1_000_000 < (objective.spec.space.max_parameters or 0) < 50_000_000


def test_the_largest_configurations_have_the_upper_end_of_every_range(tmp_path: Path) -> None:
    space = 'units = { low = 4, high = 9, step = 2 }\ndepth = 2\nunits_pattern = ["constant", "taper"]\n'
    found = largest_configurations(parse_spec(spec_with(space=space + 'optimizer = ["adam", "momentum"]'), "").space)
    assert len(found) == 2 * 2 * 2  # two activations of the small study
    assert {(each["units_1"], each["units_2"]) for each in found} == {(8, 8), (8, 4)}
    assert {each["optimizer"] for each in found} == {"adam", "momentum"}


def test_plan_draws_settings_without_their_networks(tmp_path: Path) -> None:
    objective = objective_of(spec_with(space="units = 2000\ndepth = 2\niterations = 10"), tmp_path)
    tracemalloc.start()
    try:
        trials = draw_trials(objective)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # a network of these has 16 MB
    finally:
        tracemalloc.stop()
    assert {trial.parameters for trial in trials} == {3 * 2000 + 2001 * 2000 + 2001}


def test_stacks_of_confirm_begin_as_others_end_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.evaluation.stacks.MEMORY", 1)
    monkeypatch.setattr("study.evaluation.retrain.CHUNK_WORK", 1e-6)
    objective = objective_of(spec_with(space="units = 4\ndepth = 1\niterations = 5"), tmp_path)
    objective.write_data()
    retraining = Retraining(objective, "dev", 6, tmp_path)
    stacks = retraining._stacks("a", {"learning_rate": 0.1, "activation": "relu"}, 1)
    most = []
    with Workers(1) as workers:
        for _ in train_side_by_side(workers, stacks, retraining._next_chunk, lambda _share: None):
            most.append(sum(stack.state is not None and not stack.ended for stack in stacks))
    assert len(most) == 6
    assert max(most) <= 2  # of a worker, and the one that waits for it


@pytest.mark.parametrize("command", ["confirm", "recheck"])
def test_networks_that_do_not_fit_are_not_trained_again(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(spec_with("trials = 2"), tmp_path)
    monkeypatch.setattr(memory, "available_memory", lambda: 300_000_000)
    done = run_study(command, "small", "--home", tmp_path, "--jobs", 2, "--seeds", 3)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--seeds 3 and --jobs 2 need 0.4 GB of memory, but this process can use only 0.3 GB; reduce" in done.stderr
