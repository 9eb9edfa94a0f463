"""`study run`, from a spec to a finished study: data, ledger, search, tracking, in this order."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from study import __version__, lease
from study.data import Dataset, load
from study.errors import UserError
from study.home import Home
from study.ledger import Ledger, quiet_optuna, repair
from study.objective import Objective, direction_of
from study.results import Summary, summarize_ledger
from study.search import Listener, Search
from study.space import fixed
from study.spec import Spec, read_spec
from study.tracking import Exporter


@dataclass(frozen=True)
class Progress:
    """Who is told how a run goes.

    Attributes:
        begun: called with (dataset, metric, direction, trials finished, trials planned) before the search.
        finished: called with (trial, state, value) after each trial.
        said: called with a line that is worth reading.
    """

    begun: Callable[[Dataset, str, str, int, int], None]
    finished: Callable[[int, str, float | None], None]
    said: Callable[[str], None]


@dataclass(frozen=True)
class RunResult:
    """How a run ended; `new` is the number of trials that it added."""

    summary: Summary
    new: int
    tracking_errors: list[str]


def run(path: Path, home: Home, *, jobs: int, trials: int | None, progress: Progress) -> RunResult:
    """Run a study to its end, or go on with one.

    Args:
        path: of the spec.
        home: where state lives.
        jobs: worker processes.
        trials: how many in the end; None takes the spec's, or more if more were asked for before.
        progress: who is told.

    Raises:
        UserError: the spec or the data cannot be used, or the study in the home is another one.
    """
    spec = read_spec(path)
    dataset = load(spec.data, path.parent)
    home.make()
    folder = home.folder(spec.name)
    objective = Objective(spec, dataset, folder)
    with lease.hold(folder.lease, spec.name), quiet_optuna():
        torn = repair(folder)
        if torn:
            progress.said(f"the ledger's last line was torn ({torn} bytes); it was cut off, nothing finished is lost")
        ledger = Ledger(folder, spec.name, direction_of(objective.metric))
        planned = _enter(ledger, spec, dataset, objective, path, trials)
        objective.write_data()
        before = sum(trial.state.is_finished() for trial in ledger.trials())
        progress.begun(dataset, objective.metric, ledger.direction, before, planned)
        with Exporter(home, folder, ledger, fixed(spec.space)) as exporter:

            def finished(number: int, state: str, value: float | None) -> None:
                exporter.submit(number)
                progress.finished(number, state, value)

            Search(objective, ledger, planned, Listener(finished)).run(jobs)
        summary = summarize_ledger(ledger, folder)
        return RunResult(summary, sum(row.state != "running" for row in summary.trials) - before, exporter.errors)


def _enter(ledger: Ledger, spec: Spec, dataset: Dataset, objective: Objective, path: Path, trials: int | None) -> int:
    """Write what identifies the study into the ledger, or check that it is the one there; return the trials planned.

    Raises:
        UserError: the data or the spec changed since the study began.
    """
    known = ledger.attributes
    identity = _identity(spec)
    if "identity" in known:
        if known["fingerprint"] != dataset.fingerprint:
            raise UserError(
                f"[data] source: {spec.data.source!r} changed since study {spec.name!r} began: its fingerprint is "
                f"{dataset.fingerprint[:12]}, was {known['fingerprint'][:12]};\n"
                "bring the old data back, or give the study another name"
            )
        changed = sorted(key for key in identity if identity[key] != known["identity"].get(key))
        if changed:
            raise UserError(
                f"{path}: {', '.join(changed)} changed since study {spec.name!r} began; "
                f"undo the change, or give the study another name"
            )
    # A number given once with --trials counts until the spec asks for more.
    raised = trials or known.get("raised", 0)
    planned = trials or max(spec.search.trials, raised)
    ledger.identify()
    ledger.set(
        identity=identity,
        spec=path.read_text(encoding="utf-8-sig"),
        description=spec.description,
        settings=fixed(spec.space),
        metric=objective.metric,
        fingerprint=dataset.fingerprint,
        parts=dataset.part_fingerprints,
        trials=planned,
        raised=raised,
        version=known.get("version", __version__),
        created=known.get("created", int(time.time() * 1000)),
    )
    return planned


def _identity(spec: Spec) -> dict[str, str]:
    """Return a digest of every part of the spec that a trial depends on; trials and confirm may change freely."""
    search = spec.search.model_dump(mode="json", exclude={"trials"})
    parts = {f"[search] {key}": value for key, value in search.items()}
    parts |= {f"[data] {key}": value for key, value in spec.data.model_dump(mode="json").items()}
    parts |= {f"[space] {key}": value for key, value in spec.space.model_dump(mode="json").items()}
    return {
        key: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16] for key, value in parts.items()
    }
