"""Samplers, pruners, data sources and transforms that a program registers and a spec can then name.

A spec contains only their names. A program registers an extension before it reads such a spec, for example to resume a
study. Alternatively, an installed package declares it as an entry point (`study.spec.plugins`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationInfo

from engine.registry import Registry, check_callable
from study.errors import first_line

if TYPE_CHECKING:  # these imports take a second, and reading a spec does not need them
    import pandas as pd
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from sklearn.base import BaseEstimator

BUILT_IN_SAMPLERS = ("tpe", "random", "qmc", "grid", "gp", "cmaes", "nsga2")
BUILT_IN_PRUNERS = ("none", "median", "percentile", "successive_halving", "hyperband", "patient", "threshold", "asha")
BUILT_IN_SOURCES = ("sklearn", "synthetic", "openml")


@dataclass(frozen=True)
class Sampler:
    """A sampler of configurations.

    Attributes:
        name: The name in a spec, `sampler = "name"`.
        make: `make(seed, number)` returns the Optuna sampler for one proposal, given its seed and the number of the
            trial. A new sampler is created for every proposal, so it must be stateless: the proposal may depend only on
            these two arguments and on the parameters, values and system attributes of the study's trials.
        several: Whether it supports several metrics.
    """

    name: str
    make: Callable[[int, int], "BaseSampler"]
    several: bool = False


@dataclass(frozen=True)
class Pruner:
    """A pruner of trials.

    Attributes:
        name: The name in a spec, `pruner = "name"`.
        make: `make(grid, warmup)` returns the Optuna pruner of a study, given the iterations at which trials report
            (the last one ends the longest training run) and the iteration before which no trial may be pruned. The
            pruner must be stateless: its decisions may depend only on the values that trials have reported.
    """

    name: str
    make: Callable[[tuple[int, ...], int], "BasePruner"]


@dataclass(frozen=True)
class Source:
    """A source of data.

    Attributes:
        name: The part before the colon in a spec, `source = "name:rest"`.
        read: `read(rest, base)` returns a table with one row per example, including features and target, where base is
            the folder of the spec. It must always return the same rows in the same order. An OSError or ValueError is
            reported to the user in one line.
    """

    name: str
    read: Callable[[str, Path], "pd.DataFrame"]


@dataclass(frozen=True)
class Transform:
    """A scikit-learn transformer that prepares the columns of a table before they are encoded and scaled.

    Attributes:
        name: The name in a spec, `transform = "name"`.
        make: `make()` returns the transformer, unfitted.
        version: An integer or a string. It is part of the identity of a study: change it with the transformer.
    """

    name: str
    make: Callable[[], "BaseEstimator"]
    version: int | str = 1


@dataclass(frozen=True)
class Clones:
    """A function that returns clones of an unfitted transformer."""

    transformer: "BaseEstimator"

    def __call__(self) -> "BaseEstimator":
        """Return a clone."""
        from sklearn.base import clone

        return clone(self.transformer)


SAMPLERS = Registry[Sampler]("sampler", reserved=BUILT_IN_SAMPLERS)
PRUNERS = Registry[Pruner]("pruner", reserved=BUILT_IN_PRUNERS)
SOURCES = Registry[Source]("source", reserved=BUILT_IN_SOURCES)
TRANSFORMS = Registry[Transform]("transform")


RECORDED = {"recorded": True}
"""The validation context of a spec from a ledger, whose names were checked when the study was created."""


def is_recorded(info: ValidationInfo) -> bool:
    """Return whether a spec comes from a ledger, so that it may contain names that are not registered here."""
    return info.context == RECORDED


def register_sampler(sampler: Sampler) -> None:
    """Register a sampler so that specs can name it. Use `study.testing.check_sampler` to test that it is valid.

    Raises:
        ValueError: If the name is built in or contains anything except lowercase letters, digits and underscores, or
            `make` is not a function.
    """
    check_callable("sampler", sampler, "make")
    SAMPLERS.register(sampler)


def register_pruner(pruner: Pruner) -> None:
    """Register a pruner so that specs can name it. Use `study.testing.check_pruner` to test that it is valid.

    Raises:
        ValueError: If the name is built in or contains anything except lowercase letters, digits and underscores, or
            `make` is not a function.
    """
    check_callable("pruner", pruner, "make")
    PRUNERS.register(pruner)


def register_source(source: Source) -> None:
    """Register a data source so that specs can name it. Use `study.testing.check_source` to test that it is valid.

    Raises:
        ValueError: If the name is built in, is a single letter (like a drive), or contains anything except lowercase
            letters, digits and underscores, or `read` is not a function.
    """
    if len(source.name) == 1:
        raise ValueError(f"source name must have at least two characters, got {source.name!r}")
    check_callable("source", source, "read")
    SOURCES.register(source)


def register_transform(
    name: str, transformer: "BaseEstimator | Callable[[], BaseEstimator]", *, version: int | str = 1
) -> None:
    """Register a scikit-learn transformer so that specs can name it, as `[data] transform`.

    It receives the columns of the table as a DataFrame, and is fitted on the training rows only. Its output is encoded
    and scaled as if the table had had these columns. Use `study.testing.check_transform` to test that it is valid.

    Args:
        name: The name in a spec.
        transformer: A transformer, a Pipeline or a ColumnTransformer, which is cloned before it is fitted; or a
            function without arguments, or a class, that returns one.
        version: An integer or a string, part of a study's identity. Change it whenever the transformer changes.

    Raises:
        ValueError: If the name contains anything except lowercase letters, digits and underscores, the transformer has
            no `fit` and `transform` or cannot be cloned, or the version is neither an integer nor a string.

    >>> from sklearn.preprocessing import PolynomialFeatures
    >>> register_transform("squares", PolynomialFeatures(2, include_bias=False), version=1)
    >>> TRANSFORMS["squares"].make()
    PolynomialFeatures(include_bias=False)
    """
    if isinstance(version, bool) or not isinstance(version, int | str):
        raise ValueError(f"transform {name!r}: version must be an integer or a string, got {version!r}")  # noqa: TRY004
    if isinstance(transformer, type) or not hasattr(transformer, "transform"):
        make = transformer
    else:
        make = Clones(_clone(name, transformer))
    entry = Transform(name, make, version)
    if not callable(make):
        message = f"transform {name!r} must be a scikit-learn transformer or a function that returns one, got {make!r}"
        raise ValueError(message)  # noqa: TRY004 - like all other errors in an entry
    TRANSFORMS.register(entry)


def _clone(name: str, transformer: "BaseEstimator") -> "BaseEstimator":
    from sklearn.base import clone

    try:
        return clone(transformer)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"transform {name!r} cannot be cloned ({first_line(error)})") from None
