"""Clusters that people already run: the trials of the local run, whatever becomes of a node or of the scheduler."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import Process, begin_process, environment, read_until, run_process, run_study
from support.dask_cluster import DaskCluster, Host, start_cluster
from support.forking import FIRST
from support.in_process import run_local, spec_with
from support.ray_cluster import TOKEN, RayCluster, start_ray
from support.waiting import LIMIT

from engine.worker_data import Fold, pack_data, read_data, unpack_data, write_data
from study.data import load
from study.execution import Workers, clusters, connect
from study.ledger.home import Home
from study.ledger.results import summarize
from study.search.objective import Objective
from study.spec import parse_spec

DIGITS = spec_with(
    data="source = 'sklearn:digits'",
    space="iterations = { low = 20, high = 80, step = 20 }\nunits = { low = 8, high = 32, log = true }",
    search="trials = 24\nin_flight = 8",
)
Trials = list[tuple[int, str, str | None]]

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
# Dask's and ray's own threads and sockets end when they end.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def trials(home: Path) -> Trials:
    return [(row.number, row.state, row.fingerprint) for row in summarize(Home(home), "small").trials]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """The trials of the local run, with one job."""
    home = tmp_path_factory.mktemp("local")
    run_local(DIGITS, home, jobs=1)
    return trials(home)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A dask cluster, whose scheduler and workers tests kill."""
    pytest.importorskip("distributed")
    with start_cluster(tmp_path_factory.mktemp("dask")) as running:
        yield running


@pytest.fixture
def cluster(dask: DaskCluster) -> DaskCluster:
    """The dask cluster, with two workers."""
    dask.have_workers(2)
    return dask


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RayCluster]:
    with start_ray() as running:
        yield running


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    path = tmp_path / "digits.toml"
    path.write_text(DIGITS)
    return path


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two network namespaces with an address each, joined by a cable."""
    names = [f"study-{os.getpid()}-{side}" for side in "ab"]
    ends = [f"st{os.getpid()}{side}" for side in "ab"]
    addresses = ["10.77.41.1", "10.77.41.2"]
    steps = [f"ip netns add {name}" for name in names]
    steps += [f"ip link add {ends[0]} netns {names[0]} type veth peer name {ends[1]} netns {names[1]}"]
    for name, end, address in zip(names, ends, addresses, strict=True):
        steps += [f"ip -n {name} address add {address}/24 dev {end}", f"ip -n {name} link set {end} up"]
        steps += [f"ip -n {name} link set lo up"]
    try:
        for step in steps:
            try:
                done = subprocess.run(step.split(), capture_output=True, text=True, check=False)
            except FileNotFoundError:
                pytest.skip("no `ip` on this machine")
            if done.returncode:
                pytest.skip(f"no network namespaces here: {step}: {done.stderr.strip()}")
        here, there = (
            Host(address, ("ip", "netns", "exec", name)) for name, address in zip(names, addresses, strict=True)
        )
        yield here, there
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


# A scheduler has ten seconds to come back; on a busy machine it takes longer to begin anew.
PATIENT = f"from study.execution import clusters\nclusters.ANSWERS_WITHIN = {LIMIT}\n"


def begin(spec: Path, home: Path, cluster: DaskCluster | RayCluster, first: str = "") -> Process:
    """Begin a run on a cluster; it runs `first` before all else, where processes are forked."""
    script = spec.with_name("first.py")
    script.write_text(first)
    where = ("dask", "--scheduler") if isinstance(cluster, DaskCluster) else ("ray", "--address")
    options = ("--no-tracking", "--backend", *where, cluster.address)
    return begin_process("run", spec, "--home", home, *options, env=environment() | TOKEN | {FIRST: str(script)})


@pytest.mark.faults
@pytest.mark.slow
def test_killed_dask_worker_costs_no_trial(cluster: DaskCluster, digits: Path, tmp_path: Path, local: Trials) -> None:
    process = begin(digits, tmp_path / "home", cluster)
    read_until(process, "(5/24)")
    cluster.kill_worker()
    read_until(process, "(12/24)")
    cluster.start_worker()  # joins late, and is sent the data then
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, ""), output
    assert trials(tmp_path / "home") == local


@pytest.mark.faults
@pytest.mark.slow
def test_data_lost_with_their_only_worker_are_sent_again(cluster: DaskCluster, tmp_path: Path) -> None:
    spec = parse_spec(spec_with(), "spec")
    objective = Objective(spec, (load(spec.data, tmp_path),), Home(tmp_path / "home").folder("small"))
    objective.write_data()
    setting = {"learning_rate": 0.1, "iterations": 50, "depth": 0, "activation": "relu"}
    batch = [objective.next_chunk(objective.open(number, setting)) for number in range(4)]
    with connect("dask", scheduler=cluster.address) as workers:
        assert workers is not None
        with Workers(workers.jobs, backend=workers) as crew:
            first = crew.run(batch)
            cluster.kill_worker(cluster.only_keeper_of_data())
            again = crew.run(batch)
    assert [outcome.error for outcome in (first | again).values()] == [None] * 4
    for number in range(4):
        np.testing.assert_array_equal(first[number].state.parameters, again[number].state.parameters)


@pytest.mark.faults
@pytest.mark.slow
def test_scheduler_that_restarts_in_time_interrupts_nothing(
    cluster: DaskCluster, digits: Path, tmp_path: Path, local: Trials
) -> None:
    process = begin(digits, tmp_path / "home", cluster, PATIENT)
    read_until(process, "(5/24)")
    cluster.restart()
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, ""), output
    assert trials(tmp_path / "home") == local


@pytest.mark.faults
@pytest.mark.slow
def test_lost_scheduler_ends_the_run_which_resumes_once_it_is_back(
    cluster: DaskCluster, digits: Path, tmp_path: Path, local: Trials
) -> None:
    process = begin(digits, tmp_path / "home", cluster)
    read_until(process, "(5/24)")
    cluster.stop()
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 1, output + errors
    said = (
        f"lost the connection to the Dask scheduler at {cluster.address}; once it is back, rerun the command to resume."
    )
    assert errors == f"study: {said}\nFinished work is kept.\n"
    finished = [row for row in trials(tmp_path / "home") if row[1] != "running"]
    assert 5 <= len(finished) < 24
    cluster.restart()
    again = begin(digits, tmp_path / "home", cluster)
    output, errors = again.communicate(timeout=300)
    assert (again.returncode, errors) == (0, ""), output
    assert trials(tmp_path / "home") == local


@pytest.mark.faults
@pytest.mark.slow
def test_dask_workers_on_another_host_give_the_same_trials(
    hosts: tuple[Host, Host], digits: Path, tmp_path: Path, local: Trials
) -> None:
    pytest.importorskip("distributed")
    here, there = hosts
    with start_cluster(tmp_path, here=here, there=there) as cluster:
        options = ("--no-tracking", "--backend", "dask", "--scheduler", cluster.address)
        done = run_process("run", digits, "--home", tmp_path / "home", *options, prefix=here.prefix)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert trials(tmp_path / "home") == local


@pytest.mark.faults
@pytest.mark.slow
def test_data_are_sent_once(
    cluster: DaskCluster, tmp_path: Path, local: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[Path] = []
    monkeypatch.setattr(clusters, "pack_data", lambda folder: packed.append(folder) or pack_data(folder))
    with connect("dask", scheduler=cluster.address) as workers:
        assert workers is not None
        assert workers.jobs == 2
        run_local(DIGITS, tmp_path / "home", jobs=workers.jobs, cluster=workers)
    assert packed == [Home(tmp_path / "home").folder("small").data]
    assert trials(tmp_path / "home") == local


@pytest.mark.faults
@pytest.mark.slow
@needs_ray
def test_ray_gives_the_same_trials(digits: Path, tmp_path: Path, local: Trials) -> None:
    done = run_process("run", digits, "--home", tmp_path / "home", "--no-tracking", "--backend", "ray", "--jobs", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert trials(tmp_path / "home") == local


@pytest.mark.faults
@pytest.mark.slow
@needs_ray
def test_killed_worker_of_a_running_ray_cluster_costs_no_trial(
    ray_cluster: RayCluster, digits: Path, tmp_path: Path, local: Trials
) -> None:
    process = begin(digits, tmp_path / "home", ray_cluster)
    read_until(process, "(5/24)")
    ray_cluster.kill_worker()
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, ""), output
    assert trials(tmp_path / "home") == local


@pytest.mark.faults
@pytest.mark.slow
@needs_ray
def test_missing_token_of_ray_is_answered_in_a_line(ray_cluster: RayCluster, digits: Path, tmp_path: Path) -> None:
    wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64, "RAY_NUM_REDIS_GET_RETRIES": "2"}  # not for long
    at = ("--backend", "ray", "--address", ray_cluster.address)
    done = run_process("run", digits, "--home", tmp_path / "home", "--no-tracking", *at, env=environment() | wrong)
    assert done.returncode == 2
    said = f"--address {ray_cluster.address}: the Ray cluster requires a token; set RAY_AUTH_MODE=token and "
    assert done.stderr == f"study: {said}RAY_AUTH_TOKEN=<the token>\n"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--backend", "spark"), "--backend must be one of loky, dask, ray, got 'spark'"),
        (("--backend", "dask"), "--backend dask requires --scheduler ADDRESS, such as tcp://host:8786"),
        (("--scheduler", "tcp://127.0.0.1:9"), "requires --backend dask, got --backend loky"),
        (("--address", "127.0.0.1:9"), "requires --backend ray, got --backend loky"),
        (("--backend", "dask", "--scheduler", "tcp://127.0.0.1:9", "--jobs", 2), "omit --jobs"),
        (("--backend", "dask", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler is responding at this address"),
        (("--backend", "dask", "--scheduler", "nonsense://x"), "no Dask scheduler is responding at this address"),
        pytest.param(
            ("--backend", "ray", "--address", "127.0.0.1:9"),
            "no Ray cluster is responding at this address (Connection refused)",
            marks=needs_ray,
        ),
        pytest.param(
            ("--backend", "ray", "--address", "nonsense"), "not a Ray address; expected host:6379", marks=needs_ray
        ),
    ],
)
def test_unusable_cluster_is_answered_in_a_line(
    spec: Path, tmp_path: Path, options: tuple[object, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "ANSWERS_WITHIN", 0.5)  # nobody does
    done = run_study("run", spec, "--home", tmp_path / "home", "--no-tracking", *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_missing_package_is_answered_in_a_line(
    spec: Path, tmp_path: Path, backend: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    where = ("--scheduler", "tcp://127.0.0.1:9") if backend == "dask" else ()
    done = run_study("run", spec, "--home", tmp_path / "home", "--backend", backend, *where)
    words = f"study: --backend {backend} requires {package}, which is not installed; "
    words += f"install it with `pip install {package}`\n"
    assert (done.returncode, done.stderr) == (2, words)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("sizes", [(7,), (5, 9)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_packed_data_equal_the_folder(tmp_path: Path, sizes: tuple[int, ...], order: Any) -> None:
    rng = np.random.default_rng(0)

    def array(n: int, m: int) -> Any:
        return np.asarray(rng.standard_normal((n, m)), np.float32, order=order)

    write_data(tmp_path, [Fold(array(3, m), array(1, m), array(3, 4), array(1, 4)) for m in sizes])
    sent, read = unpack_data(pack_data(tmp_path)), read_data(str(tmp_path))
    for k in range(len(sizes)):
        for part in ("train_X", "train_Y", "dev_X", "dev_Y"):
            mine, theirs = getattr(sent.fold(k), part), getattr(read.fold(k), part)
            assert mine.dtype == theirs.dtype
            assert mine.strides == theirs.strides
            assert mine.ctypes.data % 64 == theirs.ctypes.data % 64
            assert not mine.flags.writeable
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(sent.X, read.X)
