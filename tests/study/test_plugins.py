"""Installed packages bring extensions by entry points, which a spec names; nothing else is imported."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command import environment, run_process, run_study
from support.in_process import run_local, spec_with
from support.small_study import SMALL

from engine import ACTIVATIONS, METRICS, OPTIMIZERS, SCHEDULES
from study.errors import UserError
from study.spec import parse_spec
from study.spec.extensions import PRUNERS, SAMPLERS, SOURCES, TRANSFORMS
from study.spec.schema import spec_schema

MODULE = """
    import numpy as np
    import pandas as pd
    from optuna.pruners import PercentilePruner
    from optuna.samplers import RandomSampler

    from engine import Activation, Metric, Optimizer, Schedule, register_activation, register_metric
    from sklearn.preprocessing import PolynomialFeatures

    from study.data import Source, Transform, register_source
    from study.search import Pruner, Sampler

    uniform = Sampler("uniform", lambda seed, number: RandomSampler(seed=seed))
    halves = Pruner("halves", lambda grid, warmup: PercentilePruner(50.0, n_warmup_steps=warmup))
    halving = Schedule("halving", lambda progress, final: 1.0 if progress < 0.5 else 0.5, "by hand")


    def descend(state, gradient, step):
        np.subtract(state.theta, np.sign(gradient) * step.learning_rate, out=state.theta)


    signs = Optimizer("signs", descend, "by hand")


    def forward(Z, A, scratch):
        np.clip(Z, -1, 1, out=A)


    def derivative(A, scratch):
        return np.less(np.abs(A), 1, out=scratch)


    def register_clip():
        register_activation(Activation("clip", forward, derivative, "A", "xavier"))


    def share(y_true, y_pred, sample_weight=None):
        return float((y_true == y_pred).mean())


    register_metric(share, direction="maximize", task="classification", version=3)


    def read(rest, base):
        x = np.linspace(0.1, 1, int(rest))
        return pd.DataFrame({"x": x, "z": np.cos(40 * x), "y": np.where(np.cos(9 * x) > 0, "a", "b")})


    source = Source("waves", read)
    register_source(source)
    cubes = Transform("cubes", lambda: PolynomialFeatures(3, include_bias=False), version=2)
"""
ENTRY_POINTS = """
    [study.metrics]
    share = study_things
    gone = study_things
    [study.samplers]
    uniform = study_things:uniform
    [study.pruners]
    halves = study_things:halves
    [study.schedules]
    halving = study_things:halving
    [study.optimizers]
    signs = study_things:signs
    [study.activations]
    clip = study_things:register_clip
    [study.sources]
    waves = study_things
    [study.transforms]
    cubes = study_things:cubes
"""
ALL = """
name = "things"
baselines.enabled = false
[data]
source = "waves:90"
transform = "cubes"
[space]
learning_rate = 0.01
iterations = 20
depth = 1
units = 3
activation = "clip"
optimizer = "signs"
schedule = "halving"
[search]
trials = 4
in_flight = 2
metric = "share"
sampler = "uniform"
pruner = "halves"
"""
Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registries what a test has put into them, and forget the package."""
    for registry in (ACTIVATIONS, METRICS, OPTIMIZERS, SCHEDULES, SAMPLERS, PRUNERS, SOURCES, TRANSFORMS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    yield
    for name in ("study_things", "study_other"):
        sys.modules.pop(name, None)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package into a folder that is on the path, as pip would."""

    def install(package: str = "study-things", code: str = MODULE, points: str = ENTRY_POINTS) -> Path:
        folder = tmp_path / "site" / package
        metadata = folder / f"{package.replace('-', '_')}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(textwrap.dedent(points))
        (folder / f"{package.replace('-', '_')}.py").write_text(textwrap.dedent(code))
        monkeypatch.syspath_prepend(folder)
        return folder

    return install


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_study_of_extensions_from_a_package_alone(install: Install, tmp_path: Path, jobs: int) -> None:
    install()
    summary = run_local(ALL, tmp_path / "home", jobs=jobs)
    assert [row.reason for row in summary.trials if row.state == "failed"] == []
    for row in summary.trials:
        assert row.metrics["dev_share"] == row.metrics["dev_accuracy"]


@pytest.mark.slow
def test_another_process_finds_the_package_and_says_when_it_is_gone(install: Install, tmp_path: Path) -> None:
    folder = install()
    (tmp_path / "things.toml").write_text(ALL)
    home = ("--home", tmp_path / "home")
    there = environment() | {"PYTHONPATH": str(folder)}
    done = run_process("run", tmp_path / "things.toml", "--no-tracking", "--jobs", 1, *home, env=there)
    assert done.returncode == 0, done.stderr
    done = run_process("confirm", "things", "--top", 2, "--seeds", 2, "--jobs", 1, *home, env=there)
    assert done.returncode == 0, done.stderr
    gone = run_process("confirm", "things", "--jobs", 1, *home, env=environment())
    assert gone.returncode == 2
    assert "which is not registered in this process; install the package that provides it (study-things 1.2)" in (
        gone.stderr
    )


def test_a_package_is_imported_only_where_a_spec_names_its_extension(install: Install) -> None:
    install()
    parse_spec(SMALL, "small.toml")
    assert "study_things" not in sys.modules
    parse_spec(spec_with('sampler = "uniform"'), "small.toml")
    assert "study_things" in sys.modules


def test_the_schema_offers_what_packages_declare_and_imports_nothing(install: Install) -> None:
    install()
    search = spec_schema()["properties"]["search"]["properties"]
    assert "uniform" in search["sampler"]["anyOf"][0]["enum"]
    assert "cubes" in str(spec_schema()["properties"]["data"]["properties"]["transform"])
    assert "uniform" in run_study("schema").stdout
    assert "uniform" not in str(spec_schema(installed=False))
    assert "study_things" not in sys.modules


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_module", "failed to load (ModuleNotFoundError: No module named 'no_such_module')"),
        ("raise SystemExit(3)", "failed to load (SystemExit: 3); update or reinstall it"),
        ("def (", "failed to load (SyntaxError: "),
        ("", "but its entry point 'study_other' registers no metric with this name"),
    ],
)
def test_a_broken_package_is_named_in_a_line_and_stops_no_other_spec(
    install: Install, tmp_path: Path, code: str, message: str
) -> None:
    install()
    install("study-other", code, "[study.metrics]\nbroken = study_other\n")
    (tmp_path / "small.toml").write_text(spec_with('metric = "broken"'))
    done = run_study("plan", tmp_path / "small.toml")
    assert done.returncode == 2
    assert "[search] metric: 'broken' " in done.stderr
    assert "study-other 1.2" in done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert parse_spec(spec_with('metric = "share"'), "small.toml").search.metric == "share"


def test_a_name_from_two_packages_is_refused(install: Install) -> None:
    install()
    install("study-other", "", "[study.samplers]\nuniform = study_other\n")
    with pytest.raises(UserError, match=r"'uniform' comes from several installed packages \(study-other 1.2, study-th"):
        parse_spec(spec_with('sampler = "uniform"'), "small.toml")


def test_a_misspelled_name_is_answered_with_that_of_a_package(install: Install) -> None:
    install()
    with pytest.raises(UserError, match="unknown value 'uniforn'; did you mean 'uniform'"):
        parse_spec(spec_with('sampler = "uniforn"'), "small.toml")
