"""What every executor does: order, errors as values, retries, killed workers, cancel, close."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import joblib
import numpy as np
import pytest
from joblib.pool import PicklingPool
from support import troubled_work
from support.dask_cluster import DaskCluster, start_cluster
from support.in_process import run_local, spec_with
from support.instant_cluster import Instant
from support.troubled_work import attempts
from support.waiting import wait_for

from engine import METRICS, Architecture, TrainingSettings, register_metric, start
from engine.extensions import Extensions
from engine.training_chunk import TrainingChunk
from engine.worker_data import Fold, write_data
from study.execution import (
    Backend,
    Executor,
    FailureKind,
    InProcessExecutor,
    JoblibExecutor,
    RetryingExecutor,
    TrainingTask,
    Workers,
    connect,
    in_process,
    joblib_backend,
)
from study.execution.backends import ConfiguredBackend, Loky, find_configured
from study.execution.retry import ATTEMPTS
from study.spec import parse_spec

# Dask's and ray's own threads and sockets end when they end.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]
TESTS = Path(troubled_work.__file__).parents[1]


def registered(name: str) -> Backend:
    """Return a backend that a user has registered with joblib and configured."""
    joblib.register_parallel_backend("mine", Instant)
    with joblib.parallel_config(backend=name, n_jobs=2):
        backend, count = find_configured(None)
    assert backend is not None
    assert count == 2
    return backend


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    pytest.importorskip("distributed")
    with start_cluster(tmp_path_factory.mktemp("dask")) as running:
        yield running


@pytest.fixture(scope="module")
def ray() -> Iterator[Backend]:
    pytest.importorskip("ray")
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    with patch.dict(os.environ, PYTHONPATH=path), connect("ray", jobs=2) as cluster:  # ray sets others, and leaves them
        assert cluster is not None
        yield cluster


@contextmanager
def made(name: str, request: pytest.FixtureRequest) -> Iterator[Executor]:
    with ExitStack() as stack:
        if name == "in process":
            executor: Executor = InProcessExecutor()
        elif name == "loky":
            executor = JoblibExecutor(Loky(2))
        elif name == "dask":
            cluster: DaskCluster = request.getfixturevalue("dask")
            cluster.have_workers(2)
            backend = stack.enter_context(connect("dask", scheduler=cluster.address))
            assert backend is not None
            executor = JoblibExecutor(backend)
        elif name == "ray":
            executor = JoblibExecutor(request.getfixturevalue("ray"))
        else:
            executor = JoblibExecutor(registered(name))
        with closing(executor):
            yield executor


slow = pytest.mark.slow
LOCAL = ["in process", pytest.param("loky", marks=slow), "threading", "mine"]
PROCESSES = [pytest.param(name, marks=slow) for name in ("loky", "multiprocessing", "dask", "ray")]
ALL = [*LOCAL, *PROCESSES[1:]]


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with made(request.param, request) as executor:
        yield executor


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_data(tmp_path, [])
    return tmp_path


def tasks(place: Path, count: int = 4) -> list[TrainingTask]:
    settings = TrainingSettings(learning_rate=0.1, iterations=10)
    states = [start(Architecture((2, 1)), settings, seeds=[trial], dtype=np.float32) for trial in range(count)]
    return [TrainingTask((TrainingChunk(trial, state, 1, (), (), str(place)),)) for trial, state in enumerate(states)]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have workers do chunks with some trouble."""

    def have(trouble: str) -> None:
        work = partial(troubled_work.do, trouble)
        for module, name in (
            (in_process, "run_chunks"),
            (joblib_backend, "run_chunks"),
            (joblib_backend, "run_chunks_remotely"),
        ):
            monkeypatch.setattr(module, name, work)

    return have


@pytest.mark.parametrize("executor", ALL, indirect=True)
def test_outcomes_come_in_the_order_that_is_asked_for(executor: Executor, place: Path, have: Any) -> None:
    have("none")
    submitted = tasks(place)
    for task in submitted:
        executor.submit(task)
    asked = [submitted[k] for k in (2, 0, 3, 1)]
    outcomes = executor.wait(asked)
    assert [outcome.task for outcome in outcomes] == asked
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert [outcome.outcomes[0].trial for outcome in outcomes] == [2, 0, 3, 1]


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        ("raises", FailureKind.RAISED, "RuntimeError: not as a value"),
        (
            "cannot_read",
            FailureKind.UNREADABLE_DATA,
            "FileNotFoundError: [Errno 2] No such file or directory: 'units.json'",
        ),
        ("out_of_memory", FailureKind.OUT_OF_MEMORY, "out of memory: Unable to allocate 2.00 GiB"),
    ],
)
@pytest.mark.parametrize("executor", ALL, indirect=True)
def test_errors_are_values(
    executor: Executor, place: Path, have: Any, trouble: str, kind: FailureKind, message: str
) -> None:
    have(trouble)
    submitted = tasks(place, 2)
    for task in submitted:
        executor.submit(task)
    _, failed = executor.wait(submitted)
    assert failed.error is not None
    assert (failed.error.kind, failed.error.message) == (kind, message)
    assert failed.outcomes == ()


@pytest.mark.parametrize("executor", ALL, indirect=True)
def test_chunk_that_trains_nothing_is_run_like_any_other(executor: Executor, place: Path) -> None:
    X = np.linspace(-1, 1, 20, dtype=np.float32)[None]
    write_data(place, [Fold(X, X, X, X)])
    task = TrainingTask((troubled_work.Counting(str(place)), troubled_work.Counting(str(place))))
    executor.submit(task)
    wait_for(lambda: executor.ready(task), "the task to end")
    (outcome,) = executor.wait([task])
    assert outcome.error is None
    assert outcome.outcomes == ("20 examples", "20 examples")
    task = TrainingTask((troubled_work.Counting(str(place), raises=True),))
    retrying = RetryingExecutor(executor)
    retrying.submit(task)
    (outcome,) = retrying.wait([task])
    assert outcome.outcomes == ("failed: RuntimeError: not as a value, 3 times",)


@pytest.mark.parametrize("executor", [name for name in ALL if name != "mine"], indirect=True)  # which is never busy
def test_task_is_ready_when_it_has_ended(executor: Executor, place: Path, have: Any) -> None:
    have("waits")
    _, task = tasks(place, 2)
    executor.submit(task)
    if not isinstance(executor, InProcessExecutor):
        wait_for(lambda: attempts(place, 1), "the task to begin")
        assert not executor.ready(task)
    (place / "go").touch()
    wait_for(lambda: executor.ready(task), "the task to end")
    (outcome,) = executor.wait([task])
    assert outcome.error is None


@pytest.mark.parametrize("executor", ALL, indirect=True)
def test_failing_task_is_retried_and_fails_alone(executor: Executor, place: Path, have: Any) -> None:
    have("raises")
    retrying = RetryingExecutor(executor)
    submitted = tasks(place)
    for task in submitted:
        retrying.submit(task)
    outcomes = [outcome.outcomes[0] for outcome in retrying.wait(submitted)]
    assert [outcome.error for outcome in outcomes] == [None, "RuntimeError: not as a value, 3 times", None, None]
    assert [attempts(place, trial) for trial in range(4)] == [1, ATTEMPTS, 1, 1]


@pytest.mark.parametrize("executor", ALL, indirect=True)
def test_data_that_cannot_be_read_fail_no_trial(executor: Executor, place: Path, have: Any) -> None:
    have("cannot_read")
    retrying = RetryingExecutor(executor)
    submitted = tasks(place, 2)
    for task in submitted:
        retrying.submit(task)
    with pytest.raises(FileNotFoundError, match=r"units\.json"):
        retrying.wait(submitted)


@pytest.mark.parametrize("executor", PROCESSES, indirect=True)
def test_killed_worker_costs_nothing_but_another_attempt(executor: Executor, place: Path, have: Any) -> None:
    have("killed_once")
    retrying = RetryingExecutor(executor)
    submitted = tasks(place)
    for task in submitted:
        retrying.submit(task)
    outcomes = [outcome.outcomes[0] for outcome in retrying.wait(submitted)]
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert attempts(place, 1) == 2


@pytest.mark.parametrize("executor", [name for name in ALL if name != "mine"], indirect=True)  # which is never busy
def test_canceled_task_has_an_error_and_the_next_is_done(executor: Executor, place: Path, have: Any) -> None:
    have("waits")
    submitted = tasks(place, 2)
    executor.submit(submitted[1])
    if not isinstance(executor, InProcessExecutor):
        wait_for(lambda: attempts(place, 1), "the task to begin")
    executor.cancel()
    (place / "go").touch()
    (canceled,) = executor.wait([submitted[1]])
    executor.submit(submitted[0])
    (done,) = executor.wait([submitted[0]])
    assert canceled.error is not None
    assert canceled.error.kind is FailureKind.CANCELED
    assert done.error is None


@pytest.mark.parametrize("executor", ALL, indirect=True)
def test_close_leaves_no_process(executor: Executor, place: Path, have: Any) -> None:
    have("none")
    submitted = tasks(place)
    for task in submitted:
        executor.submit(task)
    executor.wait(submitted[:1])
    executor.close()
    assert multiprocessing.active_children() == []
    (outcome,) = executor.wait(submitted[3:])
    assert outcome.error is None or outcome.error.kind is FailureKind.CANCELED


@pytest.mark.slow
def test_multiprocessing_after_ray_is_joblibs_own(ray: Backend, place: Path, have: Any) -> None:
    have("none")
    own = PicklingPool.__bases__
    (task,) = tasks(place, 1)
    with closing(JoblibExecutor(ray)) as executor:
        executor.submit(task)
        executor.wait([task])
        assert PicklingPool.__bases__ != own
    assert PicklingPool.__bases__ == own


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mine", "threading", "multiprocessing"])
def test_backend_around_a_study_gives_the_same_trials(tmp_path: Path, name: str) -> None:
    spec = spec_with(search="trials = 6\nin_flight = 4")
    alone = run_local(spec, tmp_path / "alone", jobs=1)
    registered("mine")
    search = parse_spec(spec, "spec").search
    with joblib.parallel_config(backend=name, n_jobs=2):
        assert isinstance(Workers.of(search, None).backend, ConfiguredBackend)
        there = run_local(spec, tmp_path / "there", jobs=None)
    assert [row.fingerprint for row in there.trials] == [row.fingerprint for row in alone.trials]


def test_number_of_jobs_is_that_of_joblib_unless_it_is_given() -> None:
    with joblib.parallel_config(n_jobs=3):
        assert find_configured(None) == (None, 3)
        assert find_configured(2) == (None, 2)
    with joblib.parallel_config(backend="threading", n_jobs=1):
        assert find_configured(None) == (None, 1)


def test_backend_without_callbacks_for_results_is_asked_for_them(place: Path, have: Any) -> None:
    class Older(Instant):
        supports_retrieve_callback = False

        def retrieve_result(self, out: Any, timeout: Any = None) -> Any:  # noqa: ARG002
            return out.result()

    have("raises")
    submitted = tasks(place)
    with closing(JoblibExecutor(ConfiguredBackend(Older(), 2))) as executor:
        for task in submitted:
            executor.submit(task)
        errors = [outcome.error and outcome.error.message for outcome in executor.wait(submitted)]
    assert errors == [None, "RuntimeError: not as a value", None, None]


@pytest.mark.parametrize("name", [pytest.param("loky", marks=slow), *LOCAL[2:], *PROCESSES[1:]])
def test_workers_compute_a_metric_that_only_this_process_registered(
    name: str, request: pytest.FixtureRequest, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))
    offset = 2.0
    register_metric(
        lambda y_true, y_pred: float((y_true == y_pred).mean()) + offset,  # neither worker can import it
        name="raised",
        direction="maximize",
        task="classification",
    )
    generator = np.random.default_rng(0)
    X = generator.standard_normal((2, 20)).astype(np.float32)
    Y = (X[:1] > 0).astype(np.float32)
    write_data(place, [Fold(X, Y, X, Y)])
    settings = TrainingSettings(learning_rate=0.1, iterations=4)
    extensions = Extensions((METRICS["raised"],))
    chunks = [
        TrainingChunk(trial, state, 4, (4,), ("accuracy", "raised"), str(place), 1.0, extensions)
        for trial in range(3)
        for state in [start(Architecture((2, 1)), settings, seeds=[trial], dtype=np.float32)]
    ]
    with ExitStack() as stack:
        if name == "loky":
            backend = None
        elif name == "dask":
            cluster: DaskCluster = request.getfixturevalue("dask")
            cluster.have_workers(2)
            backend = stack.enter_context(connect("dask", scheduler=cluster.address))
        else:
            backend = request.getfixturevalue("ray") if name == "ray" else registered(name)
        outcomes = stack.enter_context(Workers(2, backend=backend)).run(chunks)
    for outcome in outcomes.values():
        assert outcome.error is None
        assert outcome.train is not None
        assert outcome.train["raised"] == [outcome.train["accuracy"][0] + offset]  # type: ignore[operator]
