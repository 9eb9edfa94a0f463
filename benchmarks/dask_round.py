"""Measure the overhead of a round on Dask: 8 open trials of a 64-64-32-10 network on digits.

    python benchmarks/dask_round.py [--rounds 60] [--workers 2] [--json FILE]

The benchmark starts its own scheduler and worker processes, as in tests/support/dask_cluster.py. Trials are in two
groups that take turns, as in a search: while the results of one group come back, the workers train the other. A round
processes both groups once. Its overhead is its time minus the time that workers spend in its chunks, divided by the
number of workers. The time of a worker is measured both as wall-clock time and as the CPU time of its thread. The
latter also counts as overhead the CPU time that dask's own threads, the scheduler and the coordinator use meanwhile. A
chunk is as long as in a study of these networks. The first round, in which the data is sent, is not counted.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from engine.remote import run_chunks_remotely
from engine.training_chunk import Outcome, TrainingChunk
from engine.worker_data import PackedData
from study.data import load
from study.execution import Workers, connect
from study.ledger.home import Home
from study.search.coordinator import GROUPS
from study.search.objective import Objective
from study.spec import parse_spec

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests"))

from support.dask_cluster import start_cluster  # noqa: E402

IN_FLIGHT = 8
PARAMS = {"learning_rate": 0.01, "units_1": 64, "units_2": 32}
SPEC = """
name = "digits"
[data]
source = "sklearn:digits"
split = [0.6, 0.2, 0.2]
[space]
learning_rate = { low = 1e-3, high = 1.0, log = true }
iterations = 1000
depth = 2
units = { low = 8, high = 64 }
activation = "relu"
[search]
in_flight = 8
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the results")
    chosen = parser.parse_args()
    found = measure(chosen.rounds, chosen.workers)
    print(describe(found))
    if chosen.json:
        chosen.json.write_text(json.dumps(found))


def describe(found: dict[str, Any]) -> str:
    """Return the results of `measure` in one line."""
    return (
        f"{found['rounds']} rounds of {IN_FLIGHT} chunks on {found['workers']} dask workers: "
        f"{1000 * found['round']:.0f} ms per round, of which {1000 * found['overhead']:.0f} ms are not in chunks, "
        f"and for {1000 * found['idle']:.0f} ms no core works on chunks (medians)"
    )


def measure(rounds: int, workers: int) -> dict[str, Any]:
    """Return the median seconds of a round, and of its overhead by wall-clock time and by CPU time."""
    with tempfile.TemporaryDirectory() as place:
        spec = parse_spec(SPEC, "digits.toml")
        home = Home(Path(place) / "home")
        objective = Objective(spec, (load(spec.data, Path(place)),), home.folder(spec.name))
        objective.write_data()
        (Path(place) / "dask").mkdir()
        with (
            start_cluster(Path(place) / "dask", workers) as dask,
            connect("dask", scheduler=dask.address) as cluster,
            Workers(workers, backend=cluster) as pool,
        ):
            groups = first_chunks(objective)
            by_processor = take_turns(groups, pool, rounds + 1)[1:]
            with patch("study.execution.joblib_backend.run_chunks_remotely", work_by_the_clock):
                by_clock = take_turns(groups, pool, rounds + 1)[1:]
    return {
        "workers": workers,
        "rounds": rounds,
        "round": statistics.median(seconds for seconds, _ in by_clock),
        "overhead": statistics.median(seconds - worked / workers for seconds, worked in by_clock),
        "idle": statistics.median(seconds - worked / workers for seconds, worked in by_processor),
    }


def work_by_the_clock(chunks: Sequence[TrainingChunk], packed: PackedData) -> list[Outcome]:
    """Run chunks like `run_chunks_remotely`, but return wall-clock seconds. cloudpickle sends `__main__` by value."""
    began = time.perf_counter()
    outcomes = run_chunks_remotely(chunks, packed)
    seconds = (time.perf_counter() - began) / len(chunks)
    return [replace(outcome, seconds=seconds) for outcome in outcomes]


def first_chunks(objective: Objective) -> list[list[TrainingChunk]]:
    """Return the first chunks of the trials, in two groups."""
    trials = [objective.open(number, PARAMS) for number in range(IN_FLIGHT)]
    sizes = trials[0].state.architecture.layer_sizes
    if sizes != (64, 64, 32, 10):
        raise RuntimeError(f"the network is {sizes}")
    chunks = [objective.next_chunk(trial) for trial in trials]
    return [chunks[group::GROUPS] for group in range(GROUPS)]


def take_turns(groups: list[list[TrainingChunk]], pool: Workers, rounds: int) -> list[tuple[float, float]]:
    """Return the seconds of each round, and the seconds that workers worked in it."""
    taken = []
    under_way = [pool.submit(chunks) for chunks in groups]
    for _ in range(rounds):
        began, worked = time.perf_counter(), 0.0
        for group, chunks in enumerate(groups):
            outcomes = pool.collect(under_way[group]).values()
            under_way[group] = pool.submit(chunks)
            failed = [outcome.error for outcome in outcomes if outcome.error]
            if failed:
                raise RuntimeError(failed[0])
            worked += sum(outcome.seconds for outcome in outcomes)
        taken.append((time.perf_counter() - began, worked))
    return taken


if __name__ == "__main__":
    main()
