"""Each chunk has an outcome, whatever happens to the worker process that does it, and no other pays for it."""

import concurrent.futures
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib.parallel import BACKENDS, ThreadingBackend
from support import troubled_work
from support.instant_cluster import Instant
from support.processes import fate, gone, send, workers_of
from support.troubled_work import attempts, last_process
from support.waiting import wait_for
from threadpoolctl import threadpool_info

from engine import Architecture, TrainingSettings, start
from engine.training_chunk import Outcome, TrainingChunk
from engine.worker_data import write_data
from study.errors import MachineError, UserError
from study.execution import Workers, in_process, joblib_backend
from study.execution.backends import ConfiguredBackend
from study.execution.in_process import InProcessExecutor
from study.execution.joblib_backend import PATIENCE
from study.execution.retry import ATTEMPTS
from study.execution.workers import LEAST_MEMORY, shares


def make_chunk(trial: int, place: Path, until: int = 1) -> TrainingChunk:
    settings = TrainingSettings(learning_rate=0.1, iterations=10)
    state = start(Architecture((2, 1)), settings, seeds=[trial], dtype=np.float32)
    return TrainingChunk(trial, state, until, (), (), str(place), units=until / 1000)


def stand_in(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """Have workers do chunks with a trouble, in place of `engine.training_chunk.run_chunks`."""
    for module in (in_process, joblib_backend):
        monkeypatch.setattr(module, "run_chunks", partial(troubled_work.do, trouble))


def count_only_while_stuck(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """Have a second of patience pass at once where trial 1 alone is under way, and not at all elsewhere.

    So no seconds are waited for, and on a busy machine nobody who is about to begin counts as stuck.
    """

    def wait(futures: Iterable[Future[Any]], _: float, until: str) -> tuple[set[Future[Any]], set[Future[Any]]]:
        under_way = list(futures)
        while True:
            done, left = concurrent.futures.wait(under_way, 0.02, until)
            process = last_process(place, 1)
            if done or (len(left) == 1 and process is not None and not gone([process])):
                return done, left

    monkeypatch.setattr(joblib_backend, "wait", wait)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_come_in_the_order_of_trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: int) -> None:
    stand_in(monkeypatch, "none")
    with Workers(jobs) as crew:
        for _ in range(3):
            outcomes = crew.run([make_chunk(trial, tmp_path) for trial in (5, 1, 4, 2)])
            assert list(outcomes) == [1, 2, 4, 5]
            assert [outcome.trial for outcome in outcomes.values()] == [1, 2, 4, 5]
            assert {int(outcome.seconds) == os.getpid() for outcome in outcomes.values()} == {jobs == 1}
        assert crew.run([]) == {}


def test_the_largest_is_begun_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "none")
    chunks = [make_chunk(trial, tmp_path, until) for trial, until in ((0, 3), (1, 9), (2, 6))]
    with Workers(1, memory_limit=2 * LEAST_MEMORY) as crew:
        assert list(crew.run(chunks)) == [0, 1, 2]
    begun = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.split("-")[1]))
    assert [int(path.name.split("-")[0]) for path in begun] == [1, 2, 0]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch_is_collected_while_another_is_under_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: int
) -> None:
    stand_in(monkeypatch, "none")
    with Workers(jobs) as crew:
        first, second = (crew.submit([make_chunk(trial, tmp_path) for trial in part]) for part in ((0, 2), (1, 3)))
        assert list(crew.collect(second)) == [1, 3]
        assert list(crew.collect(first)) == [0, 2]


@pytest.mark.slow
def test_a_killed_worker_costs_the_batch_behind_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "killed_always")  # trial 1
    with Workers(2) as crew:
        first, second = (crew.submit([make_chunk(trial, tmp_path) for trial in part]) for part in ((0, 1), (2, 3)))
        outcomes = crew.collect(first) | crew.collect(second)
    assert [trial for trial, outcome in outcomes.items() if outcome.error] == [1]
    assert attempts(tmp_path, 1) == ATTEMPTS


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_blas_has_one_thread_while_the_workers_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: int
) -> None:
    stand_in(monkeypatch, "counts_threads")
    before = threadpool_info()
    with Workers(jobs) as crew:
        assert crew.run([make_chunk(1, tmp_path)])[1].seconds == 1
    assert threadpool_info() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("killed_always", "the worker was killed by SIGKILL, possibly for lack of memory, 3 times"),
        ("killed_amid_its_result", "the worker was killed by SIGKILL, possibly for lack of memory, 3 times"),
        ("leaves", "the worker was lost, possibly for lack of memory, 3 times"),
        ("is_stuck", f"the worker was stuck, with no result for {PATIENCE:.0f} s, 3 times"),
        ("asks_for_too_much_memory", "out of memory: Unable to allocate 2.00 GiB for an array"),
        ("raises", "RuntimeError: not as a value, 3 times"),
    ],
)
def test_failing_task_is_retried_three_times_and_fails_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: str, words: str
) -> None:
    stand_in(monkeypatch, trouble)
    if trouble == "is_stuck":
        count_only_while_stuck(monkeypatch, tmp_path)
    with Workers(2, memory_limit=3 * LEAST_MEMORY) as crew:
        chunks = [make_chunk(trial, tmp_path) for trial in range(8)]
        outcomes = crew.run(chunks)
        assert list(outcomes) == list(range(8))
        assert [trial for trial, outcome in outcomes.items() if outcome.error] == [1]
        assert words in str(outcomes[1].error)
        assert outcomes[1].state is chunks[1].state
        assert attempts(tmp_path, 1) == ATTEMPTS
        stand_in(monkeypatch, "none")
        assert not crew.run([make_chunk(1, tmp_path)])[1].error


@pytest.mark.slow
def test_a_worker_killed_once_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "killed_once")
    with Workers(2) as crew:
        outcomes = crew.run([make_chunk(trial, tmp_path) for trial in range(8)])
    assert {outcome.error for outcome in outcomes.values()} == {None}
    assert attempts(tmp_path, 1) == 2


@pytest.mark.slow
def test_workers_killed_between_two_rounds_are_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "none")
    with Workers(2) as crew:
        crew.run([make_chunk(trial, tmp_path) for trial in range(4)])
        send(signal.SIGKILL, workers_of(os.getpid()))
        outcomes = crew.run([make_chunk(trial, tmp_path) for trial in range(4, 8)])
    assert {outcome.error for outcome in outcomes.values()} == {None}


@pytest.mark.slow
def test_what_a_trial_raises_is_its_own_and_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "fails")
    with Workers(2) as crew:
        outcomes = crew.run([make_chunk(trial, tmp_path) for trial in range(3)])
    assert str(outcomes[1].error).endswith("ValueError: of the trial's own")
    assert attempts(tmp_path, 1) == 1


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_data_that_cannot_be_read_end_the_run_and_fail_no_trial(tmp_path: Path, jobs: int) -> None:
    with Workers(jobs) as crew, pytest.raises(FileNotFoundError, match=r"units\.json"):
        crew.run([make_chunk(trial, tmp_path) for trial in range(3)])


def test_no_worker_outlives_the_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "is_stuck")
    with pytest.raises(KeyboardInterrupt), Workers(2) as crew:
        crew.submit([make_chunk(trial, tmp_path) for trial in range(20)])
        pids = workers_of(os.getpid())
        raise KeyboardInterrupt
    assert len(pids) == 2
    assert gone(pids)


@pytest.mark.slow
def test_workers_end_though_one_was_killed_amid_its_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "killed_amid_its_result")
    with Workers(2) as crew:
        batch = crew.submit([make_chunk(1, tmp_path)])
        begun = wait_for(lambda: len(found := workers_of(os.getpid())) == 2 and found, "two workers to begin")
        wait_for(lambda: {fate(pid)[0] for pid in begun} & {"Z", "X"}, "a worker to be killed")
        assert len(batch.tasks) == 1  # nobody has waited for it
    assert gone(begun)


@pytest.mark.slow
def test_where_too_few_processes_have_begun_they_begin_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, "none")
    with Workers(3) as crew:
        crew.need(2)
        crew.run([make_chunk(trial, tmp_path) for trial in range(2)])
        begun = set(workers_of(os.getpid()))
        crew.need(8)
        outcomes = crew.run([make_chunk(trial, tmp_path) for trial in range(8)])
        assert len(workers_of(os.getpid())) == 3
    assert not {int(outcome.seconds) for outcome in outcomes.values()} & begun


@pytest.mark.parametrize(("jobs", "most"), [(1, 8), (2, 1)])
def test_for_one_chunk_at_a_time_no_process_is_begun(jobs: int, most: int, tmp_path: Path) -> None:
    crew = Workers(jobs)
    crew.need(most)
    with crew:
        crew.submit([make_chunk(0, tmp_path)])
        assert isinstance(crew.executor, InProcessExecutor)
        assert workers_of(os.getpid()) == []


def test_a_memory_limit_below_what_a_worker_needs_is_refused() -> None:
    with pytest.raises(UserError, match="must be at least 256 MB, got 100"):
        Workers(2, memory_limit=100 << 20)


def test_a_machine_without_semaphores_is_told_of_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(BACKENDS, "loky", ThreadingBackend)  # as joblib does there
    with Workers(2) as crew, pytest.raises(MachineError, match=r"no semaphores .*; use --jobs 1, which needs none"):
        crew.run([make_chunk(0, tmp_path)])


def test_a_worker_of_a_cluster_has_its_share_in_one_task(tmp_path: Path) -> None:
    chunks = [make_chunk(trial, tmp_path, until) for trial, until in ((0, 9), (1, 8), (2, 3), (3, 2), (4, 1))]
    assert [[chunk.trial for chunk in task] for task in shares(chunks, 2)] == [[0, 3, 4], [1, 2]]
    assert [[chunk.trial for chunk in task] for task in shares(chunks, 8)] == [[0], [1], [2], [3], [4]]
    assert shares([], 2) == []


def test_chunks_of_a_lost_task_are_done_again_one_by_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lost, tasks = {(0, 2), (2,)}, list[tuple[int, ...]]()

    def do(chunks: Sequence[TrainingChunk], _: object) -> list[Outcome]:
        tasks.append(tuple(chunk.trial for chunk in chunks))
        if tasks[-1] in lost:
            raise RuntimeError("gone")
        return troubled_work.do("none", chunks)

    monkeypatch.setattr(joblib_backend, "run_chunks_remotely", do)
    write_data(tmp_path, [])
    with Workers(2, backend=ConfiguredBackend(Instant(2), 2)) as crew:
        outcomes = crew.run([make_chunk(trial, tmp_path) for trial in range(4)])
    assert [outcome.error for outcome in outcomes.values()] == [None, None, "RuntimeError: gone, 3 times", None]
    assert tasks == [(0, 2), (1, 3), (0,), (2,), (2,)]


TESTS = Path(troubled_work.__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_terminals_ctrl_c_is_blocked_in_every_worker(tmp_path: Path) -> None:
    """In a process of its own, since Python's resource tracker unblocks the signal only when it first starts."""
    program = f"""
import os
import signal
from pathlib import Path
import numpy as np
from engine import Architecture, TrainingSettings, start
from engine.training_chunk import TrainingChunk
from engine.worker_data import Fold, write_data
from study.execution import JoblibExecutor, TrainingTask
from study.execution.backends import Loky
from support.processes import workers_of

X, Y = np.zeros((2, 8), np.float32), np.zeros((1, 8), np.float32)
write_data(Path({str(tmp_path)!r}), [Fold(X, Y, X, Y)])
state = start(Architecture((2, 1)), TrainingSettings(learning_rate=0.1, iterations=2))
task = TrainingTask((TrainingChunk(0, state, 1, (), (), {str(tmp_path)!r}),))
executor = JoblibExecutor(Loky(2))
executor.submit(task)
executor.wait([task])
for worker in workers_of(os.getpid()):
    status = dict(line.split(":", 1) for line in Path(f"/proc/{{worker}}/status").read_text().splitlines())
    print(bool(int(status["SigBlk"], 16) >> (signal.SIGINT - 1) & 1))
executor.close()
"""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]
