"""Measure the cost of a trial to the coordinator, with a journal and PostgreSQL, and simulate many workers.

    python benchmarks/scaling.py [--trials 10 100 1000 10000] [--workers 1 2 4 8] [--storages journal postgresql]
        [--sampler tpe] [--check 1 2 4 8] [--rounds 60] [--json FILE]

Costs are measured in a study whose workers take no time: each chunk is finished when it is submitted, and its time is
not counted. A value "at 1,000 trials" is the mean over the previous hundred trials. Earlier trials are drawn at random,
which takes less time and gives a ledger of the same size. Export is the mean over all trials of the study with the
first number of workers, on which it does not depend. Beyond 1,000 trials, only the smallest and the largest number of
workers are measured. The simulation only uses these costs, and that two groups of trials take turns. --check runs
digits with the given numbers of workers, which pause for four times as long as they work so that a few cores suffice
for all of them, and prints predicted and real seconds. --rounds is passed to `dask_round.py`. The results are only
meaningful if nothing else runs on the machine. Everything takes most of an hour.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from machine import keep
from rich.console import Console
from rich.table import Table
from simulated_cluster import Costs, simulate

from engine.training_chunk import Outcome, TrainingChunk, run_chunk
from study.data import load
from study.execution import Workers
from study.execution.backends import ConfiguredBackend
from study.ledger.home import Home
from study.ledger.ledger import RESULT, ROUND, Ledger, quiet_optuna
from study.ledger.versions import installed_versions
from study.run import Progress, run
from study.search import Listener, Search, coordinator
from study.search.objective import Objective, direction_of
from study.search.proposals import Proposer
from study.search.samplers import make_sampler
from study.search.stopping import Budget
from study.spec import parse_spec
from study.spec.search import SearchSpec
from study.tracking.sync import sync

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests"))

from support.instant_cluster import Instant  # noqa: E402

PACKAGES = ("optuna", "mlflow", "sqlalchemy", "psycopg", "distributed", "numpy")
PARTS = ("ask", "tell", "checkpoint", "export")
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
LENGTHS = (0.1, 1.0, 10.0, 100.0)  # seconds per trial
CHUNKS_PER_TRIAL = 8
PAUSE = 4.0  # pause of a worker as a multiple of its work, in real runs that are compared with the simulation
MANY = 1000  # number of trials beyond which a measurement takes minutes
SPEC = """
name = "scaling"
[data]
source = "synthetic:planar_flower"
split = [0.6, 0.2, 0.2]
[space]
learning_rate = {{ low = 1e-2, high = 2.0, log = true }}
iterations    = 20
depth         = {{ low = 0, high = 2 }}
units         = {{ low = 2, high = 8, log = true }}
activation    = ["relu", "tanh"]
[search]
trials = {trials}
in_flight = {in_flight}
sampler = "{sampler}"
pruner = "median"
metric = "accuracy"
"""
DIGITS = """
name = "digits"
[data]
source = "sklearn:digits"
split = [0.6, 0.2, 0.2]
[space]
learning_rate = {{ low = 1e-2, high = 1.0, log = true }}
iterations    = 400
depth         = 2
units         = {{ low = 32, high = 64, log = true }}
activation    = ["relu", "tanh"]
[search]
trials = {trials}
in_flight = {in_flight}
pruner = "none"
metric = "accuracy"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", nargs="*", type=int, default=[10, 100, 1000, 10000])
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--storages", nargs="*", choices=["journal", "postgresql"], default=["journal", "postgresql"])
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--check", nargs="*", type=int, default=[], help="run digits with these numbers of workers")
    parser.add_argument("--rounds", type=int, default=0, help="number of rounds on a Dask cluster")
    parser.add_argument("--json", type=Path, help="file for the results")
    chosen = parser.parse_args()
    console, found = Console(), dict[str, Any]()
    with tempfile.TemporaryDirectory() as place:
        found["costs"] = measure_all(Path(place), chosen, console)
        print_costs(console, found["costs"])
        found["feeds"] = predict_all(found["costs"])
        print_feeds(console, found["feeds"])
        if chosen.check:
            costs = next(row for row in found["costs"] if row["storage"] == "journal" and row["trials"] >= 10)
            found["check"] = [check(Path(place), count, costs_of(costs)) for count in chosen.check]
            print_check(console, found["check"])
    if chosen.rounds:
        found["dask_round"] = measure_dask(chosen.rounds)
    if chosen.json:
        keep(chosen.json, installed_versions(PACKAGES), found)


def measure_dask(rounds: int) -> dict[str, Any]:
    """Return the results of `dask_round.py`, run as a separate process so that its functions are in `__main__`."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "round.json"
        script = [sys.executable, str(HERE / "dask_round.py"), "--rounds", str(rounds), "--json", str(file)]
        subprocess.run(script, check=True)
        return dict(json.loads(file.read_text()))


class Watch:
    """Adds up the seconds of functions, without counting those of nested functions twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def over(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            self._inner.append(0.0)
            started = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                spent = time.perf_counter() - started
                self.seconds[part] += spent - self._inner.pop()
                self._inner[-1] += spent

        return timed


def measure_all(place: Path, chosen: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """Return the coordinator's seconds per trial, by storage, workers and trials."""
    rows = []
    with ExitStack() as servers:
        for kind in chosen.storages:
            server = None
            if kind == "postgresql":
                from postgres import start_server

                server = servers.enter_context(start_server())
            for workers in chosen.workers:
                address = None if server is None else server.make_database()
                home = Home(place / f"{kind}-{workers}", address)
                ends = workers in (min(chosen.workers), max(chosen.workers))
                found = measure(home, workers, [n for n in chosen.trials if n <= MANY or ends], chosen.sampler)
                console.print(f"{kind}, {workers} workers: measured")
                if workers == chosen.workers[0]:
                    export = export_seconds(home)
                rows += [{"storage": kind, "workers": workers, **row, "export": export} for row in found]
    return rows


def measure(home: Home, workers: int, marks: Sequence[int], sampler: str) -> list[dict[str, Any]]:
    """Return the seconds per trial of each part, at each number of trials."""
    home.make()
    path = home.path / "scaling.toml"
    path.write_text(SPEC.format(trials=max(marks), in_flight=2 * workers, sampler=sampler))
    watch = Watch()
    seen = [(0, dict[str, float]())]  # number of finished trials and seconds of each part, at the end of each round
    finished = 0

    def count(*_: object) -> None:
        nonlocal finished
        finished += 1

    class Looking(Instant):
        def submit(self, func: Any, callback: Any = None) -> "Future[Any]":
            if finished > seen[-1][0]:
                seen.append((finished, dict(watch.seconds)))
            return super().submit(func, callback)

    progress = Progress(begun=lambda *_: None, finished=count, said=lambda _: None)
    with ExitStack() as patches:
        parts = (
            ("ask", Proposer, "propose"),
            ("ask", Search, "_begin"),
            ("checkpoint", Search, "_checkpoint"),
            ("tell", coordinator, "decide"),
            ("tell", Search, "apply"),
        )
        for part, owner, name in parts:
            patches.enter_context(patch.object(owner, name, watch.over(part, getattr(owner, name))))
        patches.enter_context(patch("study.search.proposals.make_sampler", sampler_near(marks, workers)))
        crew = Workers(workers, backend=ConfiguredBackend(Looking(workers), workers))
        run(path, home, workers=crew, exporter=None, progress=progress)
    seen.append((finished, dict(watch.seconds)))
    rows = []
    for mark in marks:
        first = first_of(mark, workers)
        ends = [count for count, _ in seen]
        spent = {}
        for part in PARTS[:3]:
            until = np.interp([first, mark], ends, [seconds.get(part, 0.0) for _, seconds in seen])
            spent[part] = float(until[1] - until[0]) / (mark - first)
        rows.append({"trials": mark, **spent})
    return rows


def first_of(mark: int, workers: int) -> int:
    """Return the first trial of a mean over 100 trials, or a tenth, but at least twice the number of open trials."""
    return max(0, mark - max(min(100, mark // 10), 4 * workers))


def sampler_near(marks: Sequence[int], workers: int) -> Callable[..., Any]:
    """Return a factory of samplers: the spec's sampler for measured trials, and random ones for the others."""

    def make(search: SearchSpec, seed: int, number: int, attempt: int = 0) -> Any:
        near = any(first_of(mark, workers) <= number <= mark + 2 * workers for mark in marks)
        return make_sampler(search if near else search.model_copy(update={"sampler": "random"}), seed, number, attempt)

    return make


def export_seconds(home: Home) -> float:
    """Return the seconds per trial for writing to MLflow, which a separate process does during a run."""
    started = time.perf_counter()
    done = sync(home, "scaling")
    return (time.perf_counter() - started) / max(1, done.written)


def costs_of(row: dict[str, Any]) -> Costs:
    """Return the costs for the simulation: the coordinator's seconds for a trial and for a round."""
    return Costs(trial=row["ask"] + row["tell"] + row["checkpoint"], each_round=0.0)


def predict_all(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how busy different numbers of workers are, by storage, trials and length of a trial."""
    found = []
    widest = max(row["workers"] for row in rows)
    for row in rows:
        if row["workers"] != widest:
            continue
        for length in LENGTHS:
            busy = {
                count: simulate(
                    costs_of(row), workers=count, trials=30 * count, seconds=length, chunks=CHUNKS_PER_TRIAL
                ).busy
                for count in WORKERS
            }
            fed = max((count for count, share in busy.items() if share >= 0.9), default=0)
            found.append(
                {**{key: row[key] for key in ("storage", "trials")}, "length": length, "busy": busy, "fed": fed}
            )
    return found


def work_and_pause(chunks: Sequence[TrainingChunk]) -> list[Outcome]:
    """Run chunks with a pause after each, so that there can be more workers than cores."""
    outcomes = []
    for chunk in chunks:
        began = time.perf_counter()
        outcome = run_chunk(chunk)
        time.sleep(PAUSE * outcome.seconds)
        outcomes.append(replace(outcome, seconds=time.perf_counter() - began))
    return outcomes


def check(place: Path, workers: int, costs: Costs) -> dict[str, Any]:
    """Run digits with this number of workers, which pause; return real and predicted seconds."""
    trials = 20 * workers
    home = Home(place / f"check-{workers}")
    spec = parse_spec(DIGITS.format(trials=trials, in_flight=2 * workers), "digits.toml")
    folder = home.folder(spec.name)
    home.make()
    objective = Objective(spec, (load(spec.data, home.path),), folder)
    with quiet_optuna():
        ledger = Ledger(folder, spec.name, [direction_of(objective.metric)])
        objective.write_data()
        search = Search(objective, ledger, Budget(trials, None, None, maximize=True), [], Listener())
        started = time.perf_counter()
        with patch("study.execution.joblib_backend.run_chunks", work_and_pause), Workers(workers) as crew:
            search.run(crew)
        real = time.perf_counter() - started
        lengths = [trial.user_attrs[RESULT]["seconds"] for trial in ledger.trials()]
        rounds = ledger.attributes[ROUND]["number"]
    chunks = max(1, round(2 * rounds * workers / trials))
    mean = statistics.mean(lengths)
    predicted = simulate(costs, workers=workers, trials=trials, seconds=mean, chunks=chunks).seconds
    return {"workers": workers, "trials": trials, "trial": mean, "real": real, "predicted": predicted}


def print_costs(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    table = Table(title="Milliseconds of the coordinator per trial", title_justify="left")
    for heading in ("storage", "workers", "trials", *PARTS):
        table.add_column(heading, justify="left" if heading == "storage" else "right")
    for row in rows:
        cells = [f"{1000 * row[part]:.1f}" for part in PARTS]
        table.add_row(row["storage"], str(row["workers"]), f"{row['trials']:,}", *cells)
    console.print(table)


def print_feeds(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    table = Table(title="Workers that one coordinator can keep busy 90% of the time", title_justify="left")
    for heading in ("storage", "trials", *(f"trials of {length:g} s" for length in LENGTHS)):
        table.add_column(heading, justify="left" if heading == "storage" else "right")
    for storage, trials in dict.fromkeys((row["storage"], row["trials"]) for row in rows):
        fed = [row["fed"] for row in rows if (row["storage"], row["trials"]) == (storage, trials)]
        table.add_row(storage, f"{trials:,}", *map(str, fed))
    console.print(table)


def print_check(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    table = Table(title="Real runs on digits compared with the simulation", title_justify="left")
    for heading in ("workers", "trials", "seconds per trial", "real", "predicted", "ratio"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row["workers"]),
            str(row["trials"]),
            f"{row['trial']:.2f}",
            f"{row['real']:.1f}",
            f"{row['predicted']:.1f}",
            f"{row['predicted'] / row['real']:.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
