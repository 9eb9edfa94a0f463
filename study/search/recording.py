"""The records that a run writes to the ledger before the search: the study's identity, its budget, and warnings."""

import time
from typing import Any

from study.data import find_severe_warnings
from study.errors import UserError
from study.ledger import holding
from study.ledger.home import Home
from study.ledger.results import summarize
from study.ledger.versions import installed_versions
from study.search.identity import check_identity, identify
from study.search.search_space import check_configuration, fixed, within
from study.search.session import StudySession
from study.search.stopping import Budget
from study.spec import Spec
from study.spec.extension_records import describe_extensions

WARM = 5  # configurations to take from another study for a warm start


def record_study(session: StudySession, trials: int | None) -> Budget:
    """Write the identity of the study to the ledger, or check that it matches; return the budget.

    Raises:
        UserError: the data or the spec has changed since the study started.
    """
    ledger, objective = session.ledger, session.objective
    ledger.claim_format()
    spec, dataset, known = session.spec, objective.dataset, ledger.attributes
    check_identity(known, spec, dataset, session.declared.place)
    # A number given with --trials stays in effect until the spec asks for more.
    raised = trials or known.get("raised", 0)
    planned = trials or max(spec.search.trials, raised)
    holding.own(session.folder, ledger.identify())
    ledger.set(
        identity=identify(spec),
        additions=describe_extensions(spec),
        spec=session.declared.text,
        folder=str(session.base.absolute()),
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


def first_configurations(session: StudySession, home: Home, warm_start: str | None) -> list[dict[str, Any]]:
    """Return the configurations to try first: those of the spec, then the best ones of another study.

    Raises:
        UserError: the other study does not exist, is this one, or has no configuration that is within this space.
    """
    ledger, spec = session.ledger, session.spec
    if warm_start is not None and not ledger.trials():
        if warm_start == spec.name:
            raise UserError(f"--warm-start {warm_start}: a study cannot warm-start from itself; use another study")
        ranking = summarize(home, warm_start).ranking()
        fitting = [params for row in ranking[:WARM] if (params := within(spec.space, row.params)) is not None]
        if not fitting:
            raise UserError(
                f"--warm-start {warm_start}: none of that study's best configurations is within the "
                f"[space] of {spec.name!r}"
            )
        ledger.set(warm=fitting)
    check_enqueued(spec)
    return [*(dict(configuration) for configuration in spec.search.enqueue), *ledger.attributes.get("warm", [])]


def check_enqueued(spec: Spec) -> None:
    """Check that the configurations to try first are within the space.

    Raises:
        UserError: one of them is not.
    """
    for configuration in spec.search.enqueue:
        try:
            check_configuration(spec.space, configuration)
        except ValueError as error:
            raise UserError(f"[search] enqueue: {error} (in {configuration})") from None


def record_warnings(session: StudySession) -> tuple[str, ...]:
    """Return the severe warnings about the data; they are computed when a study starts, and stored in its ledger."""
    ledger = session.ledger
    if "cautions" not in ledger.attributes:
        found = find_severe_warnings(session.spec.data, session.base, session.objective.dataset)
        ledger.set(cautions=list(found))
    return tuple(ledger.attributes["cautions"])
