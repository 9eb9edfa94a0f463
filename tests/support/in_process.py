"""A study run in the test's own process, without MLflow: milliseconds instead of seconds."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from support.small_study import SMALL

from study import holding
from study.clusters import Cluster
from study.data import load, load_folds
from study.home import Home
from study.ledger import Ledger, quiet_optuna
from study.results import Summary, summarize_ledger
from study.search.coordinator import Listener, Search
from study.search.objective import Objective, direction_of
from study.search.stopping import Budget
from study.spec import parse_spec
from study.workers import Workers


def spec_with(search: str = "", data: str = "", space: str = "", text: str = SMALL) -> str:
    """Return the small spec with more lines in its tables; a key that is there already is replaced."""
    wanted = {"data": data, "space": space, "search": search}
    keys = {table: {line.partition("=")[0].strip() for line in lines.splitlines()} for table, lines in wanted.items()}
    out, table = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            table = line.strip("[]")
            out += [line, wanted.get(table, "")]
        elif line.partition("=")[0].strip() not in keys.get(table, set()):
            out.append(line)
    return "\n".join(out)


def run_local(
    text: str,
    folder: Path,
    *,
    jobs: int = 1,
    stop: Callable[[], bool] = lambda: False,
    base: Path | None = None,
    storage: str | None = None,
    cluster: Cluster | None = None,
) -> Summary:
    """Run a spec, or go on with it, in a home and a storage; return what came out."""
    spec = parse_spec(text, "test.toml")
    place = Home(folder, storage).folder(spec.name)
    base = base or folder
    datasets = load_folds(spec.data, base) if spec.data.folds else (load(spec.data, base),)
    objective = Objective(spec, datasets, place)
    with quiet_optuna(), holding.hold(place, spec.name) if storage else nullcontext() as held:
        ledger = Ledger(place, spec.name, [direction_of(name) for name in objective.objectives], held)
        if storage:
            ledger.claim_format()  # by which a database's studies are known
        ledger.set(trials=spec.search.trials, metric=objective.metric, objectives=list(objective.objectives))
        objective.write_data()
        budget = Budget(
            spec.search.trials, spec.search.work, spec.search.stop_after, maximize=ledger.direction == "maximize"
        )
        enqueued = [dict(setting) for setting in spec.search.enqueue]
        search = Search(objective, ledger, budget, enqueued, Listener(stop=stop))
        with Workers.of(spec.search, jobs, cluster) as workers:
            search.run(workers)
        if not search.open:
            ledger.set(ended=search.ended)
        return summarize_ledger(ledger, place)
