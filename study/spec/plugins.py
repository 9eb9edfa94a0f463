"""Extensions that installed packages provide through entry points, found by the name in a spec.

A package declares an extension in the group of its kind, such as `study.metrics`, under the name that specs use. The
entry point is an entry to register (such as an `engine.Metric`), a function that registers it when it is called, or a
module that registers it when it is imported. It is loaded only when a spec names the extension: a broken package stops
only the specs that need it, and installed packages do not slow down the start of a command.
"""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from engine.registry import Registry


class PluginError(ValueError):
    """An installed package does not provide the extension that it declares; the message names the package."""


def is_known(registry: Registry[Any], name: str) -> bool:
    """Return whether a name is registered, or an installed package registers it now.

    Raises:
        PluginError: a package declares the name, but cannot be loaded or registers nothing under it.
    """
    if name in registry:
        return True
    points = tuple(entry_points(group=_group(registry.kind), name=name))
    if not points:
        return False
    if len(points) > 1:
        packages = ", ".join(sorted(map(package_of, points)))
        raise PluginError(f"{name!r} comes from several installed packages ({packages}); uninstall all but one")
    _load(registry, points[0])
    return True


def offered_names(kind: str) -> list[str]:
    """Return the names of the extensions of a kind that installed packages declare; nothing is loaded."""
    return sorted({point.name for point in entry_points(group=_group(kind))})


def find_package(kind: str, name: str) -> str | None:
    """Return the installed package that declares an extension, with its version; None if there is none."""
    return next((package_of(point) for point in entry_points(group=_group(kind), name=name)), None)


def package_of(point: EntryPoint) -> str:
    """Return the name and version of the package that an entry point belongs to."""
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _group(kind: str) -> str:
    return f"study.{kind}s"


def _load(registry: Registry[Any], point: EntryPoint) -> None:
    try:
        loaded = point.load()
        if isinstance(loaded, ModuleType):
            pass  # it registered the extension when it was imported
        elif callable(loaded):
            loaded()
        else:
            registry.register(loaded)
    except (Exception, SystemExit) as error:
        first = next(iter(str(error).splitlines()), "")
        raise PluginError(
            f"{point.name!r} comes from the package {package_of(point)}, which failed to load "
            f"({type(error).__name__}: {first}); update or reinstall it"
        ) from error
    if point.name not in registry:
        raise PluginError(
            f"{point.name!r} is declared by the package {package_of(point)}, but its entry point {point.value!r} "
            f"registers no {registry.kind} with this name; report it to the package's authors"
        )


def names_for_remedy(registry: Registry[Any], others: Iterable[str] = ()) -> list[str]:
    """Return all names that a spec can use for an extension of a kind, preceded by other valid names."""
    return [*others, *registry, *offered_names(registry.kind)]
