"""The content of a baseline's run: metrics on dev, in a run below the study's that is not one of its trials."""

import math
from collections.abc import Mapping

from study.ledger.baselines import Baseline, export_key, read_baselines
from study.ledger.ledger import Ledger
from study.tracking.trial_run import LONGEST_TAG, STATUS, RunContent

PARENT = "study"
"""The key of a study's own run."""

_TAG = "study.baseline_uid"  # instead of `study.trial_uid`, by which the page of a study finds its trials


def describe_baselines(ledger: Ledger, uid: str) -> dict[str, RunContent]:
    """Return the runs of a study's baselines by key."""
    attributes = ledger.attributes
    found = read_baselines(attributes.get("baselines"), {})
    created = int(attributes.get("created", 0))  # so that the run is the same on every export
    return {export_key(each.name): _describe(ledger.name, uid, created, each) for each in found}


def run_key(tags: Mapping[str, str]) -> str:
    """Return the key of a run by its tags: of a trial its number as text, of a baseline its name, or PARENT."""
    if "study.trial_uid" in tags:
        return tags["study.trial_uid"].rpartition("/")[2]
    return export_key(tags[_TAG].rpartition("/")[2]) if _TAG in tags else PARENT


def _describe(name: str, uid: str, created: int, baseline: Baseline) -> RunContent:
    state = "complete" if baseline.value is not None else "failed"
    tags = {
        "study.name": name,
        "study.uid": uid,
        _TAG: f"{uid}/{baseline.name}",
        "study.baseline": baseline.title,
        "study.state": state,
        "mlflow.runName": f"baseline: {baseline.title}",
    }
    remarks = {"study.note": baseline.note, "study.reason": baseline.reason}
    tags |= {tag: text[-LONGEST_TAG:] for tag, text in remarks.items() if text}
    measured = {f"dev_{metric}": value for metric, value in baseline.metrics.items()} | {"seconds": baseline.seconds}
    return RunContent(
        tags=tags,
        params={"model": baseline.title, "scikit-learn": baseline.version},
        points=[(key, value, 0) for key, value in measured.items() if value is not None and math.isfinite(value)],
        started=created,
        ended=created + round(1000 * baseline.seconds),
        status=STATUS[state],
    )
