"""Studies that run in the test's own process without MLflow, in milliseconds instead of seconds."""

from collections.abc import Callable
from pathlib import Path

from support.small_study import SMALL

from study.execution import Workers
from study.execution.clusters import Cluster
from study.ledger.home import Home
from study.ledger.results import Summary
from study.search import Listener, Search
from study.search.session import StudySession
from study.search.stopping import Budget
from study.spec import DeclaredSpec


def spec_with(search: str = "", data: str = "", space: str = "", text: str = SMALL) -> str:
    """Return the small spec with additional lines in its tables; existing keys are replaced."""
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
    jobs: int | None = 1,
    stop: Callable[[], bool] = lambda: False,
    base: Path | None = None,
    storage: str | None = None,
    cluster: Cluster | None = None,
) -> Summary:
    """Run or resume a spec in a home and a storage; return the result."""
    session = local_session(text, folder, base, storage)
    search, objective = session.spec.search, session.objective
    with session.writing():
        ledger = session.ledger
        if storage:
            ledger.claim_format()  # studies in a database are known by it
        ledger.set(trials=search.trials, metric=objective.metric, objectives=list(objective.objectives))
        objective.write_data()
        budget = Budget(search.trials, search.work, search.stop_after, maximize=ledger.direction == "maximize")
        enqueued = [dict(setting) for setting in search.enqueue]
        searching = Search(objective, ledger, budget, enqueued, Listener(stop=stop))
        with Workers.of(search, jobs, cluster) as workers:
            searching.run(workers)
        if not searching.open:
            ledger.set(ended=searching.ended)
        return session.summary


def local_session(text: str, folder: Path, base: Path | None = None, storage: str | None = None) -> StudySession:
    """Return a session for the text of a spec; `base` is the folder of its data, by default the home."""
    declared = DeclaredSpec.parse(text, base or folder, "test.toml")
    return StudySession(Home(folder, storage).folder(declared.spec.name), declared)
