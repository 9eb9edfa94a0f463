"""Compare the run times that `study plan` estimates for three studies with the real ones, with one job and with two.

    python benchmarks/plan.py [--constants] [--studies digits breast_cancer planar_flower] [--jobs 1 2]

Each study, including [confirm], is run from the command line in an empty home, right after its plan. The ratio of
expected to real seconds should be from 0.65 to 1.35; it is only meaningful if nothing else runs on the machine. Before
that, --constants measures the constants of `study/planning/forecast.py` and prints them next to the current values.
Everything takes about four minutes.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from study.data import load
from study.execution import Workers
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import RESULT, ROUND, Ledger
from study.planning.plan import draw_trials, forecast, make_plan
from study.planning.plan import throughput as calibration
from study.search.objective import Objective
from study.spec import parse_spec

SPEC = Path(__file__).resolve().parent.parent / "experiments/digits.toml"
SOURCES = {
    "digits": "sklearn:digits",
    "breast_cancer": "sklearn:breast_cancer",
    "planar_flower": "synthetic:planar_flower",
}
TRIALS = 60
REPEATS = 3
WITHIN = 0.35


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--constants", action="store_true", help="also measure the constants of study/planning/forecast.py"
    )
    parser.add_argument("--studies", nargs="*", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--jobs", nargs="*", type=int, default=[1, 2])
    chosen = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as place:
        if chosen.constants:
            measure_constants(console, Path(place))
        compare(console, Path(place), chosen.studies, chosen.jobs)


def compare(console: Console, place: Path, studies: Sequence[str], jobs: Sequence[int]) -> None:
    """Print the expected and real seconds of each study, and the share of the work that remains after pruning."""
    if not studies or not jobs:
        return
    table = Table(title="Seconds of a study of 60 trials", title_justify="left")
    for heading in ("study", "jobs", "expected", "real", "ratio", f"within {WITHIN:.0%}", "kept", "assumed"):
        table.add_column(heading, justify="left" if heading == "study" else "right")
    for name in studies:
        spec = write_spec(place / f"{name}.toml", name)
        for count in jobs:
            expected = make_plan(spec, count)
            home = place / f"home-{name}-{count}"
            real = run(spec, home, jobs=count)
            ratio = expected.times[count] / real
            cells = [f"{expected.times[count]:.1f}", f"{real:.1f}", f"{ratio:.2f}"]
            cells.append("yes" if abs(ratio - 1) <= WITHIN else "NO")
            table.add_row(name, str(count), *cells, f"{share_kept(home, name):.2f}", f"{expected.kept:.2f}")
    console.print(table)


def measure_constants(console: Console, place: Path) -> None:
    """Print the constants of `study.planning.forecast`, relative to the speed of Python, and their current values."""
    slowness = calibration._python() / calibration.PYTHON
    measured = coordinator_seconds(place) | tracking_seconds(place) | worker_seconds(place)
    table = Table(
        title=f"Constants of study/planning/forecast.py\n(Python takes {slowness:.2f} times as long here)",
        title_justify="left",
    )
    for heading in ("constant", "measured", "current"):
        table.add_column(heading, justify="left" if heading == "constant" else "right")
    for name, seconds in measured.items():
        table.add_row(name, f"{seconds / slowness:.4f}", f"{getattr(forecast, name):.4f}")
    console.print(table)


def coordinator_seconds(place: Path) -> dict[str, float]:
    """Return START, TRIAL and ROUND, from runs without MLflow in one process, with in_flight = 1 and 8."""
    counts, left, starts = [], [], []
    for in_flight in (1, 8):
        spec = write_spec(place / f"alone{in_flight}.toml", f"alone{in_flight}", in_flight=in_flight, confirm=False)
        home = place / f"home-alone{in_flight}"
        whole = run(spec, home, jobs=1, tracked=False)
        starts += [
            run(spec, home, jobs=1, tracked=False) for _ in range(REPEATS)
        ]  # everything is done, so the run only starts and ends
        trials, attributes = read(home, f"alone{in_flight}")
        counts.append((len(trials), attributes[ROUND]["number"]))
        left.append(whole - statistics.median(starts) - sum(result["seconds"] for _, result in trials))
    (trial, each_round), _ = nnls(np.array(counts, dtype=float), np.array(left))
    return {"START": statistics.median(starts), "TRIAL": float(trial), "ROUND": float(each_round)}


def tracking_seconds(place: Path) -> dict[str, float]:
    """Return MLFLOW and EXPORT, from the additional CPU seconds of finished studies that are not yet in MLflow."""
    counts, seconds = (10, TRIALS), []
    for count in counts:
        name = f"unseen{count}"
        spec = write_spec(place / f"{name}.toml", name, trials=count, confirm=False)
        home = place / f"home-{name}"
        run(spec, home, jobs=1, tracked=False)
        more = []
        for again in range(REPEATS):
            unseen = place / f"home-{name}-{again}"
            shutil.copytree(home, unseen)
            alone = processor_seconds(lambda: run(spec, home, jobs=1, tracked=False))  # noqa: B023 - called immediately
            more.append(processor_seconds(lambda: run(spec, unseen, jobs=1)) - alone)  # noqa: B023
        seconds.append(statistics.median(more))
    export = (seconds[1] - seconds[0]) / (counts[1] - counts[0])
    return {"MLFLOW": seconds[0] - counts[0] * export, "EXPORT": export}


def processor_seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of the processes that a call starts and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def worker_seconds(place: Path, rounds: int = 50) -> dict[str, float]:
    """Return WORKERS and TASK, from rounds of eight chunks of one iteration each."""
    spec = parse_spec(write_spec(place / "workers.toml", "planar_flower").read_text(), "workers.toml")
    objective = Objective(spec, (load(spec.data, place),), StudyFolder(place / "workers"))
    objective.write_data()
    chunks = [objective.next_chunk(trial.open(objective), 1) for trial in draw_trials(objective, 8)]
    with Workers(2) as workers:
        began = time.perf_counter()
        workers.run(chunks)
        first = time.perf_counter() - began
        for _ in range(rounds):
            workers.run(chunks)
        each = (time.perf_counter() - began - first) / rounds
    return {"WORKERS": first - each, "TASK": each * 2 / len(chunks)}


def write_spec(path: Path, name: str, *, trials: int = TRIALS, in_flight: int = 8, confirm: bool = True) -> Path:
    """Write the default spec with another name and source; names that are not in SOURCES get the flower."""
    text = SPEC.read_text(encoding="utf-8")
    text = text.replace('name = "digits"', f'name = "{name}"')
    text = text.replace('"sklearn:digits"', f'"{SOURCES.get(name, "synthetic:planar_flower")}"')
    text = text.replace("trials = 60", f"trials = {trials}\nin_flight = {in_flight}")
    path.write_text(text if confirm else text.partition("[confirm]")[0], encoding="utf-8")
    return path


def run(spec: Path, home: Path, *, jobs: int, tracked: bool = True) -> float:
    """Run a study in a separate process; return its wall-clock seconds."""
    command = [sys.executable, "-m", "study.cli.main", "run", str(spec), "--home", str(home), "--jobs", str(jobs)]
    command += [] if tracked else ["--no-tracking"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STUDY_"))}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def read(home: Path, name: str) -> tuple[list[tuple[dict[str, float], dict[str, float]]], dict[str, dict[str, int]]]:
    """Return the parameters and the result of each trial, and the attributes of the study."""
    ledger = Ledger(Home(home).folder(name), name)
    return [(trial.params, trial.user_attrs[RESULT]) for trial in ledger.trials()], ledger.attributes


def share_kept(home: Path, name: str) -> float:
    """Return the work that was done as a share of the work of training every trial to its end."""
    trials, _ = read(home, name)
    done = [result["work"] for _, result in trials]
    whole = [
        result["work"] * params["iterations"] / result["iterations"] for params, result in trials if result["work"]
    ]
    return sum(done) / sum(whole)


if __name__ == "__main__":
    main()
