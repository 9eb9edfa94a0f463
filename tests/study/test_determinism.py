"""Samplers and pruners give the same trials on one worker, on two, and after dying at any moment.

Most of it runs in the test's own process, where dying is an exception out of a write that was to reach the disk; what
is left then is what is on the disk. A smaller part kills real processes. `make test` has each sampler and each pruner
in a pair, `make test-all` has all pairs.
"""

import functools
import os
import random
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
from support.command import Process, begin_process, run_study
from support.in_process import run_local
from support.small_study import show
from support.waiting import wait_for

from study.data import Dataset, load
from study.ledger.home import Home
from study.ledger.ledger import repair
from study.ledger.results import Summary
from study.spec import DataSpec
from study.spec.encoding import Encoding

SAMPLERS = ["tpe", "random", "qmc", "grid", "cmaes", "nsga2", "gp"]
PRUNERS = ["none", "median", "percentile", "successive_halving", "hyperband", "patient", "threshold", "asha"]
SOURCES = ["synthetic:planar_flower", "sklearn:iris"]
DEATHS = 20

SPEC = """
name = "same"
baselines.enabled = false
[data]
source = "{source}"
split = [0.6, 0.2, 0.2]
[space]
{space}
[search]
trials = {trials}
in_flight = 4
sampler = "{sampler}"
pruner = "{pruner}"
patience = 3
threshold = 0.5
metric = {metric}
seed = 3
"""
CONTINUOUS = """
learning_rate = {{ low = 1e-2, high = 2.0, log = true }}
iterations = {{ low = {least}, high = {most}, step = {least} }}
depth = {{ low = 0, high = 2 }}
units = {{ low = 2, high = 8, log = true }}
activation = ["relu", "tanh"]
"""
DISCRETE = """
learning_rate = [0.05, 0.3, 1.0]
iterations = [{least}, {most}]
depth = [0, 1]
units = [2, 4, 6]
activation = "tanh"
"""


def spec_of(sampler: str, pruner: str, source: str, *, several: bool = False, scale: int = 1) -> str:
    space = (DISCRETE if sampler == "grid" else CONTINUOUS).format(least=15 * scale, most=60 * scale)
    metric = '["accuracy", "parameters"]' if several else '"accuracy"'
    return SPEC.format(source=source, space=space, trials=16, sampler=sampler, pruner=pruner, metric=metric)


def essence(summary: Summary) -> list[Any]:
    rows = [(row.number, row.state, row.params, row.value, row.fingerprint) for row in summary.trials]
    return [*rows, None if summary.best is None else summary.best.number]


class DiedError(BaseException):
    """The process died; nothing catches it, as nothing catches SIGKILL."""


class Disk:
    """Counts what reaches the disk, and dies at a given count; the ledger's last line is then often torn.

    Nothing is really synced: the machine stays up, so the files are whole without it, in a third of the time.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ledger: Path, chance: random.Random) -> None:
        self.ledger, self.chance = ledger, chance
        self.writes, self.until = 0, float("inf")
        monkeypatch.setattr(os, "fsync", self.sync)

    def sync(self, fd: int) -> None:
        self.writes += 1
        if self.writes < self.until:
            return
        self.until = float("inf")
        if self.ledger.exists() and os.path.samestat(os.fstat(fd), self.ledger.stat()):
            os.ftruncate(fd, os.fstat(fd).st_size - self.chance.choice([0, 0, 1, 7, 30]))
        raise DiedError


@functools.cache
def loaded(data: DataSpec, encodings: tuple[Encoding, ...]) -> Dataset:
    return load(data, Path(), encodings)


def compare(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int = DEATHS) -> None:
    monkeypatch.setattr("study.search.objective.LEAST", 1e-4)  # several chunks a trial
    chance = random.Random(text)
    monkeypatch.setattr(
        "study.search.session.load", lambda data, _, each: loaded(data, each)
    )  # half of the time otherwise
    # Training states are written after some rounds and not after others.
    monkeypatch.setattr("study.search.coordinator.CHECKPOINT_EVERY", chance.choice([0.0, 0.02]))
    folder = Home(tmp_path / "crashed").folder("same")
    disk = Disk(monkeypatch, folder.ledger, chance)
    whole = essence(run_local(text, tmp_path / "whole"))
    assert len(whole) > 10
    gap, died = max(1, 2 * disk.writes // deaths), 0
    for _ in range(deaths):
        disk.until = disk.writes + chance.randint(1, gap)
        try:
            run_local(text, tmp_path / "crashed")
        except DiedError:
            died += 1
        repair(folder)
    disk.until = float("inf")
    assert essence(run_local(text, tmp_path / "crashed")) == whole
    assert died >= max(1, deaths // 3)


ALL = [(sampler, pruner) for sampler in SAMPLERS for pruner in PRUNERS]
SELECTED = [  # each sampler, each pruner and both sources, of the pairs that are quick
    ("tpe", "none"),
    ("grid", "median"),
    ("cmaes", "percentile"),
    ("random", "successive_halving"),
    ("qmc", "hyperband"),
    ("nsga2", "patient"),
    ("tpe", "threshold"),
    ("random", "asha"),
    ("gp", "median"),
]


def source_of(sampler: str, pruner: str) -> str:
    return SOURCES[(SAMPLERS.index(sampler) + PRUNERS.index(pruner)) // 2 % 2]


def need(sampler: str) -> None:
    if sampler in ("gp", "cmaes"):
        pytest.importorskip({"gp": "torch", "cmaes": "cmaes"}[sampler])


def test_each_sampler_and_each_pruner_is_selected() -> None:
    assert {sampler for sampler, _ in SELECTED} == set(SAMPLERS)
    assert {pruner for _, pruner in SELECTED} == set(PRUNERS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [pytest.param(*pair, marks=[] if pair in SELECTED else pytest.mark.exhaustive) for pair in ALL],
)
def test_dying_twenty_times_changes_nothing(
    sampler: str, pruner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(sampler)
    deaths = 7 if sampler == "gp" else DEATHS  # a proposal of gp takes a tenth of a second
    compare(spec_of(sampler, pruner, source_of(sampler, pruner)), tmp_path, monkeypatch, deaths)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(("sampler", "pruner"), ALL)
def test_dying_changes_nothing_on_the_other_data(
    sampler: str, pruner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(sampler)
    other = next(source for source in SOURCES if source != source_of(sampler, pruner))
    compare(spec_of(sampler, pruner, other), tmp_path, monkeypatch, deaths=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler", ["nsga2", "tpe", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("random", "grid"))]
)
def test_several_objectives_repeat_as_well(sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(spec_of(sampler, "none", SOURCES[1], several=True), tmp_path, monkeypatch)


ENCODED = """
encoding = ["standard", "ple", "quantile"]
bins = [3, 6]
class_weight = ["none", "balanced"]
batch_size = [16, "full"]
"""


@pytest.mark.slow
def test_encodings_and_class_weights_repeat_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = spec_of("random", "none", SOURCES[0]).replace("[search]", f"{ENCODED}[search]")
    compare(text, tmp_path, monkeypatch, deaths=10)
    one, two = (run_local(text, tmp_path / f"jobs{jobs}", jobs=jobs) for jobs in (1, 2))
    assert essence(one) == essence(two)
    drawn = {(row.params["encoding"], row.params.get("bins")) for row in one.trials}
    assert drawn == {("standard", None), ("ple", 3), ("ple", 6), ("quantile", None)}
    assert {row.params["class_weight"] for row in one.trials} == {"none", "balanced"}


def test_no_warning_reaches_a_user(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_local(spec_of("tpe", "patient", SOURCES[0]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "pruner", "several"),
    [("tpe", "asha", False), pytest.param("nsga2", "none", True, marks=pytest.mark.exhaustive)],
)
def test_one_job_two_jobs_and_sigkill_agree(
    sampler: str, pruner: str, several: bool, tmp_path: Path, home: Path
) -> None:
    spec = tmp_path / "same.toml"
    spec.write_text(spec_of(sampler, pruner, SOURCES[0], several=several, scale=20))
    found = []
    for jobs in (1, 2):
        folder = tmp_path / f"jobs{jobs}"
        done = run_study("run", spec, "--home", folder, "--no-tracking", "--jobs", jobs)
        assert done.returncode == 0, done.stderr
        found.append(told(folder))
    command = ("run", spec, "--home", home, "--no-tracking", "--jobs", 2)
    ledger, size = Home(home).folder("same").ledger, Home(tmp_path / "jobs1").folder("same").ledger.stat().st_size
    for share in (0.15, 0.35, 0.6):
        process = begin_process(*command)

        def far_enough(process: Process = process, share: float = share) -> bool:
            return process.poll() is not None or (ledger.exists() and ledger.stat().st_size > share * size)

        wait_for(far_enough, f"{share:.0%} of the ledger")
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL  # it was not done
    done = run_study(*command)
    assert done.returncode == 0, done.stderr
    assert found[0] == found[1] == told(home)


def told(folder: Path) -> tuple[Any, list[Any]]:
    shown = show(folder, "same")
    rows = [(trial["number"], trial["state"], trial["params"], trial["fingerprint"]) for trial in shown["trials"]]
    return shown["best"] and shown["best"]["number"], rows
