"""The identity of a study: the parts of its spec that a trial depends on, and its data."""

import hashlib
import json

from study.data import Dataset
from study.data.fingerprint import explain_change
from study.errors import UserError
from study.ledger.attributes import StudyAttributes
from study.spec import Spec, parse_spec
from study.spec.extension_records import describe_extensions
from study.text.formatting import agree

VERSION = "the version of "  # start of the keys of extension versions
TRANSFORM = "[data] transform"  # a key only of studies that have a transform
LIMITS = {"trials", "work", "timeout", "stop_after", "worker_memory"}  # keys of [search] that no trial depends on


def identify(spec: Spec) -> dict[str, str]:
    """Return a digest of each part of the spec that a trial depends on, and of the versions of its extensions.

    Limits, [confirm] and [final] may change freely.
    """
    parts = {f"[search] {key}": value for key, value in spec.search.model_dump(mode="json", exclude=LIMITS).items()}
    without = {"transform"} if spec.data.transform is None else set()
    parts |= {f"[data] {key}": value for key, value in spec.data.model_dump(mode="json", exclude=without).items()}
    parts |= {f"[space] {key}": value for key, value in spec.space.model_dump(mode="json").items()}
    versioned = [each for each in describe_extensions(spec) if "version" in each]
    parts |= {f"{VERSION}{each['kind']} {each['name']!r}": each["version"] for each in versioned}
    return {key: _digest(value) for key, value in parts.items()}


def digest_identity(spec: Spec) -> str:
    """Return eight digits of a digest of all parts of a spec that a trial depends on."""
    return _digest(identify(spec))[:8]


def check_identity(known: StudyAttributes, spec: Spec, dataset: Dataset, path: str) -> None:
    """Check that a spec and its data have not changed since the study started.

    Args:
        known: attributes of the ledger; incomplete if a run died before its first trial.
        spec: the current spec.
        dataset: the current data.
        path: path of the spec, for messages.

    Raises:
        UserError: the data or the spec has changed.
    """
    if not known.keys() >= {"identity", "fingerprint", "parts"}:
        return
    identity, before = identify(spec), known["identity"]
    if known["fingerprint"] == dataset.fingerprint and spec.data.kind == _kind_before(known):
        del identity["[data] source"]  # the same table at another location
    changed = sorted(
        key for key in identity if identity[key] != (before[key] if key in before else _digest(_default(spec, key)))
    )
    if TRANSFORM in before.keys() - identity.keys():
        changed.append(TRANSFORM)
    if changed:
        raise UserError(
            f"{path}: {', '.join(changed)} {agree(len(changed), 'has', 'have')} changed since study {spec.name!r} "
            f"started; undo the change, or give the study another name"
        )
    if known["fingerprint"] != dataset.fingerprint:
        where = explain_change(known["parts"], dataset.part_fingerprints)
        raise UserError(
            f"[data] source: {spec.data.source!r} has changed since study {spec.name!r} started ({where});\n"
            "restore the old data, or give the study another name"
        )


def _kind_before(known: StudyAttributes) -> str | None:
    """Return the kind of file that contained the study's data; None if it was not in a file."""
    if "spec" not in known:
        return None
    kind = parse_spec(known["spec"], "the ledger's spec", recorded=True).data.kind
    return kind if kind in ("text", "parquet") else None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _default(spec: Spec, key: str) -> object:
    """Return the default of a key such as "[data] thousands", which applies to studies older than the key."""
    if key.startswith(VERSION):
        return 1
    table, name = key.split()
    return type(getattr(spec, table.strip("[]"))).model_fields[name].default
