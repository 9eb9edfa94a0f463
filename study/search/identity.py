"""What makes a study the one that it is: the parts of its spec that a trial depends on, and its data."""

import hashlib
import json

from study.data import Dataset
from study.data.fingerprint import explain_change
from study.errors import UserError
from study.ledger.attributes import StudyAttributes
from study.spec import Spec

LIMITS = {"trials", "work", "timeout", "stop_after", "worker_memory"}  # of [search]: no trial depends on them


def identify(spec: Spec) -> dict[str, str]:
    """Return a digest of every part of the spec that a trial depends on; limits and confirm may change freely."""
    parts = {f"[search] {key}": value for key, value in spec.search.model_dump(mode="json", exclude=LIMITS).items()}
    parts |= {f"[data] {key}": value for key, value in spec.data.model_dump(mode="json").items()}
    parts |= {f"[space] {key}": value for key, value in spec.space.model_dump(mode="json").items()}
    return {key: _digest(value) for key, value in parts.items()}


def check_identity(known: StudyAttributes, spec: Spec, dataset: Dataset, path: str) -> None:
    """Check that a spec and its data are those that a study began with.

    Args:
        known: attributes of the ledger; less of them where a run died before its first trial.
        spec: as it is now.
        dataset: as it is now.
        path: of the spec, for messages.

    Raises:
        UserError: the data or the spec changed.
    """
    if not known.keys() >= {"identity", "fingerprint", "parts"}:
        return
    identity, before = identify(spec), known["identity"]
    changed = sorted(
        key for key in identity if identity[key] != (before[key] if key in before else _digest(_default(spec, key)))
    )
    if changed:
        raise UserError(
            f"{path}: {', '.join(changed)} changed since study {spec.name!r} started; "
            "undo the change, or give the study another name"
        )
    if known["fingerprint"] != dataset.fingerprint:
        where = explain_change(known["parts"], dataset.part_fingerprints)
        raise UserError(
            f"[data] source: {spec.data.source!r} changed since study {spec.name!r} started ({where});\n"
            "restore the old data, or give the study another name"
        )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _default(spec: Spec, key: str) -> object:
    """Return the default of a key such as "[data] thousands": what a study had that is older than the key."""
    table, name = key.split()
    return type(getattr(spec, table.strip("[]"))).model_fields[name].default
