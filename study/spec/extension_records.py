"""The registered extensions that a spec names: their records in a ledger, and the check that a process has them."""

import functools
import inspect
from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from engine import ACTIVATIONS, METRICS, OPTIMIZERS, SCHEDULES
from engine.registry import Registry
from study.errors import UserError
from study.spec.data import DataSpec
from study.spec.extensions import PRUNERS, SAMPLERS, SOURCES, TRANSFORMS, Clones
from study.spec.plugins import PluginError, find_package, is_known
from study.spec.search import SearchSpec
from study.spec.space import SpaceSpec
from study.spec.whole import Spec

_REGISTRIES: dict[str, Registry[Any]] = {
    registry.kind: registry
    for registry in (ACTIVATIONS, METRICS, OPTIMIZERS, SCHEDULES, PRUNERS, SAMPLERS, SOURCES, TRANSFORMS)
}


class ExtensionRecord(TypedDict):
    """A registered extension.

    Attributes:
        kind: kind of extension, such as "metric".
        name: name that the spec uses.
        module: module that defines the extension.
        package: package that registered it, with its version; None if a program registered it.
        version: version of a metric or a transform, as registered.
    """

    kind: str
    name: str
    module: str
    package: str | None
    version: NotRequired[int | str]


def describe_extensions(spec: Spec) -> list[ExtensionRecord]:
    """Return the registered extensions that a spec names; built-in ones are left out."""
    records = []
    for kind, names in _named(spec.data, spec.space, spec.search).items():
        for entry in _REGISTRIES[kind].added(names):
            record = ExtensionRecord(
                kind=kind, name=entry.name, module=_module_of(entry), package=find_package(kind, entry.name)
            )
            if hasattr(entry, "version"):
                record["version"] = entry.version
            records.append(record)
    return records


def require_extensions(records: Sequence[ExtensionRecord], study: str) -> None:
    """Check that this process has the extensions of a study. Those of installed packages are registered if necessary.

    Raises:
        UserError: if one is not registered, is broken, or has a different version than in the study.
    """
    for record in records:
        kind, name = record["kind"], record["name"]
        place = f"study {study!r} uses the {kind} {name!r}"
        try:
            known = is_known(_REGISTRIES[kind], name)
        except PluginError as error:
            raise UserError(f"{place}: {error}") from None
        if not known:
            raise UserError(f"{place}, which is not registered in this process; {_remedy(record)}")
        version = getattr(_REGISTRIES[kind][name], "version", None)
        if record.get("version", version) != version:
            raise UserError(
                f"{place} of version {record['version']!r}, but version {version!r} is registered; "
                f"register version {record['version']!r}, or run a new study"
            )


def _remedy(record: ExtensionRecord) -> str:
    if record["package"] is not None:
        return f"install the package that provides it ({record['package']})"
    if record["kind"] == "transform":
        return (
            f"from Python, call register_transform({record['name']!r}, …) first, or install it as a package with an "
            "entry point"
        )
    return f"from Python, import {record['module']} first, or install it as a package with an entry point"


def _named(data: DataSpec, space: SpaceSpec, search: SearchSpec) -> dict[str, tuple[str, ...]]:
    metric = search.metric or ()
    return {
        "activation": space.activation,
        "metric": (metric,) if isinstance(metric, str) else metric,
        "optimizer": space.optimizer,
        "schedule": space.schedule,
        "pruner": (search.pruner,),
        "sampler": (search.sampler,),
        "source": (data.source.partition(":")[0],) if data.kind == "registered" else (),
        "transform": () if data.transform is None else (data.transform,),
    }


def _module_of(entry: object) -> str:
    """Return the module that defines the first function of an entry."""
    for value in vars(entry).values():
        if isinstance(value, Clones):
            return type(value.transformer).__module__
        function = getattr(value, "function", None) or getattr(value, "scorer", None) or value
        while isinstance(function, functools.partial):
            function = function.func
        if callable(function):
            return str(getattr(inspect.unwrap(function), "__module__", None) or type(function).__module__)
    return "the module that registers it"
