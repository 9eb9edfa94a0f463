"""What a round on dask costs over the work in it: 8 trials of a 64-64-32-10 network in flight, on digits.

    python benchmarks/dask_round.py [--rounds 60] [--workers 2]

A scheduler and worker processes of its own, as in tests/study/dask_cluster.py. The overhead of a round is the time from
handing it out until all is back, less the workers' own seconds divided by the number of workers. A quantum is as long
as in a study of these networks. The first round, with which data are sent, does not count.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# A script's own folder comes first on the path, and there "engine" is another script.
HERE = Path(__file__).resolve().parent
sys.path[:] = [place for place in sys.path if Path(place).resolve() != HERE]

from study.clusters import connect  # noqa: E402
from study.data import load  # noqa: E402
from study.home import Home  # noqa: E402
from study.objective import Objective  # noqa: E402
from study.spec import parse_spec  # noqa: E402
from study.workers import Workers  # noqa: E402

sys.path += [str(HERE), str(HERE.parent / "tests/study")]

from dask_cluster import start_cluster  # noqa: E402

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
    chosen = parser.parse_args()
    print(describe(measure(chosen.rounds, chosen.workers)))


def describe(found: dict[str, Any]) -> str:
    """Return in a line what `measure` found."""
    return (
        f"{found['rounds']} rounds of {IN_FLIGHT} quanta on {found['workers']} dask workers: "
        f"{1000 * found['round']:.0f} ms a round, {1000 * found['overhead']:.0f} ms of them overhead (medians)"
    )


def measure(rounds: int, workers: int) -> dict[str, Any]:
    """Return the median seconds of a round, and of its overhead."""
    with tempfile.TemporaryDirectory() as place:
        spec = parse_spec(SPEC, "digits.toml")
        home = Home(Path(place) / "home")
        objective = Objective(spec, (load(spec.data, Path(place)),), home.folder(spec.name))
        objective.write_data()
        (Path(place) / "dask").mkdir()
        with (
            start_cluster(Path(place) / "dask", workers) as dask,
            connect("dask", scheduler=dask.address) as cluster,
            Workers(workers, cluster=cluster) as pool,
        ):
            taken = [one_round(objective, pool, workers) for _ in range(rounds + 1)]
    spent, overheads = zip(*taken[1:], strict=True)
    return {
        "workers": workers,
        "rounds": rounds,
        "round": statistics.median(spent),
        "overhead": statistics.median(overheads),
    }


def one_round(objective: Objective, pool: Workers, workers: int) -> tuple[float, float]:
    """Return the seconds of a round with the first quanta of so many trials, and those that are not their work."""
    trials = [objective.open(number, PARAMS) for number in range(IN_FLIGHT)]
    sizes = trials[0].state.architecture.layer_sizes
    if sizes != (64, 64, 32, 10):
        raise RuntimeError(f"the network is {sizes}")
    quanta = [objective.quantum(trial) for trial in trials]
    began = time.perf_counter()
    outcomes = pool.collect(pool.submit(quanta)).values()
    spent = time.perf_counter() - began
    failed = [outcome.error for outcome in outcomes if outcome.error]
    if failed:
        raise RuntimeError(failed[0])
    return spent, spent - sum(outcome.seconds for outcome in outcomes) / workers


if __name__ == "__main__":
    main()
