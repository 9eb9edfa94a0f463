"""`study run`, from a spec to a finished study: data, ledger, search, tracking, in this order."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.study import StudyDirection

from study import holding
from study.confirming import confirm_once
from study.data import Dataset, find_severe_warnings
from study.data.fingerprint import explain_change
from study.errors import UserError
from study.home import Home
from study.ledger import RESULT, Ledger, quiet_optuna, repair
from study.memory import check_memory
from study.origin import describe_origin
from study.reopening import load_all
from study.results import Summary, read_exports, summarize, summarize_ledger
from study.search.coordinator import Listener, Search
from study.search.objective import Objective, direction_of
from study.search.samplers import check_available
from study.search.search_space import check_setting, fixed, within
from study.search.stopping import Budget
from study.shell import command
from study.spec import Spec, read_spec
from study.tracking.exporter import Exporter
from study.versions import installed_versions
from study.workers import Workers

WARM = 5  # settings that another study gives to begin with


@dataclass(frozen=True)
class Progress:
    """Who is told how a run goes.

    Attributes:
        begun: called with (the dataset, or one for each fold; metric, direction, trials finished, trials planned, best
            value so far or None) before the search.
        finished: called with (trial, state, value) after each trial.
        said: called with a line that is worth reading.
        ended: called with the result when the search has ended, before MLflow is waited for.
        confirming: called with the share of the work of confirming the best that is done, 0 to 1.
    """

    begun: Callable[[tuple[Dataset, ...], str, str, int, int, float | None], None]
    finished: Callable[[int, str, float | None], None]
    said: Callable[[str], None]
    ended: Callable[["RunResult"], None] = field(default=lambda _: None)
    confirming: Callable[[float], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        summary: of the study as it stands.
        new: trials that this run added.
        untracked: finished trials that have no run in MLflow, and should have.
        tracking_error: what kept them out, None where nothing did.
        confirmed: outcome of confirming the best, where the spec wants it and the search is complete.
    """

    summary: Summary
    new: int
    untracked: int = 0
    tracking_error: str | None = None
    confirmed: dict[str, Any] | None = None

    def missing_runs(self, home: str | None = None, storage: str | None = None) -> str:
        """Return a line on what is not in MLflow, and the command that writes it; "" where all is.

        Args:
            home, storage: options as they were given.
        """
        if not self.untracked and self.tracking_error is None:
            return ""
        why = f" ({self.tracking_error})" if self.tracking_error else ""
        remedy = f"`{command('sync', self.summary.name, home=home, storage=storage)}` writes"
        if not self.untracked:
            return f"the study's summary is not in MLflow yet{why}; {remedy} it"
        return f"{self.untracked} trials are not in MLflow yet{why}; {remedy} them"


def run(
    path: Path,
    home: Home,
    *,
    workers: Workers,
    trials: int | None = None,
    timeout: float | None = None,
    warm_start: str | None = None,
    exporter: Exporter | None,
    progress: Progress,
) -> RunResult:
    """Run a study to its end, or go on with one.

    Args:
        path: of the spec.
        home: where state lives.
        workers: who does the work, here or in a cluster.
        trials: how many in the end; None takes the spec's, or more if more were asked for before.
        timeout: seconds after which the run stops at the end of a round; None takes the spec's.
        warm_start: name of another study, whose best settings are tried first.
        exporter: has runs written to MLflow; None leaves that to `study sync`.
        progress: who is told.

    Raises:
        UserError: the spec or the data cannot be used, or the study in the home is another one.
    """
    started = time.monotonic()
    spec = read_spec(path)
    check_available(spec.search)
    folder = home.folder(spec.name)
    if exporter is not None:
        exporter.said = progress.said
    datasets = load_all(spec.data, path.parent)
    home.make()
    objective = Objective(spec, datasets, folder)
    check_memory(objective, 0 if workers.cluster is not None else workers.jobs)
    with holding.hold(folder, spec.name) as held, quiet_optuna():
        torn = repair(folder)
        if torn:
            progress.said(f"the ledger's last line was torn ({torn} bytes); it was cut off, nothing finished is lost")
        ledger = Ledger(folder, spec.name, [direction_of(name) for name in objective.objectives], held)
        planned = int(ledger.attributes.get("trials", 0))
        budget = _enter(ledger, objective, path, trials)
        enqueued = _first_settings(ledger, spec, home, warm_start)
        objective.write_data()
        before = sum(trial.state.is_finished() for trial in ledger.trials())
        if before < budget.trials:
            ledger.set(made_with=describe_origin(path.parent))
        if before and before == planned < budget.trials and _hangs_on_results(spec):
            progress.said(
                f"raised from {planned} to {budget.trials} trials: the new ones are chosen after all others have "
                f"ended, so they differ from those of a run of {budget.trials} from the start"
            )
        best = summarize_ledger(ledger, folder).best
        so_far = best.value if best is not None else None
        progress.begun(datasets, objective.metric, ledger.direction, before, budget.trials, so_far)
        for warning in _warn(ledger, spec, path, objective.dataset):
            progress.said(f"! {warning}")
        if workers.jobs > spec.search.in_flight:
            progress.said(
                f"{workers.jobs} workers share {spec.search.in_flight} trials in flight; [search] in_flight = "
                f"{workers.jobs} would keep all of them busy, and makes another study (give it another name)"
            )
        if exporter is not None:
            exporter.open()
        deadline = timeout or spec.search.timeout

        def finished(number: int, state: str, value: float | None) -> None:
            if exporter is not None:
                exporter.look()
            progress.finished(number, state, value)
            if state == "failed":
                reason = ledger.trials()[number].user_attrs[RESULT]["reason"].rstrip()
                progress.said(f"  trial {number}: {reason.splitlines()[-1]}")  # of a traceback what was raised

        def stop() -> bool:
            return deadline is not None and time.monotonic() - started > deadline

        search = Search(objective, ledger, budget, enqueued, Listener(finished, stop))
        confirmed = None
        with workers:
            search.run(workers)
            if exporter is not None:
                exporter.searched()
            if not search.open:
                ledger.set(ended=search.ended)
                confirmed = confirm_once(objective, ledger, workers, progress.said, progress.confirming)
        if search.open:
            progress.said(f"stopped after {deadline:g} seconds; the same command goes on from here")
        summary = summarize_ledger(ledger, folder)
        ended = [str(row.number) for row in summary.trials if row.state != "running"]
        result = RunResult(summary, len(ended) - before, confirmed=confirmed)
        progress.ended(result)
        if not search.open:
            _keep_importance(ledger, objective)  # nobody waits for it, so after the table
        if exporter is None:
            return result
        exporter.finish()
        missing = set(ended) - set(read_exports(folder))
        return replace(result, untracked=len(missing), tracking_error=exporter.error)


def _hangs_on_results(spec: Spec) -> bool:
    """Return whether what a trial is, or when it ends, hangs on what others gave by then."""
    return spec.search.pruner != "none" or spec.search.sampler not in ("random", "qmc", "grid")


def _warn(ledger: Ledger, spec: Spec, path: Path, dataset: Dataset) -> tuple[str, ...]:
    """Return the severe warnings about the data; they are looked for when a study begins, and kept in its ledger."""
    if "cautions" not in ledger.attributes:
        ledger.set(cautions=list(find_severe_warnings(spec.data, path.parent, dataset)))
    return tuple(ledger.attributes["cautions"])


def _keep_importance(ledger: Ledger, objective: Objective) -> None:
    """Keep in the ledger how much each hyperparameter matters; MLflow shows it, here scikit-learn is there already."""
    from study.search.importance import estimate

    told = sum(trial.state.is_finished() for trial in ledger.trials())
    if ledger.attributes.get("importance", {}).get("told") == told:
        return
    found = estimate(ledger.trials(), StudyDirection[direction_of(objective.metric).upper()])
    kept = {} if found is None else {**asdict(found), "few": found.few}
    ledger.set(importance={"told": told, **kept})


def _enter(ledger: Ledger, objective: Objective, path: Path, trials: int | None) -> Budget:
    """Write what identifies the study into the ledger, or check that it is the one there; return its budget.

    Raises:
        UserError: the data or the spec changed since the study began.
    """
    ledger.claim_format()
    spec, dataset, known = objective.spec, objective.dataset, ledger.attributes
    identity = _identity(spec)
    if known.keys() >= {"identity", "fingerprint", "parts"}:  # less where a run died before its first trial
        _check_identity(known, identity, objective, path)
    # A number given once with --trials counts until the spec asks for more.
    raised = trials or known.get("raised", 0)
    planned = trials or max(spec.search.trials, raised)
    holding.own(objective.folder, ledger.identify())
    ledger.set(
        identity=identity,
        spec=path.read_text(encoding="utf-8-sig"),
        folder=str(path.parent.absolute()),
        description=spec.description,
        settings=fixed(spec.space),
        metric=objective.metric,
        objectives=list(objective.objectives),
        fingerprint=dataset.fingerprint,
        parts=dataset.part_fingerprints,
        trials=planned,
        raised=raised,
        versions=known.get("versions", installed_versions()),
        created=known.get("created", int(time.time() * 1000)),
        data={
            "source": dataset.source,
            "task": dataset.task,
            "target": dataset.target_name,
            "n_x": dataset.n_x,
            "rows": {"train": dataset.train.m, "dev": dataset.dev.m},
        },
    )
    return Budget(planned, spec.search.work, spec.search.stop_after, maximize=ledger.direction == "maximize")


def _check_identity(known: dict[str, Any], identity: dict[str, str], objective: Objective, path: Path) -> None:
    spec, dataset = objective.spec, objective.dataset
    before = known["identity"]
    changed = sorted(
        key for key in identity if identity[key] != (before[key] if key in before else _digest(_default(spec, key)))
    )
    if changed:
        raise UserError(
            f"{path}: {', '.join(changed)} changed since study {spec.name!r} began; "
            "undo the change, or give the study another name"
        )
    if known["fingerprint"] != dataset.fingerprint:
        where = explain_change(known["parts"], dataset.part_fingerprints)
        raise UserError(
            f"[data] source: {spec.data.source!r} changed since study {spec.name!r} began ({where});\n"
            "bring the old data back, or give the study another name"
        )


def _first_settings(ledger: Ledger, spec: Spec, home: Home, warm_start: str | None) -> list[dict[str, Any]]:
    """Return the settings to try first: those of the spec, then the best of another study, fixed when a study begins.

    Raises:
        UserError: there is no such study, it is this one, or none of its settings is within this space.
    """
    if warm_start is not None and not ledger.trials():
        if warm_start == spec.name:
            raise UserError(f"--warm-start {warm_start}: is this study itself; name another one")
        ranking = summarize(home, warm_start).ranking()
        fitting = [params for row in ranking[:WARM] if (params := within(spec.space, row.params)) is not None]
        if not fitting:
            raise UserError(f"--warm-start {warm_start}: none of its best settings is within [space] of {spec.name!r}")
        ledger.set(warm=fitting)
    for setting in spec.search.enqueue:
        try:
            check_setting(spec.space, setting)
        except ValueError as error:
            raise UserError(f"[search] enqueue: {error}, in {setting}") from None
    return [*(dict(setting) for setting in spec.search.enqueue), *ledger.attributes.get("warm", [])]


def _identity(spec: Spec) -> dict[str, str]:
    """Return a digest of every part of the spec that a trial depends on; limits and confirm may change freely."""
    limits = {"trials", "work", "timeout", "stop_after", "worker_memory"}
    parts = {f"[search] {key}": value for key, value in spec.search.model_dump(mode="json", exclude=limits).items()}
    parts |= {f"[data] {key}": value for key, value in spec.data.model_dump(mode="json").items()}
    parts |= {f"[space] {key}": value for key, value in spec.space.model_dump(mode="json").items()}
    return {key: _digest(value) for key, value in parts.items()}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _default(spec: Spec, key: str) -> Any:
    """Return the default of a key such as "[data] thousands": what a study had that is older than the key."""
    table, name = key.split()
    return type(getattr(spec, table.strip("[]"))).model_fields[name].default
