"""A spec names samplers, pruners, metrics and data sources that were registered; a check tells what one breaks."""

# ruff: noqa: ARG002, ARG005 - the arguments are those of the protocols

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.pruners import BasePruner, PercentilePruner
from optuna.samplers import BaseSampler, RandomSampler
from support.command import run_study
from support.small_study import SMALL, show

from engine import METRICS, Metric, register_metric
from study.data import Source, register_source
from study.errors import UserError
from study.search import Pruner, Sampler, register_pruner, register_sampler
from study.search.identity import identify
from study.search.pruners import make_pruner
from study.search.samplers import make_sampler
from study.spec import parse_spec
from study.spec.extensions import PRUNERS, SAMPLERS, SOURCES
from study.spec.search import SearchSpec
from study.testing import check_pruner, check_sampler, check_source

UNIFORM = Sampler("uniform", lambda seed, number: RandomSampler(seed=seed))
HALVES = Pruner("halves", lambda grid, warmup: PercentilePruner(50.0, n_startup_trials=2, n_warmup_steps=warmup))


def read_line(rest: str, base: Path) -> pd.DataFrame:
    """A table of as many rows as the name says."""
    x = np.linspace(0.1, 1, int(rest))
    return pd.DataFrame({"x": x, "y": 2 * x + 0.5})


LINE = Source("line", read_line)
DEVIATION = Metric("deviation", "minimize", "regression", lambda Y, A: float(np.abs(Y - A).mean()), "deviation")
SPEC = """
name = "added"
baselines.enabled = false
[data]
source = "line:60"
target = "y"
[space]
learning_rate = { low = 0.01, high = 0.1, log = true }
iterations = 20
depth = 1
units = 4
[search]
trials = 6
in_flight = 2
sampler = "uniform"
pruner = "halves"
metric = "deviation"
[confirm]
top = 2
seeds = 2
"""


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registries what a test has put into them."""
    for registry in (METRICS, SAMPLERS, PRUNERS, SOURCES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    yield


@pytest.fixture
def registered() -> None:
    register_sampler(UNIFORM)
    register_pruner(HALVES)
    register_source(LINE)
    register_metric(DEVIATION)


def run(tmp_path: Path, spec: str = SPEC) -> Any:
    path = tmp_path / "added.toml"
    path.write_text(spec)
    return run_study("run", path, "--home", tmp_path / "home", "--no-tracking", "--jobs", "1")


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_a_study_of_additions_alone_runs_and_is_confirmed_and_finalized(tmp_path: Path) -> None:
    planned = tmp_path / "added.toml"
    planned.write_text(SPEC)
    assert run_study("plan", planned).returncode == 0
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    shown = show(tmp_path / "home", "added")
    complete = [trial for trial in shown["trials"] if trial["state"] == "complete"]
    for trial in complete:  # DEVIATION computes what MAE does
        assert trial["value"] == trial["metrics"]["dev_deviation"] == trial["metrics"]["dev_mae"]
    assert shown["confirm"] is not None
    finalized = run_study("finalize", "added", "--home", tmp_path / "home")
    assert finalized.returncode == 0, finalized.stderr


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sampler", "[search] sampler: unknown value 'uniform'; "),
        ("pruner", "[search] pruner: unknown value 'halves'; "),
        ("metric", "[search] metric: unknown metric 'deviation'; "),
        ("source", "[data] source: unknown kind of source 'line' in 'line:60'; "),
    ],
)
def test_what_is_not_registered_is_refused_in_a_line(key: str, message: str, tmp_path: Path) -> None:
    kept = "\n".join(line for line in SMALL.splitlines() if not line.startswith(key))
    (line,) = (line for line in SPEC.splitlines() if line.startswith(f"{key} = "))
    table = "[data]" if key == "source" else "[search]"
    done = run(tmp_path, kept.replace(table, f"{table}\n{line}"))
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            replace(LINE, read=lambda rest, base: pd.DataFrame({"y": [1.0]})),
            "must have a target and at least one other",
        ),
        (LINE, "[data] source: line:none: invalid literal for int()"),
    ],
)
def test_a_source_that_cannot_be_read_is_answered_in_a_line(source: Source, message: str, tmp_path: Path) -> None:
    register_source(source)
    done = run(tmp_path, SPEC.replace("line:60", "line:none"))
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.usefixtures("registered")
def test_the_identity_of_a_study_has_the_names_of_additions_and_no_other_changes() -> None:
    built_in = identify(parse_spec(SMALL, "small.toml"))
    plain = SPEC.replace('"uniform"', '"random"')
    added, other = identify(parse_spec(SPEC, "added.toml")), identify(parse_spec(plain, "added.toml"))
    assert [key for key in added if added[key] != other[key]] == ["[search] sampler"]
    # As it was before samplers could be registered; the digest of a name must stay.
    assert built_in["[search] sampler"] == "88b9615b201e6fe9"


def test_a_recorded_spec_is_read_where_nothing_is_registered() -> None:
    added = SPEC.replace("units = 4", 'units = 4\nactivation = "softsign"\noptimizer = "sign"\nschedule = "linear"')
    spec = parse_spec(added, "the ledger's spec", recorded=True)
    assert (spec.data.source, spec.data.kind) == ("line:60", "registered")
    assert (spec.search.sampler, spec.search.pruner, spec.search.metric) == ("uniform", "halves", "deviation")
    assert (spec.space.activation, spec.space.optimizer, spec.space.schedule) == (("softsign",), ("sign",), ("linear",))
    with pytest.raises(UserError, match="6 more errors in this spec"):
        parse_spec(added, "added.toml")


def test_keys_of_files_do_not_apply_to_a_registered_source() -> None:
    register_source(LINE)
    with pytest.raises(UserError, match="separator does not apply to source 'line:60'"):
        parse_spec('name = "a"\n[data]\nsource = "line:60"\nseparator = ";"\n[space]\nlearning_rate = 0.1\n', "a.toml")


def test_several_metrics_take_a_sampler_that_is_for_several() -> None:
    register_sampler(UNIFORM)
    given = {"metric": ["accuracy", "parameters"], "sampler": "uniform"}
    with pytest.raises(ValueError, match="with several metrics, sampler must be nsga2, tpe, random or grid"):
        SearchSpec.model_validate(given)
    register_sampler(replace(UNIFORM, several=True))
    assert SearchSpec.model_validate(given).several


@pytest.mark.parametrize(
    ("register", "entry", "message"),
    [
        (register_sampler, replace(UNIFORM, name="tpe"), "sampler 'tpe' is built in; choose another name"),
        (register_sampler, replace(UNIFORM, make=None), "sampler 'uniform': make must be a function, got None"),
        (register_pruner, replace(HALVES, name="Half"), "pruner name must consist of lowercase letters.*got 'Half'"),
        (register_pruner, replace(HALVES, make=50.0), "pruner 'halves': make must be a function, got 50.0"),
        (register_source, replace(LINE, name="openml"), "source 'openml' is built in; choose another name"),
        (register_source, replace(LINE, name="c"), "source name must have at least two characters, got 'c'"),
        (register_source, replace(LINE, read="file"), "source 'line': read must be a function, got 'file'"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_name(register: Any, entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register(entry)


@pytest.mark.parametrize("name", ["tpe", "random", "nsga2", pytest.param("qmc", marks=pytest.mark.slow), "uniform"])
def test_samplers_keep_their_promises(name: str) -> None:
    if name == "uniform":
        check_sampler(UNIFORM)
        return
    search = SearchSpec(sampler=name)
    check_sampler(Sampler(name, lambda seed, number: make_sampler(search, seed, number), several=name == "nsga2"))


@pytest.mark.parametrize("name", ["none", "median", "percentile", "successive_halving", "hyperband", "patient"])
def test_pruners_keep_their_promises(name: str) -> None:
    search = SearchSpec(pruner=name, warmup=0.3)
    # All of these read the direction of the study.
    check_pruner(Pruner(name, lambda grid, warmup: make_pruner(search, grid, "maximize")))


def test_the_additions_of_this_module_keep_their_promises(tmp_path: Path) -> None:
    check_pruner(HALVES)
    check_source(LINE, "40", tmp_path)


class _Stubborn(RandomSampler):
    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        return getattr(param_distribution, "low", None) or getattr(param_distribution, "choices", [0])[0]


class _Outside(RandomSampler):
    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        drawn = super().sample_independent(study, trial, param_name, param_distribution)
        return 7.0 + trial.number if param_name == "learning_rate" else drawn


class _Counting(RandomSampler):
    """Draws by how often the study has been asked, which nothing keeps."""

    def before_trial(self, study: Any, trial: Any) -> None:
        asked = study.user_attrs.get("asked", 0) + 1
        study.set_user_attr("asked", asked)
        self._rng.rng.seed(asked)


def _reseeding(seed: int, number: int) -> BaseSampler:
    np.random.seed(seed)  # noqa: NPY002
    return RandomSampler(seed=seed)


@pytest.mark.parametrize(
    ("make", "promise"),
    [
        (lambda seed, number: _Stubborn(seed=seed), "must propose different configurations"),
        (lambda seed, number: _Outside(seed=seed), "must propose values in the space"),
        (lambda seed, number: RandomSampler(), "must depend only on its seed"),
        (lambda seed, number: _Counting(seed=seed), "must keep no state outside the trials"),
        (_reseeding, "must not change the global random state"),
    ],
)
def test_a_promise_that_a_sampler_breaks_is_named(make: Any, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_sampler(replace(UNIFORM, make=make))


class _Pruning(BasePruner):
    def __init__(self, decide: Any) -> None:
        self._decide, self._asked = decide, 0

    def prune(self, study: Any, trial: Any) -> bool:
        self._asked += 1
        return bool(self._decide(self._asked, trial))


@pytest.mark.parametrize(
    ("decide", "promise"),
    [
        (lambda asked, trial: trial.intermediate_values[trial.last_step] > 0.5, "must not stop the best trial"),
        (lambda asked, trial: abs(trial.intermediate_values[trial.last_step]) < 0.02, "before the warm-up"),
        (
            lambda asked, trial: asked > 5 and abs(trial.intermediate_values[trial.last_step]) < 0.04,
            "only from reported values",
        ),
    ],
)
def test_a_promise_that_a_pruner_breaks_is_named(decide: Any, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_pruner(Pruner("broken", lambda grid, warmup: _Pruning(decide)))


@pytest.mark.parametrize(
    ("read", "promise"),
    [
        (lambda rest, base: [[1, 2]], "must return a pandas.DataFrame"),
        (lambda rest, base: pd.DataFrame([[1, 2]], columns=["1", 1]), "a unique name"),
        (lambda rest, base: pd.DataFrame({"x": [1]}), "at least one other column"),
        (lambda rest, base: pd.DataFrame({"x": [], "y": []}), "must return at least one row"),
        (lambda rest, base: pd.DataFrame(np.random.default_rng().random((4, 2))), "the same rows in the same order"),
    ],
)
def test_a_promise_that_a_source_breaks_is_named(read: Any, promise: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_source(Source("broken", read), "", tmp_path)
